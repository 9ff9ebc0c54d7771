"""Matrix product C = A @ B of two row-major matrices in half precision.

Products are to be accumulated in fp32 and rounded once, at the end. No size need be a multiple of a tile.
"""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 16384), "N": Axis(1, 16384), "K": Axis(1, 16384)},
    dtypes={"T": ("fp16", "bf16")},
    inputs={"a": Tensor("M, K", "T"), "b": Tensor("K, N", "T")},
    outputs=Tensor("M, N", "T"),
    cases=[
        {"M": 1, "N": 37, "K": 65},
        {"M": 67, "N": 64, "K": 31},
        {"M": 129, "N": 131, "K": 160},
        {"M": 520, "N": 70, "K": 16},
        {"M": 3, "N": 17, "K": 4096},
    ],
    bench=[{"M": 4096, "N": 4096, "K": 4096}, {"M": 64, "N": 8192, "K": 8192}],
)


def reference(a, b):
    return a @ b
