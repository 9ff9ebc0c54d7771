"""Causal convolution along each channel by itself, with SiLU, as at the front of a state space model.

y[n, d, t] = silu(bias[d] + sum over k of weight[d, k] * x[n, d, t - K + 1 + k]), where x counts as 0 before its first
element. bias may be None, and silu(z) is z where `silu` is false. K is 2, 3 or 4. Compute in fp32, round once.
"""

import torch

from geak_evaluator import Axis, Case, Scalar, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 256), "D": Axis(1, 16384), "L": Axis(1, 65536), "K": Axis(choices=(2, 3, 4))},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={
        "x": Tensor("N, D, L", "T"),
        "weight": Tensor("D, K", "T"),
        "bias": Tensor("D", "T", optional=True),
        "silu": Scalar("bool", choices=(True, False)),
    },
    outputs=Tensor("N, D, L", "T"),
    cases=[
        {"N": 1, "D": 5, "L": 1, "K": 4},
        Case({"N": 2, "D": 7, "L": 67, "K": 3, "silu": True}, without=("bias",)),
        {"N": 1, "D": 3, "L": 1029, "K": 2},
    ],
    bench=[{"N": 8, "D": 4096, "L": 2048, "K": 4, "silu": True}],
)


def reference(x, weight, bias, silu):
    D, K = weight.shape
    y = torch.nn.functional.conv1d(torch.nn.functional.pad(x, (K - 1, 0)), weight[:, None], bias, groups=D)
    return torch.nn.functional.silu(y) if silu else y
