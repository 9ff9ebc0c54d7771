"""Gated activation: the first half of each row through SiLU, times the second half.

With x = [gate | up] of 2 * N columns, y = gate / (1 + exp(-gate)) * up has N. The product is rounded once, at the end.
"""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(1, 32768)},
    dtypes={"T": ("fp16", "bf16")},
    inputs={"x": Tensor("M, 2 * N", "T", fill="normal(0, 2)")},
    outputs=Tensor("M, N", "T"),
    cases=[{"M": 1, "N": 5}, {"M": 3, "N": 257}, {"M": 17, "N": 1024}, {"M": 2, "N": 2049}],
    bench=[{"M": 4096, "N": 14336}, {"M": 64, "N": 14336}],
)


def reference(x):
    gate, up = x.chunk(2, dim=-1)
    return torch.nn.functional.silu(gate) * up
