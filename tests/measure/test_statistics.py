"""Intervals are exact for any number of observations: held against tables and against counting."""

from __future__ import annotations

import itertools
import random

import pytest

from geak_evaluator.measure.statistics import LOOKS, center, median_interval, signed_ranks
from geak_evaluator.schema.timing import Interval


def test_the_center_is_the_median_of_all_means() -> None:
    assert center([1.0, 2.0, 4.0]) == 2.25  # of 1, 1.5, 2, 2.5, 3, 4
    assert center([5.0]) == 5.0


@pytest.mark.parametrize("count", [5, 6, 8])
def test_signed_ranks_err_no_more_than_they_may(count: int) -> None:
    """All 2^n ways in which values that are symmetric about 0 can have their signs are counted."""
    sizes = [1.0, 2.1, 3.3, 4.6, 6.0, 7.7, 9.1, 11.9][:count]
    missed = known = 0
    for signs in itertools.product((-1, 1), repeat=count):
        found = signed_ranks([sign * size for sign, size in zip(signs, sizes, strict=True)], 0.05)
        known += found is not None
        missed += found is not None and not found.low <= 0 <= found.high
    assert (known > 0) == (count >= 6)  # Wilcoxon's tables: with 5 there is no interval at 5 %
    assert missed <= 0.05 * 2**count
    assert missed > 0 or count < 6


def test_signed_ranks_as_in_the_tables() -> None:
    """Ten values at 5 %: the 9th smallest and largest of 55 means (the critical value is 8)."""
    values = [float(n * n) for n in range(1, 11)]
    means = sorted((a + b) / 2 for n, a in enumerate(values) for b in values[n:])
    assert signed_ranks(values, 0.05) == Interval(means[8], means[-9])


def test_a_median_lies_between_order_statistics() -> None:
    """Ten values at 5 %: the second and the ninth, which miss it 2.1 % of the time."""
    assert median_interval([float(n) for n in range(10)], 0.05) == Interval(1.0, 8.0)
    assert median_interval([1.0, 2.0, 3.0], 0.05) is None


def test_looking_several_times_costs_no_confidence() -> None:
    rng = random.Random(7)
    covered = 0
    for _ in range(300):
        values = [rng.gauss(0, 1) + rng.choice((0.0, 0.0, rng.gauss(0, 8))) for _ in range(LOOKS[1])]
        looks = [signed_ranks(values[:look]) for look in LOOKS[:2]]
        covered += all(found is not None and found.low <= 0 <= found.high for found in looks)
    assert covered == 296
