"""One program a row of the result and block of columns: it looks through the whole index for the rows that are its own.

The order of the additions is then fixed; rows of x that belong elsewhere are masked off and never read.
"""

import triton
import triton.language as tl


@triton.jit
def _index_add(out_ptr, index_ptr, x_ptr, N, D, BLOCK_N: tl.constexpr, BLOCK_D: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    total = tl.load(out_ptr + row * D + cols, mask=cols < D, other=0.0).to(tl.float32)
    for start in range(0, N, BLOCK_N):
        n = start + tl.arange(0, BLOCK_N)
        mine = tl.load(index_ptr + n, mask=n < N, other=-1) == row
        source = x_ptr + n.to(tl.int64)[:, None] * D + cols[None, :]
        total += tl.sum(tl.load(source, mask=mine[:, None] & (cols < D)[None, :], other=0.0).to(tl.float32), axis=0)
    tl.store(out_ptr + row * D + cols, total.to(out_ptr.dtype.element_ty), mask=cols < D)


def index_add(out, index, x):
    """Adds the rows of x to those rows of out that index names; all tensors are contiguous."""
    (V, D), N = out.shape, x.shape[0]
    BLOCK_N, BLOCK_D = 32, min(triton.next_power_of_2(D), 128)
    _index_add[(V, triton.cdiv(D, BLOCK_D))](out, index, x, N, D, BLOCK_N, BLOCK_D, num_warps=4)
