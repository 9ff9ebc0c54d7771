"""Autotuned over heuristics: the block is tuned, whether it divides the size is found out."""

import torch
import triton
import triton.language as tl


@triton.autotune([triton.Config({"BLOCK": 128}), triton.Config({"BLOCK": 64}, num_stages=1)], key=["n"])
@triton.heuristics({"EVEN": lambda args: args["n"] % args["BLOCK"] == 0})
@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr, EVEN: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    if EVEN:
        tl.store(out_ptr + at, tl.load(x_ptr + at) + tl.load(y_ptr + at))
    else:
        mask = at < n
        tl.store(out_ptr + at, tl.load(x_ptr + at, mask=mask) + tl.load(y_ptr + at, mask=mask), mask=mask)


def add(x, y):
    out = torch.empty_like(x)

    def grid(meta):
        return (triton.cdiv(x.numel(), meta["BLOCK"]),)

    _add[grid](x, y, out, x.numel())
    return out
