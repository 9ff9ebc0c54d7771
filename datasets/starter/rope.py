"""Rotary position embedding, in place: each head's two halves are rotated by the angle of its position.

x is [tokens, heads, D]; with (a, b) the halves of the last dimension, (a, b) becomes (a * cos - b * sin, b * cos + a *
sin), where cos and sin are the row positions[token] of two tables. Returns nothing: x itself is changed.
"""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"S": Axis(1, 65536), "H": Axis(1, 128), "D": Axis(choices=(32, 64, 96, 128)), "P": Axis(1, 131072)},
    dtypes={"T": ("fp16", "bf16")},
    inputs={
        "x": Tensor("S, H, D", "T"),
        "cos": Tensor("P, D // 2", "fp32", fill="uniform(-1, 1)"),
        "sin": Tensor("P, D // 2", "fp32", fill="uniform(-1, 1)"),
        "positions": Tensor("S", "int64", fill="integers(0, P)"),
    },
    changes="x",
    cases=[
        {"S": 1, "H": 3, "D": 32, "P": 5},
        {"S": 19, "H": 2, "D": 96, "P": 64},
        {"S": 8, "H": 37, "D": 128, "P": 11},
    ],
    bench=[{"S": 8192, "H": 32, "D": 128, "P": 8192}, {"S": 64, "H": 8, "D": 128, "P": 32768}],
)


def reference(x, cos, sin, positions):
    cos, sin = cos[positions, None, :], sin[positions, None, :]
    a, b = x.chunk(2, dim=-1)
    x.copy_(torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1))
