"""What makes one kernel better than another: what was measured decides, for time, for energy, or for both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from geak.errors import MachineError
from geak.objective import Objective, must_be_measurable, surely_better
from geak.population import fold
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.timing import Interval, State, Timing
from geak_evaluator.schema.verdict import Status, Verdict
from tests.journal.samples import begun, conditions, developed

CASE = Case({"N": 4096})


def verdict(us: float, joules: float | None = None, **more: object) -> Verdict:
    timing = Timing(
        CASE, "AMD Instinct MI300X", "gfx942", candidate_us=us, candidate=Interval(us * 0.98, us * 1.02), joules=joules
    )
    timing = replace(timing, **more)  # type: ignore[arg-type]
    return Verdict("k", Status.ACCEPTED, "interpreter", "gfx942", "float64", "isolated", timings=(timing,))


FAST_AND_HUNGRY, SLOW_AND_THRIFTY = verdict(10, 0.02), verdict(20, 0.01)


@pytest.mark.parametrize(("objective", "fast", "slow"), [("time", True, False), ("energy", False, True)])
def test_time_and_energy(objective: Objective, fast: bool, slow: bool) -> None:
    assert surely_better(FAST_AND_HUNGRY, SLOW_AND_THRIFTY, objective) is fast
    assert surely_better(SLOW_AND_THRIFTY, FAST_AND_HUNGRY, objective) is slow


def test_of_two_that_trade_neither_dominates() -> None:
    assert surely_better(FAST_AND_HUNGRY, SLOW_AND_THRIFTY, "pareto") is False
    assert surely_better(SLOW_AND_THRIFTY, FAST_AND_HUNGRY, "pareto") is False
    assert surely_better(verdict(10, 0.01), SLOW_AND_THRIFTY, "pareto") is True


def test_what_the_sensors_cannot_tell_apart_is_no_difference() -> None:
    assert surely_better(verdict(10, 0.0100), verdict(10, 0.0105), "energy") is False
    assert surely_better(verdict(10.0), verdict(10.2), "time") is False


@pytest.mark.parametrize(
    "other", [verdict(20), verdict(20, 0.01, state=State.NOISY), verdict(20, 0.01, device="AMD Instinct MI210")]
)
def test_what_was_not_measured_alike_is_not_compared(other: Verdict) -> None:
    assert surely_better(FAST_AND_HUNGRY, other, "energy") is None


def test_the_population_is_put_in_order_by_what_was_measured() -> None:
    verdicts = {"1.1": FAST_AND_HUNGRY, "1.2": SLOW_AND_THRIFTY}
    events = [event for number, name in enumerate(verdicts) for event in developed(name, 2 * number)]
    for objective, best in (("time", "1.1"), ("energy", "1.2")):
        population = fold(replace(conditions(), objective=objective), [begun(), *events])
        for name, found in verdicts.items():
            population._change(name, verdict=found)
        assert population.best is not None
        assert population.best.name == best


def test_energy_without_a_device_is_said_before_anything_is_spent() -> None:
    must_be_measurable("time", measures=False)
    must_be_measurable("pareto", measures=True)
    with pytest.raises(MachineError, match=r"--objective energy needs a GPU .*--objective time"):
        must_be_measurable("energy", measures=False)


def test_of_several_timed_cases_each_counts() -> None:
    other = Case({"N": 8192})

    def both(first: Verdict, us: float, joules: float | None) -> Verdict:
        return replace(first, timings=(*first.timings, replace(verdict(us, joules).timings[0], case=other)))

    thrifty, hungry = verdict(10, 0.01), verdict(10, 0.02)
    assert surely_better(both(thrifty, 10, 0.01), both(hungry, 10, 0.02), "energy") is True
    assert surely_better(both(thrifty, 10, 0.03), both(hungry, 10, 0.02), "energy") is False  # worse at one size
    assert surely_better(both(thrifty, 5, 0.02), both(hungry, 10, 0.02), "pareto") is True
    assert surely_better(both(thrifty, 10, 0.01), hungry, "energy") is None  # measured at one size only
    assert surely_better(both(thrifty, 10, None), both(hungry, 10, 0.02), "energy") is None  # not known at one size
