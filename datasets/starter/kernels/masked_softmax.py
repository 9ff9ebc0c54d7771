"""One program a row of scores, which stays in registers."""

import torch
import triton
import triton.language as tl


@triton.jit
def _masked_softmax(scores_ptr, mask_ptr, y_ptr, scale, H, Q, K, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    mask_row = row // (H * Q) * Q + row % Q
    cols = tl.arange(0, BLOCK)
    kept = tl.load(mask_ptr + mask_row * K + cols, mask=cols < K, other=0) != 0
    x = tl.load(scores_ptr + row * K + cols, mask=kept, other=float("-inf")).to(tl.float32) * scale
    top = tl.max(x, axis=0)
    e = tl.where(kept, tl.exp(x - tl.where(top == float("-inf"), 0.0, top)), 0.0)
    total = tl.sum(e, axis=0)
    y = e / tl.where(total == 0.0, 1.0, total)
    tl.store(y_ptr + row * K + cols, y.to(y_ptr.dtype.element_ty), mask=cols < K)


def masked_softmax(scores, mask, scale):
    """Softmax over the last dimension of contiguous [B, H, Q, K] scores, under a [B, Q, K] mask."""
    B, H, Q, K = scores.shape
    y = torch.empty_like(scores)
    BLOCK = triton.next_power_of_2(K)
    _masked_softmax[(B * H * Q,)](scores, mask, y, scale, H, Q, K, BLOCK, num_warps=min(max(BLOCK // 512, 4), 16))
    return y
