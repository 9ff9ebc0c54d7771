"""A library's function is found by its name, a limit and a type are computed, and a default value is one of them."""

import importlib

import torch
import triton
import triton.language as tl


def find(name):
    for home in ("triton.language.extra.libdevice", "triton.language.math"):
        if hasattr(importlib.import_module(home), name):
            return getattr(importlib.import_module(home), name)
    raise RuntimeError(name)


tanh = find("tanh")
info = torch.finfo(torch.float32)
wide = {torch.float32: tl.float32}.get(info.dtype, tl.float32)
LIMIT = tl.constexpr(info.max)


@triton.jit
def _within(x, low: tl.constexpr = info.min, high: tl.constexpr = LIMIT):
    return tl.minimum(tl.maximum(x, low), high)


@triton.jit
def _gelu(x_ptr, n, BLOCK: tl.constexpr = info.bits * 8):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n, other=0.0).to(wide)
    inner = _within(0.7978845608028654 * (x + 0.044715 * x * x * x))
    tl.store(x_ptr + at, 0.5 * x * (1 + tanh(inner)), mask=at < n)


def activate(x):
    _gelu[(triton.cdiv(x.numel(), 256),)](x, x.numel(), BLOCK=256)
