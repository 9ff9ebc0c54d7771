"""Weights from 4 bits: each byte holds two columns, and each group of G columns of a row has its own scale.

The low four bits of packed[n, j] are column 2 * j and the high four are column 2 * j + 1. A value v from 0 to 15 stands
for (v - 8) * scale[n, column // G]. The result has the type of the scales and is rounded once.
"""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 65536), "K": Axis(32, 32768, multiple_of=32), "G": Axis(choices=(32, 128))},
    dtypes={"T": ("fp16", "bf16")},
    inputs={
        "packed": Tensor("N, K // 2", "uint8", fill="bits"),
        "scale": Tensor("N, K // G", "T", fill="uniform(0.01, 0.2)"),
    },
    outputs=Tensor("N, K", "T"),
    where=("K % G == 0",),
    cases=[{"N": 1, "K": 32, "G": 32}, {"N": 13, "K": 416, "G": 32}, {"N": 5, "K": 1152, "G": 128}],
    bench=[{"N": 8192, "K": 8192, "G": 128}],
    tolerance=2,
)


def reference(packed, scale):
    values = torch.stack((packed & 15, packed >> 4), dim=-1).flatten(-2).to(torch.int32) - 8
    return values * scale.repeat_interleave(values.shape[1] // scale.shape[1], dim=1)
