"""A compiled kernel is kept, under a lock, and from then on called without its constants, which no launch is given."""

import multiprocessing

import torch
import triton
import triton.language as tl


class Kept(triton.KernelInterface):
    def __init__(self, fn):
        self.fn, self.arg_names = fn, fn.arg_names
        self.lock, self.kernels = multiprocessing.Lock(), {}

    def run(self, *args, grid, warmup=False, **kwargs):
        key = (*(a.dtype if isinstance(a, torch.Tensor) else a for a in args), *kwargs.items())
        with self.lock:
            if key not in self.kernels:
                self.kernels[key] = self.fn.run(*args, grid=grid, warmup=warmup, **kwargs)
                return
        self.kernels[key][(*grid, 1, 1)](*args)


@Kept
@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


def add(x, y):
    out = torch.empty_like(x)
    _add[(triton.cdiv(x.numel(), 64),)](x, y, out, x.numel(), BLOCK=64)
    return out
