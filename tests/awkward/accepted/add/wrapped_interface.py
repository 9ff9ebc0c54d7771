"""A class of the author's around the kernel, which looks up launch parameters before it passes the call on."""

import torch
import triton
import triton.language as tl


class Entry(triton.runtime.KernelInterface):
    def __init__(self, fn):
        self.fn, self.calls = fn, {}

    def run(self, *args, grid, warmup=False, **kwargs):
        key = tuple(a.dtype if isinstance(a, torch.Tensor) else type(a) for a in args)
        self.calls[key] = self.calls.get(key, 0) + 1
        return self.fn.run(*args, grid=grid, warmup=warmup, **kwargs)


def entry(fn):
    return Entry(fn)


@entry
@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


def add(x, y):
    out = torch.empty_like(x)
    _add[(triton.cdiv(x.numel(), 64),)](x, y, out, x.numel(), 64)
    return out
