"""One program a sequence and block of channels: it walks along the sequence with the states in registers."""

import torch
import triton
import triton.language as tl


@triton.jit
def _selective_scan(
    x_ptr, delta_ptr, a_ptr, b_ptr, c_ptr, d_ptr, y_ptr, state_ptr, L, E, S: tl.constexpr, BLOCK: tl.constexpr
):
    sequence = tl.program_id(0).to(tl.int64)
    channels = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = channels < E
    lanes = tl.arange(0, S)
    tile = channels[:, None] * S + lanes[None, :]
    a = tl.load(a_ptr + tile, mask=inside[:, None], other=0.0)
    d = tl.load(d_ptr + channels, mask=inside, other=0.0)
    h = tl.zeros((BLOCK, S), tl.float32)
    for t in range(L):
        step = sequence * L + t
        x = tl.load(x_ptr + step * E + channels, mask=inside, other=0.0).to(tl.float32)
        delta = tl.load(delta_ptr + step * E + channels, mask=inside, other=0.0).to(tl.float32)
        b = tl.load(b_ptr + step * S + lanes).to(tl.float32)
        c = tl.load(c_ptr + step * S + lanes).to(tl.float32)
        h = tl.exp(delta[:, None] * a) * h + (delta * x)[:, None] * b[None, :]
        y = tl.sum(h * c[None, :], axis=1) + d * x
        tl.store(y_ptr + step * E + channels, y.to(y_ptr.dtype.element_ty), mask=inside)
    tl.store(state_ptr + sequence * E * S + tile, h, mask=inside[:, None])


def selective_scan(x, delta, A, B, C, D):
    """The scan's outputs and last states; all tensors are contiguous."""
    (N, L, E), S = x.shape, A.shape[1]
    y = torch.empty_like(x)
    state = torch.empty((N, E, S), dtype=torch.float32, device=x.device)
    BLOCK = 64
    _selective_scan[(N, triton.cdiv(E, BLOCK))](x, delta, A, B, C, D, y, state, L, E, S, BLOCK, num_warps=4)
    return y, state
