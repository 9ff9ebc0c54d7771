"""Index of the largest value of each row; of equal values, the first.

Rows hold many equal values. There are no NaNs.
"""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(2, 262144)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"x": Tensor("M, N", "T", fill="integers(-2 * N, 2 * N)")},
    outputs=Tensor("M", "int64"),
    oracle="exact",
    ties="first",
    cases=[{"M": 29, "N": 3}, {"M": 7, "N": 257}, {"M": 5, "N": 2048}, {"M": 6, "N": 4999}],
    bench=[{"M": 4096, "N": 32000}],
)


def reference(x):
    return x.argmax(-1)
