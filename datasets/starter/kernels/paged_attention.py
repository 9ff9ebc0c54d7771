"""One program a sequence and up to 16 query heads that share a key head; it walks over the sequence's blocks."""

import torch
import triton
import triton.language as tl


@triton.jit
def _paged_attention(
    q_ptr, k_ptr, v_ptr, table_ptr, lengths_ptr, o_ptr, scale, H, KV, W,
    BS: tl.constexpr, D: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    sequence = tl.program_id(0).to(tl.int64)
    kv_head = tl.program_id(1)
    share = H // KV
    heads = tl.program_id(2) * GROUP + tl.arange(0, GROUP)
    lanes = tl.arange(0, D)
    tokens = tl.arange(0, BS)
    length = tl.load(lengths_ptr + sequence)
    o_tile = (sequence * H + kv_head * share + heads[:, None]) * D + lanes[None, :]
    q = tl.load(q_ptr + o_tile, mask=(heads < share)[:, None], other=0.0)

    top = tl.full((GROUP,), float("-inf"), tl.float32)
    total = tl.zeros((GROUP,), tl.float32)
    acc = tl.zeros((GROUP, D), tl.float32)
    for start in range(0, length, BS):
        block = tl.load(table_ptr + sequence * W + start // BS).to(tl.int64)
        row = ((block * BS + tokens) * KV + kv_head) * D
        inside = start + tokens < length
        k = tl.load(k_ptr + row[None, :] + lanes[:, None], mask=inside[None, :], other=0.0)
        v = tl.load(v_ptr + row[:, None] + lanes[None, :], mask=inside[:, None], other=0.0)
        scores = tl.where(inside[None, :], tl.dot(q, k) * scale, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, axis=1))
        weights = tl.exp(scores - higher[:, None])
        fade = tl.exp(top - higher)
        total = total * fade + tl.sum(weights, axis=1)
        acc = tl.dot(weights.to(v.dtype), v, acc * fade[:, None])
        top = higher
    tl.store(o_ptr + o_tile, (acc / total[:, None]).to(o_ptr.dtype.element_ty), mask=(heads < share)[:, None])


def paged_attention(q, k_cache, v_cache, table, lengths, scale):
    """Attention of one query a sequence over its blocks of the caches; all tensors are contiguous."""
    B, H, D = q.shape
    BS, KV = k_cache.shape[1:3]
    o = torch.empty_like(q)
    GROUP = 16
    grid = (B, KV, triton.cdiv(H // KV, GROUP))
    _paged_attention[grid](
        q, k_cache, v_cache, table, lengths, o, scale, H, KV, table.shape[1], BS, D, GROUP, num_warps=4
    )
    return o
