"""Rotary embedding: the halves of x rotated by angles; the kernel fills what it is given, and nothing is returned."""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"T": Axis(1, 64), "H": Axis(1, 4), "D": Axis(choices=(8, 16))},
    dtypes={"F": ("fp16",)},
    inputs={"x": Tensor("T, H, D", "F"), "angle": Tensor("T, D // 2")},
    outputs={"out": Tensor("T, H, D", "F")},
    contract="destination",
    cases=[{"T": 5, "H": 3, "D": 8}],
)


def reference(x, angle):
    left, right = x.chunk(2, -1)
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    return {"out": torch.cat([left * cos - right * sin, right * cos + left * sin], -1)}
