"""Sum of two vectors: out[n] = x[n] + y[n]."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 4096)},
    inputs={"x": Tensor("N"), "y": Tensor("N")},
    outputs=Tensor("N"),
    cases=[{"N": 256}, {"N": 1030}],
)


def reference(x, y):
    return x + y
