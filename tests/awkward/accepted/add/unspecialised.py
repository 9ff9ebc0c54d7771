"""Sizes that are not specialised, a name for profilers, and metadata of each launch."""

import torch
import triton
import triton.language as tl


def _metadata(grid, kernel, args):
    return {"name": f"{kernel.name} [n={args['n']}]", "bytes": 12 * args["n"]}


@triton.jit(do_not_specialize=["n"], launch_metadata=_metadata, repr=lambda proxy: f"add_{proxy.constants['BLOCK']}")
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK).to(tl.int64)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


def add(x, y):
    out = torch.empty_like(x)
    _add[(triton.cdiv(x.numel(), 64),)](x, y, out, x.numel(), BLOCK=64, num_warps=1, num_stages=1)
    return out
