"""Product of fp8 matrices in blocks of 32 that share a scale, a power of two kept as its exponent in a byte."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(choices=(16, 32)), "N": Axis(choices=(16, 32)), "K": Axis(choices=(64, 128))},
    inputs={
        "a": Tensor("M, K", "fp8_e5m2", fill="normal"),
        "a_scale": Tensor("M, K // 32", "uint8", fill="integers(125, 130)"),
        "b": Tensor("K, N", "fp8_e5m2", fill="normal"),
        "b_scale": Tensor("N, K // 32", "uint8", fill="integers(125, 130)"),
    },
    outputs=Tensor("M, N", "fp32"),
    cases=[{"M": 16, "N": 32, "K": 64}],
)


def reference(a, a_scale, b, b_scale):
    a = a * (2 ** (a_scale.float() - 127)).repeat_interleave(32, 1)
    b = b * (2 ** (b_scale.float() - 127)).repeat_interleave(32, 1).T
    return a @ b
