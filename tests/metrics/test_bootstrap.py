"""Intervals cover what they should: runs are drawn from known distributions, and their ends are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from geak.metrics.bootstrap import interval

TIMES = 250
Draw = Callable[[np.random.Generator, int], Any]

DISTRIBUTIONS: dict[str, tuple[Draw, float, tuple[float, float] | None]] = {
    # three repeats each of tasks that are not equally hard: what a dataset run is
    "repeats of unequal tasks": (lambda r, n: r.binomial(3, r.beta(1, 1, n)) / 3, 0.5, (0.0, 1.0)),
    "mostly solved": (lambda r, n: r.binomial(1, 0.9, n).astype(float), 0.9, (0.0, 1.0)),
    "logs of speedups": (lambda r, n: r.normal(0.4, 0.6, n), 0.4, None),
    "costs with a long tail": (lambda r, n: r.gamma(2.0, 1.0, n), 2.0, None),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("tasks", [12, 60])
def test_nineteen_intervals_of_twenty_hold_the_truth(name: str, tasks: int) -> None:
    draw, truth, bounds = DISTRIBUTIONS[name]
    source = np.random.default_rng(7)
    held = 0
    for _ in range(TIMES):
        found = interval(draw(source, tasks)[:, None], _mean, draws=500, bounds=bounds)
        held += found.low <= truth <= found.high
    # 0.95 less what 250 tries leave to chance; and a long tail that 12 tasks show a part of costs some 4 % more.
    assert held / TIMES >= (0.88 if "tail" in name else 0.91)


def test_repeats_drawn_one_by_one_would_not_hold_it() -> None:
    """The mistake that drawing whole tasks avoids: this is what it would cost."""
    source = np.random.default_rng(7)
    held = 0
    for _ in range(TIMES):
        p = source.beta(0.3, 0.3, 12)
        runs = source.binomial(1, np.repeat(p, 8)).astype(float)
        found = interval(runs[:, None], _mean, draws=500)
        held += found.low <= 0.5 <= found.high
    assert held / TIMES < 0.75


def test_equal_rows_give_equal_intervals() -> None:
    rows = np.random.default_rng(1).normal(size=(30, 1))
    assert interval(rows, _mean) == interval(rows, _mean)


def test_all_solved_is_not_certainty() -> None:
    found = interval(np.ones((20, 1)), _mean, bounds=(0.0, 1.0))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 20))  # Clopper and Pearson for 20 of 20: 0.8316
    none = interval(np.zeros((20, 1)), _mean, bounds=(0.0, 1.0))
    assert (none.low, none.high) == (0.0, pytest.approx(1 - found.low))


def test_of_one_task_nothing_can_be_said() -> None:
    assert not interval(np.ones((1, 1)), _mean).known
    assert not interval(np.ones((0, 1)), _mean).known


def _mean(drawn: Any) -> Any:
    return drawn[:, :, 0].mean(axis=1)
