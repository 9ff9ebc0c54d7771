"""Convolution of [N, C, H, W] images with [O, C, R, S] filters, with a stride and zero padding.

y[n, o, i, j] = bias[o] + the sum over c, r, s of x[n, c, i * stride + r - pad, j * stride + s - pad] * w[o, c, r, s],
where x counts as 0 outside the image (as in torch.nn.functional.conv2d). bias may be None. Accumulate in fp32.
"""

import torch

from geak_evaluator import Axis, Case, Scalar, Spec, Tensor

spec = Spec(
    axes=dict.fromkeys("NCOHW", Axis(1, 1024)) | dict.fromkeys("RS", Axis(1, 11)),
    dtypes={"T": ("fp16", "bf16")},
    inputs={
        "x": Tensor("N, C, H, W", "T"),
        "w": Tensor("O, C, R, S", "T"),
        "bias": Tensor("O", "T", fill="normal(0, 3)", optional=True),
        "stride": Scalar("int", choices=(1, 2)),
        "pad": Scalar("int", choices=(0, 1, 3)),
    },
    outputs=Tensor("N, O, (H + 2 * pad - R) // stride + 1, (W + 2 * pad - S) // stride + 1", "T"),
    where=("R <= H", "S <= W", "R > pad", "S > pad"),
    cases=[
        Case({"N": 1, "C": 3, "O": 5, "H": 9, "W": 6, "R": 1, "S": 1, "stride": 1, "pad": 0}, without=("bias",)),
        {"N": 2, "C": 5, "O": 38, "H": 9, "W": 11, "R": 3, "S": 3, "stride": 2, "pad": 1},
        {"N": 1, "C": 2, "O": 3, "H": 8, "W": 13, "R": 4, "S": 5, "stride": 1, "pad": 3},
    ],
    bench=[{"N": 16, "C": 128, "O": 128, "H": 56, "W": 56, "R": 3, "S": 3, "stride": 1, "pad": 1}],
)


def reference(x, w, bias, stride, pad):
    return torch.nn.functional.conv2d(x, w, bias, stride=stride, padding=pad)
