"""y = scale * x**2, with gradients for x and for scale."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 64), "N": Axis(1, 64)},
    inputs={"x": Tensor("M, N"), "scale": Tensor("M")},
    outputs=Tensor("M, N"),
    contract="gradient",
    wrt=("x", "scale"),
    cases=[{"M": 3, "N": 17}],
)


def reference(x, scale):
    return scale[:, None] * x**2
