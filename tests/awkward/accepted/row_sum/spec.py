"""Sum of each row: y[m] is the sum of x[m, n] over n, in fp32; rows may be empty, and there may be none."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(0, 512), "N": Axis(0, 4096)},
    dtypes={"T": ("bf16",)},
    inputs={"x": Tensor("M, N", "T")},
    outputs=Tensor("M", "fp32"),
    cases=[{"M": 0, "N": 5}, {"M": 3, "N": 0}, {"M": 3, "N": 1030}],
)


def reference(x):
    return x.float().sum(-1)
