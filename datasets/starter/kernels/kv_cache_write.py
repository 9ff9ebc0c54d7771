"""One program a token and block of its heads' values."""

import triton
import triton.language as tl


@triton.jit
def _kv_cache_write(key_ptr, value_ptr, k_cache_ptr, v_cache_ptr, slots_ptr, width, BLOCK: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    slot = tl.load(slots_ptr + token)
    inside = (cols < width) & (slot >= 0)
    key = tl.load(key_ptr + token * width + cols, mask=inside, other=0.0)
    value = tl.load(value_ptr + token * width + cols, mask=inside, other=0.0)
    tl.store(k_cache_ptr + slot * width + cols, key, mask=inside)
    tl.store(v_cache_ptr + slot * width + cols, value, mask=inside)


def kv_cache_write(key, value, k_cache, v_cache, slots):
    """Stores each token in its slot of the caches; all tensors are contiguous."""
    S, H, D = key.shape
    BLOCK = min(triton.next_power_of_2(H * D), 1024)
    grid = (S, triton.cdiv(H * D, BLOCK))
    _kv_cache_write[grid](key, value, k_cache, v_cache, slots, H * D, BLOCK, num_warps=4)
