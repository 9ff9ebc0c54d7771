"""Residual addition and RMS normalisation in one pass: residual += x in place, y = rms_norm(residual) * weight.

rms_norm(r) = r / sqrt(mean(r * r) + eps) over the last dimension, in fp32, of the sum before or after it is rounded to
the type of the residual. Returns y; residual itself is changed.
"""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(2, 16384)},
    dtypes={"T": ("bf16", "fp16")},
    inputs={
        "x": Tensor("M, N", "T"),
        "residual": Tensor("M, N", "T", fill="normal(0, 3)"),
        "weight": Tensor("N", "T", fill="normal(1, 0.5)"),
        "eps": Scalar("float", choices=(1e-6, 0.5)),
    },
    outputs=Tensor("M, N", "T"),
    changes="residual",
    cases=[{"M": 1, "N": 33, "eps": 1e-6}, {"M": 11, "N": 64, "eps": 0.5}, {"M": 3, "N": 2049, "eps": 1e-6}],
    bench=[{"M": 4096, "N": 8192, "eps": 1e-6}, {"M": 32, "N": 8192, "eps": 1e-6}],
)


def reference(x, residual, weight, eps):
    residual += x
    return residual * torch.rsqrt((residual * residual).mean(-1, keepdim=True) + eps) * weight
