"""What measurements say together, and that nothing but a measurement says a speed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from geak_evaluator.schema import codec
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.timing import Interval, State, Timing, share_of_light, speedup


def timing(ratio: float = 1.3, *, n: int = 4096, weight: float = 1.0, spread: float = 0.04, **more: object) -> Timing:
    case = Case({"N": n}, weight=weight)
    interval = Interval(ratio / (1 + spread), ratio * (1 + spread))
    made = Timing(case, "AMD Instinct MI300X", "gfx942", "original", ratio=ratio, interval=interval)
    return replace(made, candidate_us=100.0, baseline_us=100.0 * ratio, candidate=Interval(98.0, 102.0), **more)


def test_a_figure_is_said_with_its_interval_its_baseline_and_its_device() -> None:
    assert timing().brief == (
        "1.30x (1.25 to 1.35) over the original, measured on AMD Instinct MI300X: 100 us against 130 us [N=4096]"
    )
    assert "62% of the estimated speed of light" in timing(sol_us=62.0).brief


@pytest.mark.parametrize("state", [state for state in State if state is not State.MEASURED])
def test_without_a_measurement_there_is_no_figure(state: State) -> None:
    one = timing(state=state, message="because")
    assert "x (" not in one.brief
    assert "because" in one.brief
    assert not one.counts
    assert not one.surely_faster
    assert speedup([one]) is None


def test_K50_a_mean_is_of_all_cases_or_of_none() -> None:
    """Weighted and geometric; a case that failed is not left out, for that would flatter the rest."""
    found = speedup([timing(2.0, n=1, weight=3), timing(0.5, n=2)])
    assert found is not None
    assert found.ratio == pytest.approx(math.exp(0.75 * math.log(2) + 0.25 * math.log(0.5)))
    assert (found.worst, str(found.worst_case)) == (0.5, "N=2")
    assert found.interval.low < found.ratio < found.interval.high
    assert "2 cases, worst case 0.50x" in found.brief
    assert speedup([timing(2.0, n=1), timing(n=2, state=State.NOISY)]) is None
    lost = replace(timing(n=2, state=State.FAILED), baseline="")
    assert speedup([timing(2.0, n=1), lost]) is None  # it went wrong before anything was there to be beaten


def test_of_several_baselines_the_hardest_counts() -> None:
    eager = replace(timing(3.0), baseline="eager")
    found = speedup([eager, timing(1.1)])
    assert found is not None
    assert (found.baseline, found.ratio) == ("original", 1.1)
    named = speedup([eager, timing(1.1)], baseline="eager")
    assert named is not None
    assert named.ratio == pytest.approx(3.0)


def test_the_share_of_light_is_by_the_slow_end_and_of_all_cases() -> None:
    assert share_of_light([timing(sol_us=51.0)]) == pytest.approx(0.5)
    assert share_of_light([timing(sol_us=51.0), timing(n=2)]) == 0.0
    assert share_of_light([]) == 0.0


def test_a_timing_crosses_the_wire() -> None:
    one = timing(sol_us=3.5, state=State.CONTENDED, message="x")
    assert codec.from_json(Timing, codec.loads(codec.dumps(one))) == one
