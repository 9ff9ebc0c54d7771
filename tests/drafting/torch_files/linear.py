import torch
import torch.nn.functional as F


@torch.compile
def fused_linear(x, weight, bias=None, residual=None, *, eps=1e-5):
    M, K = x.shape
    N, K2 = weight.shape
    assert K == K2
    y = F.linear(x, weight, bias)
    if residual is not None:
        y = y + residual
    return y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + eps)
