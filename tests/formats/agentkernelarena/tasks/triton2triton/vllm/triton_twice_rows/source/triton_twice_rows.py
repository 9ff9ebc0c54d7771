"""Doubles whole rows."""
import torch
import triton
import triton.language as tl


@triton.jit
def _twice_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x_ptr + row * columns + at, mask=at < columns)
    tl.store(out_ptr + row * columns + at, value * 2, mask=at < columns)


def twice_rows(x: torch.Tensor, out: torch.Tensor) -> None:
    rows, columns = x.shape
    _twice_kernel[(rows, triton.cdiv(columns, 64))](x, out, columns, BLOCK=64)
