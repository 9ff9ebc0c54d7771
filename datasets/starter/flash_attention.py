"""Attention forward, softmax(scale * q @ k.T) @ v, without ever storing the scores; grouped heads, causal or not.

q is [B, H, S, D]; k and v are [B, KV, L, D], and query head h uses key head h // (H // KV). With causal, the last query
sees all L keys and each one before it one key fewer: query s sees the keys up to s + L - S. Accumulate in fp32.
"""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"B": Axis(1, 64), "H": Axis(1, 128), "KV": Axis(1, 128), "D": Axis(choices=(64, 128))}
    | {"S": Axis(1, 16384), "L": Axis(1, 16384)},
    dtypes={"T": ("fp16", "bf16")},
    inputs={
        "q": Tensor("B, H, S, D", "T", fill="normal(0, 3)"),
        "k": Tensor("B, KV, L, D", "T"),
        "v": Tensor("B, KV, L, D", "T"),
        "scale": Scalar("float", "D ** -0.5"),
        "causal": Scalar("bool", choices=(False, True)),
    },
    outputs=Tensor("B, H, S, D", "T"),
    where=("H % KV == 0", "L >= S"),
    tolerance=6,
    cases=[
        {"B": 1, "H": 1, "KV": 1, "S": 1, "L": 77, "D": 64},
        {"B": 2, "H": 4, "KV": 2, "S": 33, "L": 33, "D": 64},
        {"B": 1, "H": 2, "KV": 1, "S": 65, "L": 130, "D": 128},
    ],
    bench=[{"B": 2, "H": 32, "KV": 8, "S": 4096, "L": 4096, "D": 128, "causal": True}],
)


def reference(q, k, v, scale, causal):
    k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], dim=1) for t in (k, v))
    scores = q @ k.mT * scale
    if causal:
        scores = scores + torch.full_like(scores, -torch.inf).triu(1 + k.shape[2] - q.shape[2])
    return torch.softmax(scores, dim=-1) @ v
