"""Hidden sizes: both kinds take turns, whatever is drawn."""

from __future__ import annotations

import random

from geak_evaluator.proof import shapes
from geak_evaluator.schema.spec import Axis, Case, Spec, Tensor

SHOWN = (Case({"M": 1, "N": 64}), Case({"M": 2, "N": 64}))


def drawn(axis: Axis, seed: int) -> list[int]:
    spec = Spec(axes={"M": Axis(choices=(1, 2)), "N": axis}, inputs={"x": Tensor("M, N")}, cases=SHOWN)
    return [int(case.sizes["N"]) for case in shapes.hidden(spec, 4, random.Random(seed))]


def test_some_sizes_are_no_multiple_of_a_tile_and_some_are_whole_tiles():
    for seed in range(2000):  # left to chance alone, about one in a hundred lacks either kind
        sizes = drawn(Axis(64, 300), seed)
        assert len(sizes) == 4
        assert any(size % 16 for size in sizes)
        assert any(size % 64 == 0 for size in sizes)


def test_a_domain_without_odd_sizes_has_hidden_cases_as_well():
    assert all(size % 64 == 0 for size in drawn(Axis(64, 4096, multiple_of=64), 0))
    assert len(drawn(Axis(64, 4096, multiple_of=64), 0)) > 0
