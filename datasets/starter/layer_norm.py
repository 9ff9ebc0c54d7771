"""Layer normalisation of each row: y = (x - mean) / sqrt(variance + eps) * weight + bias.

Mean and (biased) variance go over the last dimension, in fp32. Either of weight and bias may be None: then it is
left out. The inputs sit well away from zero, so that E[x * x] - E[x]**2 is not accurate enough for the variance.
"""

import torch

from geak_evaluator import Axis, Case, Scalar, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(2, 16384)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={
        "x": Tensor("M, N", "T", fill="normal(40, 2)"),
        "weight": Tensor("N", "T", fill="normal(1, 0.5)", optional=True),
        "bias": Tensor("N", "T", optional=True),
        "eps": Scalar("float", choices=(1e-5, 0.5)),
    },
    outputs=Tensor("M, N", "T"),
    cases=[
        {"M": 1, "N": 37, "eps": 1e-5},
        Case({"M": 9, "N": 128, "eps": 0.5}, without=("bias",)),
        Case({"M": 5, "N": 1000, "eps": 1e-5}, without=("weight", "bias")),
        {"M": 3, "N": 4097, "eps": 1e-5},
    ],
    bench=[{"M": 4096, "N": 4096, "eps": 1e-5}, {"M": 16384, "N": 1024, "eps": 1e-5}],
    tolerance={"fp32": 256},
)


def reference(x, weight, bias, eps):
    return torch.nn.functional.layer_norm(x, x.shape[-1:], weight, bias, eps)
