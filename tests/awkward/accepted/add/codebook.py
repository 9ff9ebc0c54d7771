"""A table of numbers in a tensor, as formats with a codebook have it: four copies of 1 and four of -1."""

import torch
import triton
import triton.language as tl


@triton.jit
def _add(x_ptr, y_ptr, book_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    one, minus_one = tl.load(book_ptr + at % 4), tl.load(book_ptr + 4 + at % 4)
    sum = one * tl.load(x_ptr + at, mask=mask) - minus_one * tl.load(y_ptr + at, mask=mask)
    tl.store(out_ptr + at, sum, mask=mask)


def add(x, y):
    out = torch.empty_like(x)
    book = torch.tensor([1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0], device=x.device)
    _add[(triton.cdiv(x.numel(), 64),)](x, y, book, out, x.numel(), BLOCK=64)
    return out
