"""Each row sorted, descending, and how often each of eight values occurs in all of x."""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 16), "N": Axis(choices=(8, 32))},
    inputs={"x": Tensor("M, N", "int32", fill="integers(0, 8)")},
    outputs=(Tensor("M, N", "int32"), Tensor("8", "int32")),
    cases=[{"M": 3, "N": 32}],
    oracle="exact",
)


def reference(x):
    return x.sort(-1, descending=True).values, torch.bincount(x.flatten(), minlength=8).int()
