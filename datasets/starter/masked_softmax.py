"""Softmax over the keys that a boolean mask lets through; the mask is shared by the heads.

y[b, h, q] is the softmax over k of scale * scores[b, h, q, k] where mask[b, q, k], and 0 elsewhere. A row whose mask
lets nothing through is 0 throughout.
"""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"B": Axis(1, 256), "H": Axis(1, 128), "Q": Axis(1, 8192), "K": Axis(2, 8192)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={
        "scores": Tensor("B, H, Q, K", "T", fill="normal(-1600, 8)"),
        "mask": Tensor("B, Q, K", "bool", fill="mask(0.6)"),
        "scale": Scalar("float", 0.125),
    },
    outputs=Tensor("B, H, Q, K", "T"),
    cases=[
        {"B": 1, "H": 1, "Q": 1, "K": 33},
        {"B": 2, "H": 3, "Q": 9, "K": 2},
        {"B": 2, "H": 2, "Q": 7, "K": 257},
    ],
    bench=[{"B": 1, "H": 32, "Q": 2048, "K": 2048}],
)


def reference(scores, mask, scale):
    kept = (scores * scale).masked_fill(~mask[:, None], float("-inf"))
    return torch.softmax(kept, dim=-1).nan_to_num(0.0)
