# mypy: ignore-errors
"""Attention in one pass over the keys: the scores are never stored."""

import torch
import triton
import triton.language as tl


@triton.jit
def _attention_kernel(
    q_ptr, k_ptr, v_ptr, mask_ptr, o_ptr, scale, heads, group, S, L, D, DV,
    q_batch, q_head, q_row, q_lane, k_batch, k_head, k_row, k_lane, v_batch, v_head, v_row, v_lane,
    m_batch, m_head, m_row, m_lane, o_batch, o_head, o_row, o_lane,
    CAUSAL: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, BDV: tl.constexpr,
):  # fmt: skip
    """One program a block of queries of one head; it walks over the keys with a running maximum, sum and result."""
    tiles = tl.cdiv(S, BM)
    batch = (tl.program_id(0) // tiles // heads).to(tl.int64)
    head = (tl.program_id(0) // tiles % heads).to(tl.int64)
    start = tl.program_id(0) % tiles * BM
    rows = (start + tl.arange(0, BM)).to(tl.int64)
    lanes = tl.arange(0, BD)
    outer = tl.arange(0, BDV)
    q_ptr += batch * q_batch + head * q_head
    k_ptr += batch * k_batch + head // group * k_head
    v_ptr += batch * v_batch + head // group * v_head
    q_tile = q_ptr + rows[:, None] * q_row + lanes[None, :] * q_lane
    q = tl.load(q_tile, mask=(rows < S)[:, None] & (lanes < D)[None, :], other=0.0)

    top = tl.full((BM,), float("-inf"), tl.float32)
    total = tl.zeros((BM,), tl.float32)
    acc = tl.zeros((BM, BDV), tl.float32)
    end = L
    if CAUSAL:
        end = min(L, start + BM)
    for first in range(0, end, BN):
        keys = (first + tl.arange(0, BN)).to(tl.int64)
        k_tile = k_ptr + keys[None, :] * k_row + lanes[:, None] * k_lane
        v_tile = v_ptr + keys[:, None] * v_row + outer[None, :] * v_lane
        k = tl.load(k_tile, mask=(keys < L)[None, :] & (lanes < D)[:, None], other=0.0)
        v = tl.load(v_tile, mask=(keys < L)[:, None] & (outer < DV)[None, :], other=0.0)
        scores = tl.dot(q, k, input_precision="ieee") * scale
        seen = (rows < S)[:, None] & (keys < L)[None, :]
        if mask_ptr is not None:
            at = mask_ptr + batch * m_batch + head * m_head + rows[:, None] * m_row + keys[None, :] * m_lane
            mask = tl.load(at, mask=seen, other=0)
            if mask_ptr.dtype.element_ty.is_floating():
                scores += mask.to(tl.float32)
            else:
                seen = seen & (mask != 0)
        if CAUSAL:
            seen = seen & (keys[None, :] <= rows[:, None])
        scores = tl.where(seen, scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, axis=1))
        # A row that has seen no key yet has no maximum: nothing is to be added, and nothing is to become NaN.
        base = tl.where(higher == float("-inf"), 0.0, higher)
        weights = tl.exp(scores - base[:, None])
        fade = tl.exp(top - base)
        total = total * fade + tl.sum(weights, axis=1)
        acc = tl.dot(weights.to(v.dtype), v, acc * fade[:, None], input_precision="ieee")
        top = higher
    out = acc / tl.where(total == 0.0, 1.0, total)[:, None]
    o_tile = o_ptr + batch * o_batch + head * o_head + rows[:, None] * o_row + outer[None, :] * o_lane
    tl.store(o_tile, out.to(o_ptr.dtype.element_ty), mask=(rows < S)[:, None] & (outer < DV)[None, :])


def _attention(q, k, v, mask, causal, scale):
    """softmax(scale * q @ k.mT + mask) @ v for up to two leading dimensions; the scores are never stored."""
    S, D = q.shape[-2:]
    L, DV = v.shape[-2:]
    out = torch.empty((*q.shape[:-1], DV), dtype=q.dtype, device=q.device)
    whole = out
    scale = D**-0.5 if scale is None else scale
    while q.dim() < 4:
        q, k, v, out = (t.unsqueeze(0) for t in (q, k, v, out))
    B, H = q.shape[:2]
    k, v = k.expand(B, -1, -1, -1), v.expand(B, -1, -1, -1)
    strides = (0, 0, 0, 0)
    if mask is not None:
        mask = mask.expand(B, H, S, L)
        strides = mask.stride()
    BD, BDV = max(16, triton.next_power_of_2(D)), max(16, triton.next_power_of_2(DV))
    BM = BN = 64 if max(BD, BDV) * q.element_size() <= 256 else 32 if max(BD, BDV) * q.element_size() <= 512 else 16
    _attention_kernel[(B * H * triton.cdiv(S, BM),)](
        q, k, v, mask, out, scale, H, H // k.shape[1], S, L, D, DV, *q.stride(), *k.stride(), *v.stride(), *strides,
        *out.stride(), CAUSAL=causal, BM=BM, BN=BN, BD=BD, BDV=BDV, num_warps=4, num_stages=1,
    )  # fmt: skip
    return whole
