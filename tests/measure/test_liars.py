"""The timing cheats of the catalogues, by a device on which a kernel does them: none gets a figure that counts."""

from __future__ import annotations

import pytest

from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.schema.timing import State
from geak_evaluator.schema.verdict import Status, Tier
from tests.measure import scene
from tests.measure.sides import measured


def test_an_honest_kernel_gets_a_figure(box: Sandbox) -> None:
    (timing,) = scene.timings(box)
    assert timing.state is State.MEASURED, timing.message
    assert timing.interval is not None
    assert timing.interval.low < 1.5 < timing.interval.high
    assert timing.checked >= 2
    assert timing.brief.startswith("1.5")
    assert "over eager torch, measured on simulated gfx942" in timing.brief


@pytest.mark.parametrize("trick", ["cached", "batch", "warm_up"], ids=["K13_C43", "K15", "K30_C46_warm_up"])
def test_work_that_is_left_out_while_it_is_timed(box: Sandbox, trick: str) -> None:
    """Fresh values lie in the same addresses and in others, and what a timed call computed is looked at."""
    (timing,) = scene.timings(box, trick=trick, liar="_scale")
    assert timing.state is State.FAILED
    assert "what it computed while it was timed is wrong" in timing.message


def test_results_that_are_kept_by_their_values(box: Sandbox) -> None:
    """All timed calls compute right, on values that each of them has met before: only new ones show it."""
    (timing,) = scene.timings(box, trick="remembers", liar="_scale", us=60.0)
    assert timing.state is State.FAILED
    assert "on values that it met for the first time" in timing.message


@pytest.mark.parametrize("trick", ["side_stream", "lazy"], ids=["C41_K21", "lazy_result"])
def test_work_that_comes_later(box: Sandbox, trick: str) -> None:
    """Outputs are copied by the device itself, right behind the event that ends the call."""
    (timing,) = scene.timings(box, trick=trick, liar="_scale")
    assert timing.state is State.FAILED


def test_K25_events_that_tell_too_little(box: Sandbox) -> None:
    """Whoever had his hand on the events: the judge's own clock sees the time that they leave out."""
    (timing,) = scene.timings(box, trick="fast_events", liar="_scale", us=500.0)
    assert timing.state is State.FAILED
    assert "work is done where the events do not see it" in timing.message


@pytest.mark.parametrize("tier", [Tier.FULL, Tier.FINAL])
def test_C55_K29_faster_than_the_device_can_be(box: Sandbox, tier: Tier) -> None:
    judge = scene.measuring_judge(box, estimates=True, trick="sub_roofline", liar="_scale")
    verdict = judge.evaluate(scene.file(), scene.KERNEL.encode(), time=True, tier=tier)
    assert [one.state for one in verdict.timings] == [State.BELOW_FLOOR], verdict.timings
    assert "need" in verdict.timings[0].message
    assert "measured" not in verdict.line()


def test_K28_a_baseline_that_is_slowed_down() -> None:
    """Load that a candidate leaves behind shows at the known kernel, and in a baseline that was faster alone."""
    found = measured(candidate={"leaves_load": 1.2})
    assert found.state is State.CONTENDED
    assert "beside the candidate and" in found.message
    assert measured(candidate={"leaves_load": 2.0}).state is State.CONTENDED


def test_K30_slow_first_calls_change_nothing() -> None:
    """How often something is called never follows from how long it took at first alone: looks are at fixed counts."""
    found = measured(candidate={"slow_first": 8})
    assert found.state is State.MEASURED
    assert found.interval is not None
    assert found.interval.low < 1.25 < found.interval.high


def test_a_call_that_remembers_is_no_second_figure(box: Sandbox) -> None:
    """The wrapper's own Python may lie about its call alone, and what it gives is looked at there as well."""
    kernel = scene.KERNEL.replace(
        "def scale(x):\n",
        "KEPT = []\n\ndef scale(x):\n    if len(KEPT) > 40:\n        return KEPT[-1]\n    KEPT.append(_work(x))\n"
        "    return KEPT[-1]\n\ndef _work(x):\n",
    )
    (timing,) = scene.timings(box, kernel)
    assert timing.state is State.MEASURED
    assert timing.call_us == 0.0
    assert "its call was not timed: what the call gives is wrong" in timing.message


def test_a_refused_kernel_is_not_timed(box: Sandbox) -> None:
    judge = scene.measuring_judge(box)
    verdict = judge.evaluate(scene.file(), scene.KERNEL.replace("* 2 + 1", "* 2 + 2").encode(), time=True)
    assert verdict.status is Status.REJECTED
    assert verdict.timings == ()
