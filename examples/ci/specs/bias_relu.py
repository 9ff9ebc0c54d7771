"""Bias and ReLU: y[m, n] = max(x[m, n] + bias[n], 0).

Rows are contiguous. The bias may be missing, and is then None.
"""

import torch

from geak_evaluator import Axis, Case, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(1, 16384)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"x": Tensor("M, N", "T"), "bias": Tensor("N", "T", optional=True)},
    outputs=Tensor("M, N", "T"),
    cases=[
        {"M": 1, "N": 1},
        {"M": 7, "N": 33},
        Case({"M": 7, "N": 33}, without=("bias",)),
        {"M": 3, "N": 2049},
    ],
    bench=[{"M": 8192, "N": 4096, "T": "bf16"}],
)


def reference(x, bias):
    return torch.relu(x if bias is None else x + bias)
