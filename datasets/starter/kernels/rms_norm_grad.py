"""Forward: one program a row. Backward: programs walk over shares of the rows, then their sums for weight are added."""

import torch
import triton
import triton.language as tl


@triton.jit
def _forward(x_ptr, weight_ptr, y_ptr, scale_ptr, N, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * N + cols, mask=cols < N, other=0.0).to(tl.float32)
    weight = tl.load(weight_ptr + cols, mask=cols < N, other=0.0).to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(x * x, axis=0) / N + eps)
    tl.store(y_ptr + row * N + cols, (x * scale * weight).to(y_ptr.dtype.element_ty), mask=cols < N)
    tl.store(scale_ptr + row, scale)


@triton.jit
def _backward(dy_ptr, x_ptr, weight_ptr, scale_ptr, dx_ptr, part_ptr, dy_m, dy_n, M, N, BLOCK: tl.constexpr):
    cols = tl.arange(0, BLOCK)
    weight = tl.load(weight_ptr + cols, mask=cols < N, other=0.0).to(tl.float32)
    part = tl.zeros((BLOCK,), tl.float32)
    for m in range(tl.program_id(0), M, tl.num_programs(0)):
        row = m.to(tl.int64)
        dy = tl.load(dy_ptr + row * dy_m + cols.to(tl.int64) * dy_n, mask=cols < N, other=0.0).to(tl.float32)
        x = tl.load(x_ptr + row * N + cols, mask=cols < N, other=0.0).to(tl.float32)
        scale = tl.load(scale_ptr + row)
        g = dy * weight
        dx = scale * (g - x * scale * scale * (tl.sum(g * x, axis=0) / N))
        tl.store(dx_ptr + row * N + cols, dx.to(dx_ptr.dtype.element_ty), mask=cols < N)
        part += dy * x * scale
    tl.store(part_ptr + tl.program_id(0) * N + cols, part, mask=cols < N)


@triton.jit
def _sum_parts(part_ptr, sum_ptr, parts, N, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr):
    cols = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    rows = tl.arange(0, BLOCK_M)
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, parts, BLOCK_M):
        inside = (start + rows < parts)[:, None] & (cols < N)[None, :]
        total += tl.load(part_ptr + (start + rows)[:, None] * N + cols[None, :], mask=inside, other=0.0)
    tl.store(sum_ptr + cols, tl.sum(total, axis=0).to(sum_ptr.dtype.element_ty), mask=cols < N)


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, eps):
        M, N = x.shape
        y = torch.empty_like(x)
        scale = torch.empty((M,), dtype=torch.float32, device=x.device)
        BLOCK = triton.next_power_of_2(N)
        _forward[(M,)](x, weight, y, scale, N, eps, BLOCK, num_warps=min(max(BLOCK // 512, 4), 16))
        ctx.save_for_backward(x, weight, scale)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weight, scale = ctx.saved_tensors
        M, N = x.shape
        parts = min(M, 256)
        dx, dweight = torch.empty_like(x), torch.empty_like(weight)
        part = torch.empty((parts, N), dtype=torch.float32, device=x.device)
        BLOCK = triton.next_power_of_2(N)
        _backward[(parts,)](
            dy, x, weight, scale, dx, part, *dy.stride(), M, N, BLOCK, num_warps=min(max(BLOCK // 512, 4), 16)
        )
        _sum_parts[(triton.cdiv(N, 64),)](part, dweight, parts, N, 32, 64, num_warps=4)
        return dx, dweight, None


def rms_norm_grad(x, weight, eps):
    """RMS normalisation over the last dimension of a contiguous matrix, differentiable."""
    return _RMSNorm.apply(x, weight, eps)
