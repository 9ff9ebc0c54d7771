"""Intervals by bootstrap: whole tasks are drawn again, each with all of its repeats, and the metric computed anew.

The repeats of one task resemble each other: drawn one by one they would make an interval look narrower than it is. For
few tasks the percentiles are spread as far as Student's t asks (Hesterberg, 2015, "expanded percentiles").
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

Statistic = Callable[["NDArray[Any]"], "NDArray[Any]"]
"""From draws of tasks, (draws, tasks, columns), to a value for each draw; nan where it has none."""

DRAWS = 2000
LEVEL = 0.95
_SEED = 20261130
_AT_ONCE = 100_000
"""Numbers that are held at a time: larger pieces are no faster, and a large dataset's would be what a run takes most
memory for."""


@dataclass(frozen=True)
class Interval:
    """A value, and where it may as well lie: nan where nothing can be said."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def known(self) -> bool:
        """Whether there are ends."""
        return not (math.isnan(self.low) or math.isnan(self.high))


def interval(
    rows: NDArray[Any],
    statistic: Statistic,
    *,
    draws: int = DRAWS,
    bounds: tuple[float, float] | None = None,
    told: int = 0,
) -> Interval:
    """The statistic of these rows, one a task, with its interval at 95 %; the same rows give the same one.

    `bounds` are the ends of what the statistic can be. Where it is one of them no draw differs, however few tasks there
    are: then the interval is the one of so many equal answers to a question with two (Clopper and Pearson). `told` is
    how many tasks have an answer, where not all.
    """
    import numpy as np

    count = len(rows)
    value = float(statistic(rows[None])[0]) if count else math.nan
    if count < 2 or math.isnan(value):
        return Interval(value)
    if bounds is not None and value in bounds:
        width = (1 - ((1 - LEVEL) / 2) ** (1 / (told or count))) * (bounds[1] - bounds[0])
        low, high = (value, value + width) if value == bounds[0] else (value - width, value)
        return Interval(value, low, high)
    source = np.random.default_rng(_SEED)
    found = []
    step = max(1, _AT_ONCE // rows.size)
    for start in range(0, draws, step):
        picks = source.integers(0, count, (min(step, draws - start), count))
        found.append(statistic(rows[picks]))
    values = np.concatenate(found)
    values = values[~np.isnan(values)]
    if len(values) < draws / 2:
        return Interval(value)
    tail = _tail(count)
    low, high = np.quantile(values, (tail, 1 - tail))
    return Interval(value, float(low), float(high))


def _tail(count: int) -> float:
    """The share of draws that each end leaves out: less than 2.5 % where there are few tasks."""
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    n = count - 1
    # Student's quantile by the expansion of Cornish and Fisher; from 4 degrees of freedom on right to a hundredth.
    t = z + (z**3 + z) / (4 * n) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
    return NormalDist().cdf(-math.sqrt(count / n) * t)
