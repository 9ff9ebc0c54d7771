"""Sum of each sequence: y[b] = sum of x[starts[b] : starts[b + 1]]; what is launched may follow the lengths."""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"B": Axis(1, 8), "T": Axis(8, 512)},
    inputs={"x": Tensor("T"), "starts": Tensor("B + 1", "int32")},
    outputs=Tensor("B"),
    cases=[{"B": 1, "T": 8}, {"B": 5, "T": 70}],
    launches="by_value",
)


def make_inputs(case, rng):
    inner = torch.randint(0, case["T"] + 1, (case["B"] - 1,), generator=rng).sort().values
    return {"starts": torch.cat([torch.tensor([0]), inner, torch.tensor([case["T"]])])}


def reference(x, starts):
    return torch.stack([x[starts[b] : starts[b + 1]].sum() for b in range(len(starts) - 1)])
