"""Scattered addition, in place: out[index[n]] += x[n] for every n.

Rows may be named several times or never. Sums are to be taken in fp32 and rounded once, and must come out the same on
every run: no floating-point atomics, whose order is not fixed. Returns nothing: out itself is changed.
"""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"V": Axis(1, 65536), "N": Axis(1, 65536), "D": Axis(1, 8192)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={
        "out": Tensor("V, D", "T"),
        "index": Tensor("N", "int64", fill="integers(0, V)"),
        "x": Tensor("N, D", "T"),
    },
    changes="out",
    cases=[{"V": 1, "N": 5, "D": 3}, {"V": 11, "N": 67, "D": 33}, {"V": 7, "N": 130, "D": 129}],
    bench=[{"V": 1024, "N": 8192, "D": 1024}],
)


def reference(out, index, x):
    out.index_add_(0, index, x)
