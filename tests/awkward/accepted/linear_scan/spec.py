"""Gated running sum of each row: h[0] = x[0], h[t] = a[t] * h[t - 1] + x[t]."""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 64), "N": Axis(1, 512)},
    inputs={"a": Tensor("M, N", fill="uniform"), "x": Tensor("M, N")},
    outputs=Tensor("M, N"),
    cases=[{"M": 2, "N": 1}, {"M": 3, "N": 70}],
)


def reference(a, x):
    h = [x[:, 0]]
    for t in range(1, x.shape[1]):
        h.append(a[:, t] * h[-1] + x[:, t])
    return torch.stack(h, 1)
