"""Configurations are ranked by what the device takes, not by what the host takes to ask for it."""

from __future__ import annotations

import random
from typing import Any, cast

from geak_evaluator.measure.clock import Clock
from geak_evaluator.measure.metal.simulated import World
from geak_evaluator.measure.sides import DeviceSide
from geak_evaluator.racing import Races
from tests.measure.sides import QUICK, Near

STEPS = 40
"""More than a flush hides."""


class Raced:
    """Configurations timed one after another, each in a process of its own."""

    def __init__(self) -> None:
        self.races = object.__new__(Races)
        self.races._as_graphs = None
        self._clock = Clock(QUICK, random.Random(1))

    def us(self, each: float, **behaviour: Any) -> float:
        near = Near(World(seed=1), "it", each, steps=STEPS, **behaviour)
        return self.races._us(self._clock, cast(DeviceSide, near)) / STEPS


def test_they_are_timed_as_graphs() -> None:
    raced = Raced()
    fast, slow = raced.us(1.0), raced.us(2.0)
    assert 1.9 < slow / fast < 2.1  # by the stream either takes as long as its launches do


def test_all_by_the_stream_where_the_first_cannot_be_recorded() -> None:
    raced = Raced()
    slow = raced.us(2.0, trick="no_graph")
    assert slow > 2.1
    assert raced.us(1.0) > 2.1  # which would win for having been recorded


def test_a_later_one_that_cannot_be_recorded_changes_nothing_for_the_others() -> None:
    raced = Raced()
    first = raced.us(2.0)
    assert raced.us(1.0, trick="no_graph") > first
    assert raced.us(1.0) < first
