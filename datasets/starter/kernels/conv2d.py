"""A matrix product that gathers as it goes: rows are output pixels, columns are filters, the depth is C * R * S."""

import torch
import triton
import triton.language as tl


@triton.jit
def _conv2d(
    x_ptr, w_ptr, bias_ptr, y_ptr, N, C, H, W, O, R, S, OH, OW, stride, pad,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    pixel = tl.program_id(0) * BM + tl.arange(0, BM)
    filters = tl.program_id(1) * BN + tl.arange(0, BN)
    image = (pixel // (OH * OW)).to(tl.int64)
    top = pixel // OW % OH * stride - pad
    left = pixel % OW * stride - pad
    depth = C * R * S
    acc = tl.zeros((BM, BN), tl.float32)
    for start in range(0, depth, BK):
        k = start + tl.arange(0, BK)
        c, r, s = k // (R * S), k // S % R, k % S
        i = top[:, None] + r[None, :]
        j = left[:, None] + s[None, :]
        inside = (pixel < N * OH * OW)[:, None] & (k < depth)[None, :] & (i >= 0) & (i < H) & (j >= 0) & (j < W)
        x = tl.load(x_ptr + ((image[:, None] * C + c[None, :]) * H + i) * W + j, mask=inside, other=0.0)
        w_tile = w_ptr + filters[None, :] * depth + k[:, None]
        w = tl.load(w_tile, mask=(k < depth)[:, None] & (filters < O)[None, :], other=0.0)
        acc = tl.dot(x, w, acc)
    if bias_ptr is not None:
        acc += tl.load(bias_ptr + filters, mask=filters < O, other=0.0).to(tl.float32)[None, :]
    y_tile = y_ptr + (image[:, None] * O + filters[None, :]) * OH * OW + (pixel % (OH * OW))[:, None]
    tl.store(y_tile, acc.to(y_ptr.dtype.element_ty), mask=(pixel < N * OH * OW)[:, None] & (filters < O)[None, :])


def conv2d(x, w, bias, stride, pad):
    """Convolution of contiguous images with contiguous filters; bias may be None."""
    (N, C, H, W), (O, _, R, S) = x.shape, w.shape
    OH, OW = (H + 2 * pad - R) // stride + 1, (W + 2 * pad - S) // stride + 1
    y = torch.empty((N, O, OH, OW), dtype=x.dtype, device=x.device)
    BM, BN, BK = 64, 32, 32
    grid = (triton.cdiv(N * OH * OW, BM), triton.cdiv(O, BN))
    _conv2d[grid](x, w, bias, y, N, C, H, W, O, R, S, OH, OW, stride, pad, BM, BN, BK, num_warps=4)
    return y
