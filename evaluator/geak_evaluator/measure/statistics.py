"""Intervals that assume little: Wilcoxon's signed ranks for paired ratios, order statistics for a median.

Both are exact for any number of observations. Looking more than once costs confidence, which is paid in advance: each
of LOOKS looks is made at a share of the permitted error, so that stopping early is no way to a better figure.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache

from geak_evaluator.schema.timing import CONFIDENCE, Interval

LOOKS = (12, 24, 48)
"""After how many pairs of pairs the interval is looked at."""
ERROR = (1 - CONFIDENCE) / len(LOOKS)
"""What each look may err."""

median = statistics.median


def center(values: Sequence[float]) -> float:
    """Hodges and Lehmann's estimate: the median of the means of all pairs, each value with itself too."""
    return median(_walsh(values))


def signed_ranks(values: Sequence[float], error: float = ERROR) -> Interval | None:
    """Where the center of a symmetric distribution lies; None where there are too few values for so small an error."""
    means = _walsh(values)
    cut = 0
    tail = 0.0
    for sum_, probability in enumerate(_rank_sums(len(values))):
        tail += probability
        if 2 * tail > error:
            cut = sum_
            break
    return Interval(means[cut - 1], means[-cut]) if cut else None


def median_interval(values: Sequence[float], error: float = ERROR) -> Interval | None:
    """Where the median of any distribution lies, by its order statistics."""
    ordered, count = sorted(values), len(values)
    cut, tail = 0, 0.0
    for place in range(count // 2):
        tail += math.comb(count, place) / 2**count
        if 2 * tail > error:
            break
        cut = place + 1
    return Interval(ordered[cut - 1], ordered[-cut]) if cut else None


def _walsh(values: Sequence[float]) -> list[float]:
    return sorted((a + b) / 2 for number, a in enumerate(values) for b in values[number:])


@lru_cache(maxsize=64)
def _rank_sums(count: int) -> tuple[float, ...]:
    """How likely each sum of ranks is, if each of the ranks 1 to `count` is in it or not by the toss of a coin."""
    ways = [1.0]
    for rank in range(1, count + 1):
        longer = ways + [0.0] * rank
        for sum_, many in enumerate(ways):
            longer[sum_ + rank] += many
        ways = [many / 2 for many in longer]
    return tuple(ways)
