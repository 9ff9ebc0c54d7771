"""Running sum along the last dimension: y[m, n] = x[m, 0] + ... + x[m, n], taken and returned in fp32."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(1, 262144)},
    dtypes={"T": ("fp32", "bf16", "fp16")},
    inputs={"x": Tensor("M, N", "T")},
    outputs=Tensor("M, N", "fp32"),
    cases=[{"M": 2, "N": 3}, {"M": 9, "N": 127}, {"M": 3, "N": 1024}, {"M": 4, "N": 2053}],
    bench=[{"M": 4096, "N": 4096}, {"M": 64, "N": 131072}],
)


def reference(x):
    return x.cumsum(-1)
