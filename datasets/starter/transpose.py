"""Transposed copy of each matrix of a batch whose rows may lie apart: y[b, n, m] = x[b, m, n], y contiguous.

Rows of x are x.stride(1) elements apart, their length or more; what lies between them is no part of x.
"""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"B": Axis(1, 65536), "M": Axis(2, 16384), "N": Axis(2, 16384), "PAD": Axis(0, 64)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"x": Tensor("B, M, N", "T", strides="M * (N + PAD), N + PAD, 1")},
    outputs=Tensor("B, N, M", "T"),
    cases=[
        {"B": 1, "M": 2, "N": 3, "PAD": 1},
        {"B": 3, "M": 33, "N": 31, "PAD": 5},
        {"B": 1, "M": 65, "N": 97, "PAD": 0},
    ],
    bench=[{"B": 16, "M": 4096, "N": 2048, "PAD": 64}],
    tolerance=0,
)


def reference(x):
    return x.mT.contiguous()
