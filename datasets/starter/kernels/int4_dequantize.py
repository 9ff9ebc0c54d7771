"""One program a row and block of columns; neighbouring lanes read the same byte and take their own half of it."""

import torch
import triton
import triton.language as tl


@triton.jit
def _int4_dequantize(packed_ptr, scale_ptr, y_ptr, K, G, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = cols < K
    byte = tl.load(packed_ptr + row * (K // 2) + cols // 2, mask=inside, other=0).to(tl.int32)
    value = ((byte >> (cols % 2 * 4)) & 15) - 8
    scale = tl.load(scale_ptr + row * (K // G) + cols // G, mask=inside, other=0.0).to(tl.float32)
    tl.store(y_ptr + row * K + cols, (value * scale).to(y_ptr.dtype.element_ty), mask=inside)


def int4_dequantize(packed, scale):
    """Values of contiguous packed weights, in the type of their contiguous scales."""
    N, K = packed.shape[0], packed.shape[1] * 2
    y = torch.empty((N, K), dtype=scale.dtype, device=packed.device)
    BLOCK = min(triton.next_power_of_2(K), 1024)
    grid = (N, triton.cdiv(K, BLOCK))
    _int4_dequantize[grid](packed, scale, y, K, K // scale.shape[1], BLOCK, num_warps=4)
    return y
