"""Decoding attention over a paged cache: one query a sequence and head, keys and values in blocks of BS tokens.

Token t of sequence b lies at t % BS in block table[b, t // BS] of the caches. A sequence has lengths[b] >= 1 tokens;
table entries past them mean nothing. Query head h uses key head h // (H // KV). Accumulate in fp32.
"""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"B": Axis(1, 1024), "H": Axis(1, 128), "KV": Axis(1, 128), "D": Axis(choices=(64, 128))}
    | {"BS": Axis(choices=(16, 32)), "W": Axis(1, 4096), "P": Axis(1, 1048576)},
    dtypes={"T": ("fp16", "bf16")},
    inputs={
        "q": Tensor("B, H, D", "T", fill="normal(0, 3)"),
        "k_cache": Tensor("P, BS, KV, D", "T"),
        "v_cache": Tensor("P, BS, KV, D", "T"),
        "table": Tensor("B, W", "int32", fill="permutation(P)"),
        "lengths": Tensor("B", "int32", fill="integers(1, W * BS + 1)"),
        "scale": Scalar("float", "D ** -0.5"),
    },
    outputs=Tensor("B, H, D", "T"),
    where=("H % KV == 0", "P >= W"),
    cases=[
        {"B": 1, "H": 3, "KV": 1, "D": 64, "BS": 16, "W": 2, "P": 5},
        {"B": 5, "H": 4, "KV": 2, "D": 128, "BS": 32, "W": 3, "P": 17},
        {"B": 3, "H": 34, "KV": 2, "D": 64, "BS": 16, "W": 9, "P": 40},
    ],
    bench=[{"B": 64, "H": 32, "KV": 8, "D": 128, "BS": 16, "W": 256, "P": 16384}],
)


def reference(q, k_cache, v_cache, table, lengths, scale):
    k, v = (c[table].flatten(1, 2).repeat_interleave(q.shape[1] // c.shape[2], dim=2) for c in (k_cache, v_cache))
    past = torch.arange(k.shape[1], device=q.device) >= lengths[:, None]
    scores = (torch.einsum("bhd,bthd->bht", q, k) * scale).masked_fill(past[:, None], float("-inf"))
    return torch.einsum("bht,bthd->bhd", torch.softmax(scores, dim=-1), v)
