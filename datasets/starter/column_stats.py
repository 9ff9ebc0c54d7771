"""Mean and (biased) variance of each column of a row-major matrix, both in fp32.

mean[n] = sum over m of x[m, n] / M and var[n] = sum over m of (x[m, n] - mean[n])**2 / M, returned as a pair. Columns
sit away from zero.
"""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(2, 65536), "N": Axis(1, 65536)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"x": Tensor("M, N", "T", fill="normal(3, 2)")},
    outputs=(Tensor("N", "fp32"), Tensor("N", "fp32")),
    cases=[{"M": 2, "N": 9}, {"M": 67, "N": 131}, {"M": 513, "N": 40}],
    bench=[{"M": 16384, "N": 4096}],
)


def reference(x):
    mean = x.mean(0)
    return mean, ((x - mean) ** 2).mean(0)
