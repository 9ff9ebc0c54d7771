"""Module: the gated feed-forward layer of a language model, down(silu(gate(x)) * up(x)), in bf16.

A kernel file defines `GatedMLP(dim, hidden)`, a torch.nn.Module with parameters gate.weight and up.weight, each
[hidden, dim], and down.weight, [dim, hidden]. Its forward takes x, [M, dim]. All products accumulate in fp32.
"""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 8192), "D": Axis(16, 8192, multiple_of=8), "F": Axis(16, 32768, multiple_of=8)},
    inputs={"x": Tensor("M, D", "bf16", fill="normal(0, 2)")},
    outputs=Tensor("M, D", "bf16"),
    contract="module",
    init={"dim": Scalar("int", "D"), "hidden": Scalar("int", "F")},
    entry="GatedMLP",
    tolerance=6,
    cases=[{"M": 1, "D": 16, "F": 24}, {"M": 3, "D": 136, "F": 16}, {"M": 35, "D": 72, "F": 136}],
    bench=[{"M": 2048, "D": 4096, "F": 14336}, {"M": 16, "D": 4096, "F": 14336}],
)


class Reference(torch.nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.gate = torch.nn.Linear(dim, hidden, bias=False, dtype=torch.bfloat16)
        self.up = torch.nn.Linear(dim, hidden, bias=False, dtype=torch.bfloat16)
        self.down = torch.nn.Linear(hidden, dim, bias=False, dtype=torch.bfloat16)

    def forward(self, x):
        return self.down(torch.nn.functional.silu(self.gate(x)) * self.up(x))
