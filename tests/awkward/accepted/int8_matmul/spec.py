"""Product of int8 matrices in int32, scaled back to bf16 by a scale for each row and one for each column."""

from geak_evaluator import Axis, Case, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 256), "N": Axis(choices=(32, 64)), "K": Axis(choices=(32, 64))},
    inputs={
        "a": Tensor("M, K", "int8"),
        "b": Tensor("K, N", "int8"),
        "row_scale": Tensor("M", fill="scales"),
        "column_scale": Tensor("N", fill="scales", optional=True),
    },
    outputs=Tensor("M, N", "bf16"),
    cases=[{"M": 5, "N": 32, "K": 64}, Case({"M": 17, "N": 32, "K": 32}, without=("column_scale",))],
)


def reference(a, b, row_scale, column_scale):
    product = (a.double() @ b.double()) * row_scale[:, None]
    return product if column_scale is None else product * column_scale
