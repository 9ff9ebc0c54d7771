"""Linear layer with its activation: y = gelu(x @ weight.T + bias), with the tanh form of GELU.

gelu(z) = z / 2 * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z**3))). weight is [N, K]; bias may be None. The product is
accumulated, and bias and activation applied, in fp32; the result is rounded once.
"""

import torch

from geak_evaluator import Axis, Case, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 16384), "N": Axis(16, 16384, multiple_of=16), "K": Axis(16, 16384, multiple_of=16)},
    dtypes={"T": ("fp16", "bf16")},
    inputs={
        "x": Tensor("M, K", "T"),
        "weight": Tensor("N, K", "T", fill="normal(0, 0.25)"),
        "bias": Tensor("N", "T", optional=True),
    },
    outputs=Tensor("M, N", "T"),
    cases=[
        {"M": 1, "N": 16, "K": 16},
        Case({"M": 33, "N": 80, "K": 48}, without=("bias",)),
        {"M": 65, "N": 144, "K": 96},
        {"M": 3, "N": 16, "K": 4096},
    ],
    bench=[{"M": 4096, "N": 11008, "K": 4096}],
)


def reference(x, weight, bias):
    return torch.nn.functional.gelu(torch.nn.functional.linear(x, weight, bias), approximate="tanh")
