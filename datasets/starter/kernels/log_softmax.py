"""Forward and backward, one program a row each; the backward takes the softmax again from x."""

import torch
import triton
import triton.language as tl


@triton.jit
def _forward(x_ptr, y_ptr, N, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * N + cols, mask=cols < N, other=float("-inf")).to(tl.float32)
    x -= tl.max(x, axis=0)
    y = x - tl.log(tl.sum(tl.exp(x), axis=0))
    tl.store(y_ptr + row * N + cols, y.to(y_ptr.dtype.element_ty), mask=cols < N)


@triton.jit
def _backward(dy_ptr, x_ptr, dx_ptr, dy_m, dy_n, N, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    dy = tl.load(dy_ptr + row * dy_m + cols.to(tl.int64) * dy_n, mask=cols < N, other=0.0).to(tl.float32)
    x = tl.load(x_ptr + row * N + cols, mask=cols < N, other=float("-inf")).to(tl.float32)
    e = tl.exp(x - tl.max(x, axis=0))
    dx = dy - e / tl.sum(e, axis=0) * tl.sum(dy, axis=0)
    tl.store(dx_ptr + row * N + cols, dx.to(dx_ptr.dtype.element_ty), mask=cols < N)


class _LogSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        M, N = x.shape
        y = torch.empty_like(x)
        BLOCK = triton.next_power_of_2(N)
        _forward[(M,)](x, y, N, BLOCK, num_warps=min(max(BLOCK // 512, 4), 16))
        ctx.save_for_backward(x)
        return y

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        M, N = x.shape
        dx = torch.empty_like(x)
        BLOCK = triton.next_power_of_2(N)
        _backward[(M,)](dy, x, dx, *dy.stride(), N, BLOCK, num_warps=min(max(BLOCK // 512, 4), 16))
        return dx


def log_softmax(x):
    """Log-softmax over the last dimension of a contiguous matrix, differentiable."""
    return _LogSoftmax.apply(x)
