"""Differentiable log-softmax over the last dimension: y = x - max - log(sum(exp(x - max))).

The entry is called with an x that asks for its gradient, and must be differentiable with respect to it: with dy the
gradient of y, dx = dy - exp(y) * sum(dy). dy comes in the type of x and may have any strides.
"""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(2, 16384)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"x": Tensor("M, N", "T", fill="normal(-120, 2)")},
    outputs=Tensor("M, N", "T"),
    contract="gradient",
    wrt="x",
    cases=[{"M": 1, "N": 131}, {"M": 7, "N": 3}, {"M": 5, "N": 1025}],
    bench=[{"M": 4096, "N": 8192}],
)


def reference(x):
    return torch.log_softmax(x, dim=-1)
