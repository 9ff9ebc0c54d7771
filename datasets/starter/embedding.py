"""Embedding lookup: out[m] = table[tokens[m]], copied without change.

tokens are valid rows of the table; the table may have more than 2**31 elements.
"""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"V": Axis(1, 1048576), "D": Axis(1, 16384), "M": Axis(1, 1048576)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"table": Tensor("V, D", "T"), "tokens": Tensor("M", "int64", fill="integers(0, V)")},
    outputs=Tensor("M, D", "T"),
    cases=[{"V": 2, "D": 3, "M": 5}, {"V": 101, "D": 65, "M": 37}, {"V": 17, "D": 1100, "M": 7}],
    bench=[{"V": 128256, "D": 2048, "M": 8192}],
    tolerance=0,
)


def reference(table, tokens):
    return table[tokens]
