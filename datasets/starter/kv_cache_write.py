"""Writes new keys and values into a paged cache, in place.

Token s goes to place slots[s] % BS of block slots[s] // BS. Slots are distinct, but -1 means nowhere. Returns None.
"""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"S": Axis(1, 65536), "H": Axis(1, 128), "D": Axis(1, 256), "P": Axis(1, 1048576), "BS": Axis(1, 256)},
    dtypes={"T": ("fp16", "bf16")},
    inputs={
        "key": Tensor("S, H, D", "T"),
        "value": Tensor("S, H, D", "T"),
        "k_cache": Tensor("P, BS, H, D", "T"),
        "v_cache": Tensor("P, BS, H, D", "T"),
        "slots": Tensor("S", "int64"),
    },
    changes=("k_cache", "v_cache"),
    where=("P * BS >= S",),
    cases=[
        {"S": 1, "H": 1, "D": 5, "P": 1, "BS": 3},
        {"S": 13, "H": 3, "D": 40, "P": 5, "BS": 4},
        {"S": 32, "H": 9, "D": 120, "P": 2, "BS": 16},
    ],
    bench=[{"S": 4096, "H": 8, "D": 128, "P": 1024, "BS": 16}],
    tolerance=0,
)


def make_inputs(case, rng):
    slots = torch.randperm(case["P"] * case["BS"], generator=rng)[: case["S"]]
    return {"slots": slots.where(torch.arange(case["S"]) % 5 != 1, -1)}


def reference(key, value, k_cache, v_cache, slots):
    for new, cache in ((key, k_cache), (value, v_cache)):
        cache.view(-1, *new.shape[1:])[slots[slots >= 0]] = new[slots >= 0]
