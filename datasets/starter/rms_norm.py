"""RMS normalisation of each row, scaled by a weight: y = x / sqrt(mean(x * x) + eps) * weight.

The mean goes over the last dimension and is to be accumulated in fp32 whatever the input's type.
"""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(1, 16384)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={
        "x": Tensor("M, N", "T", fill="normal(0.5, 3)"),
        "weight": Tensor("N", "T", fill="normal(1, 0.5)"),
        "eps": Scalar("float", choices=(1e-6, 0.5)),
    },
    outputs=Tensor("M, N", "T"),
    cases=[
        {"M": 1, "N": 31, "eps": 1e-6},
        {"M": 13, "N": 64},
        {"M": 4, "N": 1025, "eps": 0.5},
        {"M": 3, "N": 5120, "eps": 1e-6},
    ],
    bench=[{"M": 4096, "N": 4096, "eps": 1e-6}, {"M": 32, "N": 8192, "eps": 1e-6}],
)


def reference(x, weight, eps):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * weight
