"""64-bit offsets, strides of a view into a wider tensor, programs that return at once."""

import triton
import triton.language as tl


@triton.jit
def _write(k_ptr, cache_ptr, slot_ptr, stride_kt, stride_kh, stride_cs, stride_ch, D: tl.constexpr, BD: tl.constexpr):
    t, h = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    slot = tl.load(slot_ptr + t)
    if slot < 0:
        return
    d = tl.arange(0, BD)
    k = tl.load(k_ptr + t * stride_kt + h * stride_kh + d, mask=d < D)
    tl.store(cache_ptr + slot * stride_cs + h * stride_ch + d, k, mask=d < D)


def cache_write(k, cache, slot):
    tokens, heads, dim = k.shape
    block = triton.next_power_of_2(dim)
    _write[(tokens, heads)](k, cache, slot, *k.stride()[:2], *cache.stride()[:2], D=dim, BD=block, num_warps=1)
