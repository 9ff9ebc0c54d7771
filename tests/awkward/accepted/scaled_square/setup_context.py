"""The newer form, and a gradient that is a view of a larger buffer."""

import torch
import triton
import triton.language as tl


@triton.jit
def _square(x_ptr, s_ptr, dy_ptr, out_ptr, part_ptr, n, BLOCK: tl.constexpr, BACKWARD: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    mask = at < n
    x, s = tl.load(x_ptr + row * n + at, mask=mask, other=0.0), tl.load(s_ptr + row)
    if BACKWARD:
        dy = tl.load(dy_ptr + row * n + at, mask=mask, other=0.0)
        out = 2 * s * x * dy
        tl.store(part_ptr + row, tl.sum(x * x * dy))
    else:
        out = s * x * x
    tl.store(out_ptr + row * n + at, out, mask=mask)


def _launch(x, scale, dy, out, part):
    _square[(x.shape[0],)](
        x, scale, dy, out, part, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]), BACKWARD=dy is not None
    )


class ScaledSquare(torch.autograd.Function):
    @staticmethod
    def forward(x, scale):
        y = torch.zeros_like(x)
        _launch(x, scale, None, y, None)
        return y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, dy):
        x, scale = ctx.saved_tensors
        buffer = x.new_empty(x.numel() + scale.numel())
        dx, ds = buffer.split([x.numel(), scale.numel()])
        _launch(x, scale, dy.contiguous(), dx, ds)
        return dx.view_as(x), ds


def scaled_square(x, scale):
    return ScaledSquare.apply(x, scale)
