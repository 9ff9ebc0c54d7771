"""Broadcast addition and clamp, into a given tensor: out = clamp(a + b, low, high).

a is [B, 1, N] and b is [1, M, N]; out, passed in by name and to be filled, is [B, M, N]. The sum is taken in fp32.
"""

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"B": Axis(1, 65536), "M": Axis(1, 4096), "N": Axis(1, 32768)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={
        "a": Tensor("B, 1, N", "T"),
        "b": Tensor("1, M, N", "T"),
        "low": Scalar("float", -1.25),
        "high": Scalar("float", 1.75),
    },
    outputs={"out": Tensor("B, M, N", "T")},
    contract="destination",
    cases=[{"B": 1, "M": 7, "N": 5}, {"B": 5, "M": 3, "N": 257}, {"B": 2, "M": 5, "N": 1031}],
    bench=[{"B": 256, "M": 64, "N": 4096}],
)


def reference(a, b, low, high):
    return {"out": (a + b).clamp(low, high)}
