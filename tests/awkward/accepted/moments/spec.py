"""Mean of each row, and its smallest and largest element, by name; only where mask is true."""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 64), "N": Axis(1, 1024)},
    inputs={"x": Tensor("M, N"), "mask": Tensor("M, N", "bool", fill="mask(0.9)")},
    outputs={"mean": Tensor("M"), "range": (Tensor("M"), Tensor("M"))},
    cases=[{"M": 3, "N": 1}, {"M": 5, "N": 130}],
    tolerance=256,
)


def make_inputs(case, rng):
    mask = torch.rand(case["M"], case["N"], generator=rng) < 0.9
    mask[:, 0] = True
    return {"mask": mask}


def reference(x, mask):
    mean = torch.where(mask, x, 0.0).sum(-1) / mask.sum(-1)
    low = torch.where(mask, x, float("inf")).amin(-1)
    high = torch.where(mask, x, float("-inf")).amax(-1)
    return {"mean": mean, "range": (low, high)}
