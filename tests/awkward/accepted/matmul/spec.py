"""Matrix product: out[m, n] = sum over k of a[m, k] * b[k, n]; b is given transposed, K is a multiple of 32."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 512), "N": Axis(1, 512), "K": Axis(32, 512, multiple_of=32)},
    dtypes={"T": ("bf16", "fp16")},
    inputs={"a": Tensor("M, K", "T"), "b": Tensor("K, N", "T", strides="1, K")},
    outputs=Tensor("M, N", "T"),
    cases=[{"M": 5, "N": 17, "K": 64, "T": "fp16"}, {"M": 33, "N": 40, "K": 96, "T": "bf16"}],
)


def reference(a, b):
    return a @ b
