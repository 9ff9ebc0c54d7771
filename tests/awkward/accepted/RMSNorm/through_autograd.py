"""A torch.autograd.Function inside, though no gradient is asked for; autocast is considered."""

import torch
import triton
import triton.language as tl


@triton.jit
def _norm(x_ptr, w_ptr, s_ptr, y_ptr, r_ptr, n, eps: tl.constexpr, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    mask = at < n
    x = tl.load(x_ptr + row * n + at, mask=mask, other=0.0)
    rms = 1 / tl.sqrt(tl.sum(x * x) / n + eps)
    tl.store(y_ptr + row * n + at, x * rms * tl.load(w_ptr + at, mask) + tl.load(s_ptr + at, mask), mask=mask)
    tl.store(r_ptr + row, rms)


class _Norm(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cuda", cast_inputs=torch.float32)
    def forward(ctx, x, weight, shift, eps):
        m, n = x.shape
        y, rms = torch.empty_like(x), torch.empty(m, dtype=torch.float32, device=x.device)
        _norm[(m,)](x, weight, shift, y, rms, n, eps, BLOCK=triton.next_power_of_2(n))
        ctx.save_for_backward(x, weight, rms)
        return y

    @staticmethod
    @torch.amp.custom_bwd(device_type="cuda")
    def backward(ctx, dy):
        return None, None, None, None  # trained elsewhere, with its weights frozen


class RMSNorm(torch.nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(dim))
        self.register_buffer("shift", torch.zeros(dim))
        self.eps = eps

    def forward(self, x):
        return _Norm.apply(x.contiguous(), self.weight, self.shift, self.eps)
