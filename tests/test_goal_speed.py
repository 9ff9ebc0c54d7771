"""A speed as a goal: by measurements alone, and by the final tier's once there are any."""

from __future__ import annotations

from dataclasses import replace

import pytest

from geak.goal import FASTER, Goal
from geak.journal.events import Event, Judged
from geak.population import GIVEN, Population, fold
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.timing import Interval, State, Timing
from geak_evaluator.schema.verdict import Tier
from tests.journal.samples import begun, conditions, developed, verdict


def timed(ratio: float, low: float, high: float, baseline: str = "original", n: int = 4, **more: object) -> Timing:
    made = Timing(Case({"N": n}), "AMD Instinct MI300X", "gfx942", baseline, ratio=ratio, interval=Interval(low, high))
    return replace(made, candidate_us=10.0, baseline_us=10 * ratio, candidate=Interval(9.9, 10.1), **more)


def run(*named: tuple[str, tuple[Timing, ...]], final: tuple[Timing, ...] = (), **asked: object) -> Population:
    """A run over these candidates, the last of which the final tier has seen too, if `final` is given."""
    events: list[Event] = [begun(**asked)]
    for call, (name, timings) in enumerate(named):
        kind = "given" if name == GIVEN else "draft"
        made = developed(name, 10 * call, kind=kind)  # type: ignore[arg-type]
        events += [
            replace(e, verdict=replace(e.verdict, timings=timings)) if isinstance(e, Judged) else e for e in made
        ]
    if final:
        events.append(Judged(named[-1][0], Tier.FINAL, replace(verdict(), timings=final)))
    return fold(conditions(**asked), events)


@pytest.mark.parametrize(
    ("goal", "timing", "reached"),
    [
        ("faster", timed(1.05, 1.01, 1.09), True),
        ("faster", timed(1.05, 0.99, 1.11), False),
        ("1.2x", timed(1.3, 1.21, 1.4), True),
        ("1.2x", timed(1.3, 1.15, 1.45), False),
        ("1.2x", timed(3.0, 2.9, 3.1, state=State.CONTENDED), False),
        ("sol:0.9", timed(1.0, 0.9, 1.1, sol_us=9.5), True),
        ("sol:0.9", timed(1.0, 0.9, 1.1, sol_us=9.05), False),  # by the slow end of the interval
        ("sol:0.9", timed(1.0, 0.9, 1.1), False),
    ],
)
def test_a_speed_is_reached_by_the_whole_interval(goal: str, timing: Timing, reached: bool) -> None:
    assert (Goal.parse(goal).reached_by(run(("1.1", (timing,)))) is not None) is reached


def test_what_was_not_timed_reaches_no_speed() -> None:
    for goal in ("faster", "1.2x", "sol:0.9"):
        assert Goal.parse(goal).reached_by(run(("1.1", ()))) is None


def test_the_final_tier_measures_again_and_its_word_counts() -> None:
    first = timed(1.3, 1.25, 1.35)
    assert Goal.parse("1.2x").reached_by(run(("1.1", (first,)), final=(timed(1.25, 1.21, 1.29),))) is not None
    assert Goal.parse("1.2x").reached_by(run(("1.1", (first,)), final=(timed(1.15, 1.11, 1.19),))) is None


def test_one_case_may_lose_only_so_much() -> None:
    cases = (timed(2.0, 1.9, 2.1), timed(0.9, 0.88, 0.92, n=5))
    assert Goal.parse("faster").reached_by(run(("1.1", cases))) is not None
    assert Goal.parse("faster").reached_by(run(("1.1", cases), max_case_loss=0.2)) is not None
    assert Goal.parse("faster").reached_by(run(("1.1", cases), max_case_loss=0.05)) is None


def test_the_goal_of_a_machine_with_a_device_is_said() -> None:
    assert str(Goal.parse(FASTER)) == FASTER
    Goal.parse(FASTER).must_be_measurable(measured=True)


def test_the_best_is_the_fastest_that_was_measured() -> None:
    slow, fast = (timed(1.1, 1.08, 1.12),), (timed(1.4, 1.38, 1.42),)
    best = run((GIVEN, ()), ("1.1", fast), ("2.1", slow)).best
    assert best is not None
    assert best.name == "1.1"


def test_what_is_slower_than_the_original_is_not_better_than_it() -> None:
    best = run((GIVEN, ()), ("1.1", (timed(0.8, 0.78, 0.82),))).best
    assert best is not None
    assert best.name == GIVEN


def test_intervals_that_meet_decide_nothing_by_themselves() -> None:
    """Then the ratio orders, as the likelier of two."""
    ranked = run(("1.1", (timed(1.10, 1.0, 1.2),)), ("1.2", (timed(1.15, 1.05, 1.25),))).ranked
    assert [c.name for c in ranked] == ["1.1", "1.2"]
