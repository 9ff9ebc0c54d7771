"""Root mean square normalisation of rows, a module with a weight."""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 64), "D": Axis(1, 512)},
    inputs={"x": Tensor("M, D")},
    outputs=Tensor("M, D"),
    contract="module",
    init={"dim": Scalar("int", "D"), "eps": Scalar("float", 1e-5)},
    cases=[{"M": 3, "D": 70}],
)


class Reference(torch.nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(dim))
        self.register_buffer("shift", torch.zeros(dim))
        self.eps = eps

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight + self.shift
