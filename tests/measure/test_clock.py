"""The clock on a simulated device, whose truth is known: what it says is as true as it claims, or it says why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from geak_evaluator.schema.timing import State
from tests.measure.sides import QUICK, measured

TRUTH = 1.25
RUNS = 12
"""Enough that a bias shows: with blocks in the order CCBB a drift puts all of them on one side."""


@pytest.mark.parametrize(
    ("world", "covered"),
    [
        ({}, 12),
        ({"noise": 0.05, "wander": 0.02}, 12),
        ({"drift": 0.5}, 12),
        ({"throttled": 0.7, "hot_after": 0.02}, 12),
    ],
    ids=["quiet", "noisy", "drifting", "throttled"],
)
def test_intervals_cover_the_truth(world: dict[str, float], covered: int) -> None:
    found = [measured(seed=seed, **world) for seed in range(RUNS)]
    assert {one.state for one in found} == {State.MEASURED}
    inside = sum(one.interval is not None and one.interval.low <= TRUTH <= one.interval.high for one in found)
    assert inside == covered >= 0.95 * RUNS
    # To which side it errs is chance: a drift or a throttled clock biases nothing.
    above = sum(one.ratio > TRUTH for one in found)
    assert 0.3 * RUNS < above < 0.7 * RUNS


@pytest.mark.slow
def test_intervals_cover_the_truth_at_their_rate() -> None:
    found = [measured(seed=seed, noise=0.05, wander=0.02) for seed in range(600)]
    inside = sum(one.interval is not None and one.interval.low <= TRUTH <= one.interval.high for one in found)
    assert inside >= 0.95 * 600


def test_more_noise_takes_more_blocks_and_no_noise_few() -> None:
    assert measured().blocks == 24
    assert measured(noise=0.05, wander=0.02).blocks == 96
    assert measured(noise=0.0, wander=0.0).blocks == 24


def test_what_is_too_noisy_is_not_said() -> None:
    found = measured(candidate={"jitter": 0.8})
    assert found.state is State.NOISY
    assert "it is known to" in found.message


def test_no_time_no_figure() -> None:
    found = measured(rules=replace(QUICK, seconds=0.02))
    assert (found.state, found.ratio) == (State.NOISY, 0.0)
    assert "the time was up after" in found.message


@pytest.mark.parametrize(("neighbour", "words"), [(0.3, "the device is not idle"), (0.03, "as long as alone")])
def test_a_neighbour_is_named(neighbour: float, words: str) -> None:
    found = measured(seed=2, neighbour=neighbour)
    assert found.state is State.CONTENDED
    assert words in found.message


def test_a_neighbour_that_comes_by_now_and_then_costs_a_round() -> None:
    found = measured(seed=1, neighbour=0.005)
    assert found.state is State.MEASURED
    assert found.interval is not None
    assert found.interval.low < TRUTH < found.interval.high


def test_warm_caches_are_a_second_figure() -> None:
    found = measured()
    assert found.warm_us == pytest.approx(0.7 * 80, rel=0.05)
    assert found.baseline_warm_us == pytest.approx(0.7 * 100, rel=0.05)
    assert found.candidate_us == pytest.approx(80, rel=0.05)


def test_short_steps_are_replayed_as_a_graph_on_both_sides_or_on_neither() -> None:
    short = {"candidate_us": 1.0, "baseline_us": 1.5, "seed": 3}
    assert measured(**short, steps=40).launched == "graph"
    assert measured(**short, steps=40, candidate={"trick": "no_graph"}).launched == "stream"
    assert measured().launched == "stream"
    # One step alone saves nothing behind a flush; what the host takes for it would still be in the warm figure.
    assert measured(10.0, 12.0).launched == "graph"
    assert measured(10.0, 12.0, candidate={"trick": "no_graph"}).launched == "stream"


def test_clocks_are_told() -> None:
    found = measured(throttled=0.7, hot_after=0.2)
    assert found.conditions.first_mhz == 2000.0
    assert found.conditions.last_mhz == 1400.0
