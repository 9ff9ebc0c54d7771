"""One program a block of queries of one head; it walks over the keys with a running maximum, sum and result."""

import torch
import triton
import triton.language as tl


@triton.jit
def _flash_attention(
    q_ptr, k_ptr, v_ptr, o_ptr, scale, H, KV, S, L,
    CAUSAL: tl.constexpr, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr,
):  # fmt: skip
    batch = tl.program_id(0) // H
    head = tl.program_id(0) % H
    start_m = tl.program_id(1) * BM
    rows = start_m + tl.arange(0, BM)
    lanes = tl.arange(0, D)
    q_tile = (batch * H + head).to(tl.int64) * S * D + rows[:, None] * D + lanes[None, :]
    kv = (batch * KV + head // (H // KV)).to(tl.int64) * L * D
    q = tl.load(q_ptr + q_tile, mask=(rows < S)[:, None], other=0.0)

    top = tl.full((BM,), float("-inf"), tl.float32)
    total = tl.zeros((BM,), tl.float32)
    acc = tl.zeros((BM, D), tl.float32)
    end = L
    if CAUSAL:
        end = min(L, start_m + BM + L - S)
    for start in range(0, end, BN):
        keys = start + tl.arange(0, BN)
        k = tl.load(k_ptr + kv + keys[None, :] * D + lanes[:, None], mask=(keys < L)[None, :], other=0.0)
        v = tl.load(v_ptr + kv + keys[:, None] * D + lanes[None, :], mask=(keys < L)[:, None], other=0.0)
        seen = (keys < L)[None, :]
        if CAUSAL:
            seen = seen & (keys[None, :] <= rows[:, None] + L - S)
        scores = tl.where(seen, tl.dot(q, k) * scale, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, axis=1))  # the first block has a key for every query: it is finite
        weights = tl.exp(scores - higher[:, None])
        fade = tl.exp(top - higher)
        total = total * fade + tl.sum(weights, axis=1)
        acc = tl.dot(weights.to(v.dtype), v, acc * fade[:, None])
        top = higher
    tl.store(o_ptr + q_tile, (acc / total[:, None]).to(o_ptr.dtype.element_ty), mask=(rows < S)[:, None])


def flash_attention(q, k, v, scale, causal):
    """Attention of contiguous [B, H, S, D] queries over [B, KV, L, D] keys and values."""
    B, H, S, D = q.shape
    KV, L = k.shape[1:3]
    o = torch.empty_like(q)
    BM, BN = 64, 32
    grid = (B * H, triton.cdiv(S, BM))
    _flash_attention[grid](q, k, v, o, scale, H, KV, S, L, causal, D, BM, BN, num_warps=4)
    return o
