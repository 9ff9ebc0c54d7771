"""Group normalisation of [N, C, H, W]: C channels in G groups, each group of a sample normalised by its own statistics.

Channels c of group c // (C // G) share mean and (biased) variance over C // G * H * W values, taken in fp32; then comes
a scale and a shift for each channel.
"""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 256), "C": Axis(2, 4096), "H": Axis(1, 512), "W": Axis(1, 512)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={
        "x": Tensor("N, C, H, W", "T", fill="normal(1, 2)"),
        "weight": Tensor("C", "T", fill="normal(1, 0.5)"),
        "bias": Tensor("C", "T"),
        "G": Scalar("int", choices=(1, 2, 32)),
        "eps": Scalar("float", choices=(1e-5, 0.5)),
    },
    outputs=Tensor("N, C, H, W", "T"),
    where=("C % G == 0", "C * H * W > G"),
    cases=[
        {"N": 1, "C": 6, "H": 3, "W": 5, "G": 2, "eps": 0.5},
        {"N": 1, "C": 64, "H": 1, "W": 7, "G": 32, "eps": 1e-5},
        {"N": 2, "C": 10, "H": 17, "W": 13, "G": 1, "eps": 1e-5},
    ],
    bench=[{"N": 16, "C": 320, "H": 64, "W": 64, "G": 32, "eps": 1e-5}],
)


def reference(x, weight, bias, G, eps):
    return torch.nn.functional.group_norm(x, G, weight, bias, eps)
