"""Differentiable RMS normalisation, y = x / sqrt(mean(x * x) + eps) * weight, for x and for weight.

With r = 1 / sqrt(mean(x * x) + eps) and g = dy * weight: dx = r * g - x * r**3 * mean(g * x), and dweight is the sum
over rows of dy * x * r. Means and sums are to be taken in fp32. dy comes in the type of x and may have any strides.
"""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(2, 8192)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={
        "x": Tensor("M, N", "T", fill="normal(0.5, 2)"),
        "weight": Tensor("N", "T", fill="normal(1, 0.5)"),
        "eps": Scalar("float", choices=(1e-6, 0.5)),
    },
    outputs=Tensor("M, N", "T"),
    contract="gradient",
    wrt=("x", "weight"),
    cases=[{"M": 1, "N": 33, "eps": 1e-6}, {"M": 300, "N": 24, "eps": 0.5}, {"M": 6, "N": 1025, "eps": 1e-6}],
    bench=[{"M": 4096, "N": 4096, "eps": 1e-6}],
)


def reference(x, weight, eps):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * weight
