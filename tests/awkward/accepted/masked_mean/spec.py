"""Mean of the rows that are kept, divided by their spread, through a polynomial, as one number.

Launches may follow the mask.
"""

import math

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 512), "N": Axis(1, 512)},
    inputs={"x": Tensor("M, N"), "keep": Tensor("M", "bool")},
    outputs=Tensor(""),
    cases=[{"M": 1, "N": 3}, {"M": 7, "N": 33}, {"M": 40, "N": 65}],
    launches="by_value",
)


def make_inputs(case, rng):
    keep = torch.rand(case["M"], generator=rng) < 0.7
    keep[0] = True
    return {"keep": keep}


def reference(x, keep):
    rows = x[keep]
    z = rows.mean(0) / (1 + rows.square().mean(0))
    return sum(z**i / math.factorial(i) for i in range(8)).mean()
