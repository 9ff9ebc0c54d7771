import torch
import triton
import triton.language as tl


@triton.jit
def _partial_sum(x_ptr, part_ptr, n, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    offs = pid * BLOCK + tl.arange(0, BLOCK)
    tl.store(part_ptr + pid, tl.sum(tl.load(x_ptr + offs, mask=offs < n, other=0.0), axis=0))


@triton.jit
def _write(ptr, value, i):
    tl.store(ptr + i, value)


@triton.jit
def _finish(part_ptr, out_ptr, count, m, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    _write(out_ptr, tl.sum(tl.load(part_ptr + offs, mask=offs < m, other=0.0), axis=0), 0)
    tl.atomic_add(count, 1)


def total(x: torch.Tensor, counter: torch.Tensor):
    """Sum of a vector; `counter` says how often it was called.

    x: [N]
    counter: [1] int32
    """
    parts = torch.empty(triton.cdiv(x.numel(), 1024), device=x.device)
    out = torch.empty(1, device=x.device)
    _partial_sum[(parts.numel(),)](x, parts, x.numel(), BLOCK=1024)
    _finish[(1,)](parts, out, counter, parts.numel(), BLOCK=1024)
    return out
