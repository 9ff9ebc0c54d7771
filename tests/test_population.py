"""A run's state is a fold over its events: in whatever order independent ones came, it is the same."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geak.journal.events import Announced, Event, Failed, Judged, Lesson, Move, Moved, Received, Unjudged, Written
from geak.population import GIVEN, Candidate, Population, fold
from geak_evaluator.schema.estimate import APART, Estimate
from geak_evaluator.schema.machine_code import Counts, Figures
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.verdict import Code, Status, Tier, Verdict
from tests.journal.samples import begun, conditions, developed, unwritten, verdict


@st.composite
def lineages(draw: st.DrawFn) -> list[list[Event]]:
    """The events of several lineages, each in its own order."""
    found, call = [], 0
    for number in range(1, draw(st.integers(1, 4)) + 1):
        events: list[Event] = []
        for turn in range(1, draw(st.integers(1, 4)) + 1):
            kind = draw(st.sampled_from(["accepted", "rejected", "undecided", "unwritten"]))
            name = f"{number}.{turn}"
            events += unwritten(name, call) if kind == "unwritten" else developed(name, call, status=Status(kind))
            call += 2
        found.append(events)
    return found


def interleaved(lines: list[list[Event]], seed: int) -> list[Event]:
    """All of them in one order that keeps each line's own."""
    rng, left = random.Random(seed), [list(line) for line in lines]
    merged: list[Event] = []
    while left := [line for line in left if line]:
        merged.append(rng.choice(left).pop(0))
    return merged


@given(lineages(), st.integers(), st.integers())
def test_any_interleaving_folds_to_an_equal_state(lines: list[list[Event]], one: int, other: int) -> None:
    first = fold(conditions(), [begun(), *interleaved(lines, one)])
    second = fold(conditions(), [begun(), *interleaved(lines, other)])
    assert first == second
    assert list(first.candidates) == list(second.candidates)
    assert [c.name for c in first.ranked] == [c.name for c in second.ranked]
    assert first.lessons() == second.lessons()
    assert not first.account.open


@given(lineages(), st.integers(), st.data())
def test_a_state_can_be_gone_on_with_from_any_point(lines: list[list[Event]], seed: int, data: st.DataObject) -> None:
    events = [begun(), *interleaved(lines, seed)]
    cut = data.draw(st.integers(0, len(events)))
    population = fold(conditions(), events[:cut])
    for event in events[cut:]:
        population.add(event)
    assert population == fold(conditions(), events)


@given(lineages(), st.integers(), st.data())
def test_what_was_announced_counts_until_it_is_settled(
    lines: list[list[Event]], seed: int, data: st.DataObject
) -> None:
    events = interleaved(lines, seed)
    events = events[: data.draw(st.integers(0, len(events)))]
    account = fold(conditions(), [begun(), *events]).account
    announced = {e.call: e for e in events if isinstance(e, Announced)}
    received = {e.call: e for e in events if isinstance(e, Received)}
    usd = sum((received[c].usd if c in received else a.bound_usd) or 0.0 for c, a in announced.items())
    assert account.spent_usd == pytest.approx(usd)
    assert account.calls == len(announced)


def test_a_call_that_failed_is_free_unless_it_may_be_charged() -> None:
    population = fold(conditions(), [begun()])
    for number, charged in enumerate((False, True)):
        population.add(Announced(number, "1.1", "generator", "scripted:x", "prompt", 5000, 0.05))
        population.add(Failed(number, "cut", "the reply ended in the middle", charged))
    account = population.account
    assert (account.usd, account.spent_tokens, account.lost, account.calls) == (0.05, 5000, 1, 2)


def figures(*, spills: int = 0, widths: dict[str, int] | None = None, occupancy: float = 8) -> Figures:
    counts = Counts(loads=widths or {"32": 1})
    return Figures("gfx942", "k", 4, 2, 0, 0, occupancy, 8, ("waves",), 100, counts, vgprs=8, vgpr_spills=spills)


def judged(name: str, source: str, *kernels: Figures, status: Status = Status.ACCEPTED) -> list[Event]:
    said = verdict(status)
    said = Verdict(**{**vars(said), "code": (Code("gfx942", tuple(kernels)),)})
    lineage, _, turn = name.partition(".")
    move = Move(name, "given" if name == GIVEN else "draft", int(lineage), int(turn or 0))
    return [Moved(move), Written(name, source), Judged(name, Tier.FULL, said)]


def test_accepted_kernels_are_ranked_by_what_the_compiler_says() -> None:
    events = [
        *judged("1.1", "a", figures(spills=4, widths={"128": 9})),
        *judged("1.2", "b", figures(widths={"16": 9})),
        *judged("1.3", "c", figures(widths={"128": 9}, occupancy=2)),
        *judged("1.4", "d", figures(widths={"128": 9}, occupancy=8)),
        *judged("2.1", "e", figures(widths={"128": 9}), status=Status.REJECTED),
        *judged("2.2", "b", figures(widths={"16": 9})),
    ]
    population = fold(conditions(), [begun(), *events])
    assert [c.name for c in population.ranked] == ["1.1", "1.2", "1.3", "1.4"]  # 2.2 is 1.2 again
    assert population.best is not None
    assert population.best.name == "1.4"


def test_of_equals_the_earlier_is_the_better_and_the_given_the_best() -> None:
    events = [*judged("1.2", "b", figures()), *judged("1.1", "a", figures()), *judged(GIVEN, "o", figures())]
    population = fold(conditions(), [begun(), *events])
    assert [c.name for c in population.ranked] == ["1.2", "1.1", GIVEN]


def test_what_the_final_tier_refuses_is_never_the_best() -> None:
    events = [*judged("1.1", "a", figures(widths={"128": 1})), *judged("1.2", "b", figures())]
    population = fold(conditions(), [begun(), *events, Judged("1.1", Tier.FINAL, verdict(Status.REJECTED))])
    assert population.best is not None
    assert population.best.name == "1.2"


def test_a_candidate_over_which_the_judges_died_says_so() -> None:
    moved, written, _ = judged("1.1", "a", figures())
    population = fold(conditions(), [begun(), moved, written, Unjudged("1.1", Tier.FULL, "the judge ended")])
    assert population.candidates["1.1"].trouble == "the judge ended"
    assert not population.candidates["1.1"].accepted


def test_the_ledger_is_short_and_says_nothing_twice() -> None:
    population = Population(conditions())
    for turn in range(1, 100):
        lesson = Lesson(f"cause {turn % 40}", outcome="worked" if turn % 10 == 0 else "avoid")
        population.candidates[f"1.{turn}"] = Candidate(Move(f"1.{turn}", "draft", 1, turn), lesson=lesson)
    told = population.lessons(12)
    assert len(told) == 12
    assert len({lesson.cause for _, lesson in told}) == 12
    assert sum(lesson.outcome == "worked" for _, lesson in told) == 4
    assert [c.move.round for c, _ in told] == sorted(c.move.round for c, _ in told)


def estimated(name: str, call: int, us: float, **more: Any) -> list[Event]:
    """A candidate that is accepted, with an estimate for the first target."""
    said = replace(
        verdict(), estimates=(Estimate("gfx942", Case({"N": 64}), us, us / 2, us * 2), *more.get("also", ()))
    )
    return [e if not isinstance(e, Judged) else replace(e, verdict=said) for e in developed(name, call)]


@given(st.lists(st.sampled_from([80.0, 100.0, 110.0, 130.0, 150.0, 400.0]), min_size=2, max_size=5))
def test_the_best_is_one_that_no_other_surely_beats(times: list[float]) -> None:
    population = fold(conditions(), [begun()])
    for number, us in enumerate(times, 1):
        for event in estimated(f"{number}.1", 2 * number, us):
            population.add(event)
    best = population.best
    assert best is not None
    own = times[best.move.lineage - 1]
    assert own <= APART * min(times)
    undecided = [number for number, us in enumerate(times, 1) if us <= APART * min(times)]
    assert best.move.lineage == undecided[0], "an estimate decided between two that it cannot tell apart"


def test_estimates_of_other_cases_and_targets_decide_nothing() -> None:
    slow = Estimate("sm_90", Case({"N": 64}), 900.0)
    population = fold(conditions(), [begun(), *estimated("1.1", 0, 100.0, also=[slow]), *estimated("2.1", 2, 100.0)])
    assert population.best is not None
    assert population.best.name == "1.1"
