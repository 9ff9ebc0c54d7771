"""Grouped product for a mixture of experts: each run of rows times the weights of its own expert.

Rows offsets[e] to offsets[e + 1] - 1 of x belong to expert e; y[r] = x[r] @ w[e]. offsets starts at 0, ascends and ends
at M; an expert may have no rows at all, and none has a number of rows that is known before the launch.
"""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"E": Axis(1, 256), "M": Axis(1, 65536), "N": Axis(1, 8192), "K": Axis(1, 8192)},
    dtypes={"T": ("fp16", "bf16")},
    inputs={
        "x": Tensor("M, K", "T"),
        "w": Tensor("E, K, N", "T"),
        "offsets": Tensor("E + 1", "int32", fill="offsets(M)"),
    },
    outputs=Tensor("M, N", "T"),
    cases=[
        {"E": 1, "M": 1, "N": 33, "K": 17},
        {"E": 5, "M": 3, "N": 20, "K": 64},
        {"E": 4, "M": 150, "N": 70, "K": 48},
        {"E": 2, "M": 5, "N": 11, "K": 4096},
    ],
    bench=[{"E": 64, "M": 16384, "N": 2048, "K": 1024}],
)


def reference(x, w, offsets):
    parts = x.tensor_split(offsets[1:-1].to("cpu", torch.int64))
    return torch.cat([part @ weights for part, weights in zip(parts, w, strict=True)])
