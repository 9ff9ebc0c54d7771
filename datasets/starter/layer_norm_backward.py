"""Backward pass of layer normalisation: from dy, x and weight to the gradients of x, weight and bias.

With h = (x - mean) / sqrt(variance + eps) and g = dy * weight, row by row:
    dx = (g - mean(g) - h * mean(g * h)) / sqrt(variance + eps)
and, over all rows, dweight = sum(dy * h) and dbias = sum(dy), both in fp32. Mean and (biased) variance are not given;
they are computed again, in fp32. Returns a dict of the three.
"""

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(3, 8192)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={
        "dy": Tensor("M, N", "T"),
        "x": Tensor("M, N", "T", fill="normal(1, 2)"),
        "weight": Tensor("N", "T", fill="normal(1, 0.5)"),
        "eps": Scalar("float", choices=(1e-5, 0.5)),
    },
    outputs={"dx": Tensor("M, N", "T"), "dweight": Tensor("N", "fp32"), "dbias": Tensor("N", "fp32")},
    cases=[{"M": 3, "N": 31, "eps": 1e-5}, {"M": 300, "N": 24, "eps": 0.5}, {"M": 7, "N": 1029, "eps": 1e-5}],
    bench=[{"M": 8192, "N": 4096, "eps": 1e-5}],
)


def reference(dy, x, weight, eps):
    centred = x - x.mean(-1, keepdim=True)
    scale = ((centred**2).mean(-1, keepdim=True) + eps) ** -0.5
    h, g = centred * scale, dy * weight
    dx = scale * (g - g.mean(-1, keepdim=True) - h * (g * h).mean(-1, keepdim=True))
    return {"dx": dx, "dweight": (dy * h).sum(0), "dbias": dy.sum(0)}
