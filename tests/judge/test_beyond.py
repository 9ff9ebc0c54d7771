"""Sizes far beyond those shown: what is wrong there rejects, what is merely too much for the interpreter does not."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from trial import KERNEL, SPEC, accepted, changed, rejected, verdict_on

from geak_evaluator.beyond import MOST_PROGRAMS, beyond
from geak_evaluator.oracle import SpecProblem
from geak_evaluator.outcome import Ran
from geak_evaluator.proof.shapes import FAR
from geak_evaluator.schema.spec import Axis, Case, Spec, Tensor
from geak_evaluator.schema.verdict import CaseResult, Cause, Tier

LONG = changed(
    SPEC,
    ('"N": Axis(choices=(70,))', '"N": Axis(1, 65536)'),
    ("cases=", 'bench=[{"M": 3, "N": 65536}], cases='),
)
NARROW = changed(KERNEL, ("triton.cdiv(n, 64)", "triton.cdiv(n, 8)"), ("BLOCK=64", "BLOCK=8"))
"""More programs than can be interpreted, where it is as long as the domain allows."""
NOTE = "not proved at bench sizes: the interpreter is too slow for them; proved up to "


def far_ones(verdict) -> list[CaseResult]:
    return [one for one in verdict.cases if one.hidden == FAR]


@pytest.mark.parametrize("tier", [Tier.FULL, Tier.FINAL])
def test_what_is_cut_where_it_is_long_is_rejected(judge, tier):
    found = verdict_on(judge, LONG, KERNEL, tier=tier)
    accepted(found)
    assert len(far_ones(found)) == 1, "N alone can be long"
    cut = changed(KERNEL, ("    n = x.numel()\n", "    n = x.numel()\n    if n > 4096:\n        n = 4096\n"))
    rejected(verdict_on(judge, LONG, cut, tier=tier), Cause.WRONG_VALUES)
    assert far_ones(verdict_on(judge, LONG, cut, tier=tier))[-1].cause is Cause.WRONG_VALUES


def test_a_kernel_with_too_many_programs_is_run_at_a_smaller_size(judge):
    found = verdict_on(judge, LONG, NARROW)
    accepted(found)
    assert len(far_ones(found)) == 1


def test_a_wrapper_that_goes_on_forever_where_it_is_large_decides_nothing(judge):
    found = verdict_on(
        judge, LONG, changed(KERNEL, ("    n = x.numel()\n", "    n = x.numel()\n    while n > 900: 1\n"))
    )
    accepted(found)
    assert far_ones(found) == []
    assert f"{NOTE}256 elements" in found.notes


def test_how_far_a_kernel_was_proved_is_noted_to_a_power_of_two(judge):
    (note,) = [text for text in verdict_on(judge, LONG, KERNEL).notes if text.startswith(NOTE)]
    most = int(note.removeprefix(NOTE).split()[0])
    assert most >= 1 << 14
    assert most & (most - 1) == 0
    assert not any(text.startswith(NOTE) for text in verdict_on(judge, LONG, KERNEL, tier=Tier.GATE).notes)
    shown = changed(LONG, ('bench=[{"M": 3, "N": 65536}]', 'bench=[{"M": 3, "N": 70}]'))
    assert not any(text.startswith(NOTE) for text in verdict_on(judge, shown, KERNEL).notes)


class Scripted:
    """A candidate whose cases come out as they were told to."""

    def __init__(self, *outcomes: Cause | str | None) -> None:
        self._outcomes = iter(outcomes)
        self.asked: list[Case] = []

    @contextlib.contextmanager
    def hurried(self, seconds: float) -> Iterator[None]:
        yield

    def run(self, case: Case, *, configuration: int | None, idle: bool, most_programs: int) -> Ran:
        assert (configuration, most_programs) == (None, MOST_PROGRAMS)
        self.asked.append(case)
        outcome = next(self._outcomes)
        if isinstance(outcome, str) and not isinstance(outcome, Cause):
            raise SpecProblem(Path("/specs/it.py"), outcome)
        return Ran(CaseResult(case, outcome))


WIDE = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(1, 65536)},
    inputs={"x": Tensor("M, N")},
    outputs=Tensor("M, N"),
    cases=(Case({"M": 3, "N": 70}),),
)


def outcomes(count: int, *told: Cause | str | None) -> tuple[list[Cause | None], int]:
    candidate = Scripted(*told)
    found = [ran.result.cause for ran in beyond(candidate, WIDE, count, random.Random(1))]  # type: ignore[arg-type]
    return found, len(candidate.asked)


def test_what_takes_too_long_is_left_and_soon_nothing_more_is_tried():
    assert outcomes(1, Cause.TIMEOUT, None) == ([None], 2)
    assert outcomes(1, Cause.TIMEOUT, Cause.OUT_OF_MEMORY) == ([], 2)
    assert outcomes(1, "the reference takes too long", Cause.PLAN_TOO_LONG) == ([], 2)
    assert outcomes(1, *[Cause.TOO_BIG_HERE] * 5, None) == ([None], 6), "seen at once, and costs nothing"
    assert outcomes(1, Cause.RAISED) == ([Cause.RAISED], 1)
    assert outcomes(3, None, None, None) == ([None] * 3, 3)
    assert outcomes(0) == ([], 0)
