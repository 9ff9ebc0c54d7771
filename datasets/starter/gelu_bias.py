"""Bias and GELU: y = gelu(x + bias), the exact GELU z / 2 * (1 + erf(z / sqrt(2))).

The bias is one value a column. Compute in fp32 and round once.
"""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(1, 32768)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"x": Tensor("M, N", "T", fill="normal(0, 2)"), "bias": Tensor("N", "T")},
    outputs=Tensor("M, N", "T"),
    cases=[{"M": 1, "N": 3}, {"M": 37, "N": 61}, {"M": 5, "N": 1025}],
    bench=[{"M": 8192, "N": 11008}],
)


def reference(x, bias):
    return torch.nn.functional.gelu(x + bias)
