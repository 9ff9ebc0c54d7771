"""One program a channel of a sequence and block of its length."""

import torch
import triton
import triton.language as tl


@triton.jit
def _causal_conv1d(x_ptr, weight_ptr, bias_ptr, y_ptr, D, L, K: tl.constexpr, SILU: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    channel = row % D
    t = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    acc = tl.zeros((BLOCK,), tl.float32)
    if bias_ptr is not None:
        acc += tl.load(bias_ptr + channel).to(tl.float32)
    for k in tl.static_range(K):
        source = t - (K - 1) + k
        x = tl.load(x_ptr + row * L + source, mask=(source >= 0) & (source < L), other=0.0).to(tl.float32)
        acc += tl.load(weight_ptr + channel * K + k).to(tl.float32) * x
    if SILU:
        acc = acc / (1.0 + tl.exp(-acc))
    tl.store(y_ptr + row * L + t, acc.to(y_ptr.dtype.element_ty), mask=t < L)


def causal_conv1d(x, weight, bias, silu):
    """Causal depthwise convolution of contiguous [N, D, L]; bias may be None."""
    N, D, L = x.shape
    y = torch.empty_like(x)
    BLOCK = min(triton.next_power_of_2(L), 512)
    grid = (N * D, triton.cdiv(L, BLOCK))
    _causal_conv1d[grid](x, weight, bias, y, D, L, weight.shape[1], silu, BLOCK, num_warps=4)
    return y
