"""What a run is for."""

from __future__ import annotations

import pytest

from geak.errors import MachineError, UsageError
from geak.goal import Goal
from geak.population import GIVEN, fold
from tests.journal.samples import begun, conditions, developed


@pytest.mark.parametrize("text", ["correct", "best", "faster", "1.2x", "2x", "sol:0.9"])
def test_a_goal_is_read_and_said(text: str) -> None:
    assert str(Goal.parse(text)) == text


@pytest.mark.parametrize("text", ["", "fast", "x", "0x", "-1x", "sol:1.5", "sol:0", "1.2", "correct "])
def test_what_is_no_goal_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="is no goal; there are correct, best"):
        Goal.parse(text)


def test_a_speed_is_no_goal_where_nothing_measures() -> None:
    for text in ("1.2x", "sol:0.9"):
        with pytest.raises(MachineError, match="no GPU that is the first target can be timed on"):
            Goal.parse(text).must_be_measurable(measured=False)
    for text in ("correct", "best"):
        Goal.parse(text).must_be_measurable(measured=False)


def test_correct_is_reached_by_a_kernel_of_ours() -> None:
    goal = Goal.parse("correct")
    only_given = fold(conditions(), [begun(), *developed(GIVEN, 0, kind="given")])
    assert goal.reached_by(only_given) is None
    reached = goal.reached_by(fold(conditions(), [begun(), *developed("1.1", 0)]))
    assert reached is not None
    assert reached.name == "1.1"
    assert Goal.parse("best").reached_by(fold(conditions(), [begun(), *developed("1.1", 0)])) is None
