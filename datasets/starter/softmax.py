"""Softmax over the last dimension of a matrix.

Each row is x -> exp(x - max) / sum(exp(x - max)). A row may be longer than any block that fits in registers,
and every exp is 0 unless the maximum is taken off first.
"""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(1, 65536)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"x": Tensor("M, N", "T", fill="normal(-120, 4)")},
    outputs=Tensor("M, N", "T"),
    cases=[{"M": 1, "N": 129}, {"M": 7, "N": 17}, {"M": 3, "N": 1024}, {"M": 5, "N": 4099}],
    bench=[{"M": 8192, "N": 4096}, {"M": 1024, "N": 32768}],
)


def reference(x):
    return torch.softmax(x, dim=-1)
