"""Mean squared error, one number: the mean over all elements of (x - target)**2, in fp32.

The sum is to be the same on every run, so no floating-point atomics. Its result is a tensor without dimensions.
"""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(1, 16384)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"x": Tensor("M, N", "T"), "target": Tensor("M, N", "T", fill="normal(0.5, 2)")},
    outputs=Tensor("", "fp32"),
    cases=[{"M": 1, "N": 3}, {"M": 37, "N": 41}, {"M": 24, "N": 2048}],
    bench=[{"M": 8192, "N": 4096}],
)


def reference(x, target):
    return ((x - target) ** 2).mean()
