"""New keys go where slot says: cache[slot[t], h, :] = k[t, h, :], in place; a slot below zero is skipped."""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"S": Axis(16, 256), "T": Axis(1, 16), "H": Axis(1, 4), "D": Axis(choices=(16, 24))},
    inputs={
        "k": Tensor("T, H, D", "bf16", strides="H * D * 2, D, 1"),
        "cache": Tensor("S, H, D", "bf16"),
        "slot": Tensor("T", "int64"),
    },
    changes="cache",
    cases=[{"S": 16, "T": 5, "H": 2, "D": 24}],
    oracle="exact",
)


def make_inputs(case, rng):
    slot = torch.randperm(case["S"], generator=rng)[: case["T"]]
    slot[0] = -1
    return {"slot": slot}


def reference(k, cache, slot):
    cache[slot[slot >= 0]] = k[slot >= 0]
