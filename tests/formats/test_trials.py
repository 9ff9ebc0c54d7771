"""Which sizes of a task are free: what a judge says of some is asked, and here it follows a rule."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from geak.formats.trials import Trying
from geak.formats.written import Material, Plan, Sizes
from geak_evaluator.schema.observed import Sketch, Trials, Tried
from geak_evaluator.schema.verdict import Tier

CASES: tuple[Sizes, ...] = ({"rows": 16, "columns": 32}, {"rows": 32, "columns": 64})
PLAN = Plan(
    "bound",
    "bound",
    Sketch(
        axes={"rows": (16, 32), "columns": (32, 64)},
        shapes={"x": ("rows", "columns")},
        cases=CASES,
        without=((), ()),
        values=({}, {}),
        floats=({}, {}),
        timed=(False, False),
    ),
    Material("", "", ("bound",)),
    "about",
    cases=(0, 1),
    sizes=CASES,
)


class Ruled(Trying):
    """A judge that accepts by a rule of sizes."""

    def __init__(self, rule: Callable[[Any], bool]) -> None:
        self.rule = rule

    async def ask(self, plan: Plan, cases: Sequence[tuple[int, Sizes]], tier: Tier = Tier.GATE) -> Trials:
        return Trials(tuple(Tried(sizes, "" if self.rule(sizes) else "original") for _, sizes in cases))


@pytest.mark.parametrize(
    ("rule", "free"),
    [
        (lambda sizes: True, {"columns": "Axis(32, 64)"}),
        (lambda sizes: sizes["columns"] < 50, {}),
        # As in a kernel whose bias is as long as something else that is not free, and larger in another case.
        (lambda sizes: sizes["columns"] >= 2 * sizes["rows"], {}),
    ],
)
def test_an_axis_is_free_if_it_is_beside_all_that_is_settled(rule: Callable[[Any], bool], free: dict[str, str]) -> None:
    assert asyncio.run(Ruled(rule).sure(PLAN, {"columns": "Axis(32, 64)"})) == free
