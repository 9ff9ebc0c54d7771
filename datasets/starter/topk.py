"""The K largest values of each row, in descending order, and their indices; of equal values, the leftmost comes first.

Rows hold many equal values. There are no NaNs and no infinities.
"""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(2, 16384)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"x": Tensor("M, N", "T", fill="integers(-999, 1000)"), "K": Scalar("int", choices=(1, 2, 8, 32))},
    outputs=(Tensor("M, K", "T"), Tensor("M, K", "int64")),
    where=("K <= N",),
    oracle="exact",
    ties="first",
    cases=[
        {"M": 13, "N": 3, "K": 2},
        {"M": 17, "N": 64, "K": 8},
        {"M": 3, "N": 257, "K": 32},
        {"M": 9, "N": 67, "K": 1},
    ],
    bench=[{"M": 16384, "N": 256, "K": 8}, {"M": 1024, "N": 16384, "K": 32}],
)


def reference(x, K):
    values, indices = torch.sort(x, dim=-1, descending=True, stable=True)
    return values[:, :K], indices[:, :K]
