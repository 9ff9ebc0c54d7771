"""Programs walk over shares of the rows and keep their sums for weight and bias; a second kernel adds those up."""

import torch
import triton
import triton.language as tl


@triton.jit
def _rows(dy_ptr, x_ptr, weight_ptr, dx_ptr, part_ptr, M, N, eps, BLOCK: tl.constexpr):
    cols = tl.arange(0, BLOCK)
    inside = cols < N
    weight = tl.load(weight_ptr + cols, mask=inside, other=0.0).to(tl.float32)
    dweight = tl.zeros((BLOCK,), tl.float32)
    dbias = tl.zeros((BLOCK,), tl.float32)
    for m in range(tl.program_id(0), M, tl.num_programs(0)):
        row = m.to(tl.int64) * N
        dy = tl.load(dy_ptr + row + cols, mask=inside, other=0.0).to(tl.float32)
        x = tl.load(x_ptr + row + cols, mask=inside, other=0.0).to(tl.float32)
        centred = tl.where(inside, x - tl.sum(x, axis=0) / N, 0.0)
        scale = 1.0 / tl.sqrt(tl.sum(centred * centred, axis=0) / N + eps)
        h = centred * scale
        g = dy * weight
        dx = scale * (g - tl.sum(g, axis=0) / N - h * (tl.sum(g * h, axis=0) / N))
        tl.store(dx_ptr + row + cols, dx.to(dx_ptr.dtype.element_ty), mask=inside)
        dweight += dy * h
        dbias += dy
    part = part_ptr + tl.program_id(0) * 2 * N
    tl.store(part + cols, dweight, mask=inside)
    tl.store(part + N + cols, dbias, mask=inside)


@triton.jit
def _sum_parts(part_ptr, dweight_ptr, dbias_ptr, parts, N, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr):
    cols = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    rows = tl.arange(0, BLOCK_M)
    dweight = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    dbias = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, parts, BLOCK_M):
        inside = (start + rows < parts)[:, None] & (cols < N)[None, :]
        tile = part_ptr + (start + rows)[:, None] * 2 * N + cols[None, :]
        dweight += tl.load(tile, mask=inside, other=0.0)
        dbias += tl.load(tile + N, mask=inside, other=0.0)
    tl.store(dweight_ptr + cols, tl.sum(dweight, axis=0), mask=cols < N)
    tl.store(dbias_ptr + cols, tl.sum(dbias, axis=0), mask=cols < N)


def layer_norm_backward(dy, x, weight, eps):
    """Gradients of layer normalisation over the last dimension; all tensors are contiguous."""
    M, N = x.shape
    parts = min(M, 256)
    dx = torch.empty_like(x)
    dweight = torch.empty((N,), dtype=torch.float32, device=x.device)
    dbias = torch.empty((N,), dtype=torch.float32, device=x.device)
    part = torch.empty((parts, 2, N), dtype=torch.float32, device=x.device)
    BLOCK = triton.next_power_of_2(N)
    _rows[(parts,)](dy, x, weight, dx, part, M, N, eps, BLOCK, num_warps=min(max(BLOCK // 512, 4), 16))
    _sum_parts[(triton.cdiv(N, 64),)](part, dweight, dbias, parts, N, 32, 64, num_warps=4)
    return {"dx": dx, "dweight": dweight, "dbias": dbias}
