"""Moved as 16-bit integers; the heads of a token in one row."""

import torch
import triton
import triton.language as tl


@triton.jit
def _write(k_ptr, cache_ptr, slot_ptr, stride, width, BLOCK: tl.constexpr):
    t = tl.program_id(0)
    slot = tl.load(slot_ptr + t)
    at = tl.arange(0, BLOCK)
    mask = (at < width) & (slot >= 0)
    tl.store(cache_ptr + slot * width + at, tl.load(k_ptr + t * stride + at, mask=mask), mask=mask)


def cache_write(k, cache, slot):
    rows, table = k.flatten(1).view(torch.int16), cache.view(torch.int16)
    width = rows.shape[1]
    _write[(rows.shape[0],)](rows, table, slot, rows.stride(0), width, BLOCK=triton.next_power_of_2(width))
