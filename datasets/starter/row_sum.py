"""Sum of each row of a matrix whose rows may lie apart.

x.stride(0) is the row length or more, and what lies between the rows is no part of the matrix. The sum is taken, and
returned, in fp32.
"""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(2, 262144), "PAD": Axis(0, 64)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"x": Tensor("M, N", "T", strides="N + PAD, 1")},
    outputs=Tensor("M", "fp32"),
    cases=[{"M": 4, "N": 3, "PAD": 2}, {"M": 31, "N": 67, "PAD": 0}, {"M": 6, "N": 4099, "PAD": 13}],
    bench=[{"M": 8192, "N": 8192, "PAD": 64}, {"M": 64, "N": 262144, "PAD": 0}],
)


def reference(x):
    return x.sum(-1)
