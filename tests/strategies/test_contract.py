"""What every strategy keeps to, whatever a run has come to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geak.errors import UsageError
from geak.journal.events import Event, Explained, Judged, Lesson, Move, Moved, RoleModel, Written
from geak.models.base import INDUCTOR
from geak.population import GIVEN, Population, fold
from geak.strategies.base import strategy
from geak_evaluator.schema.verdict import Status, Tier
from tests.journal.samples import begun, conditions, developed, unwritten, verdict

NAMES = ("reflexion", "best-of-n", "sweep")
OUTCOMES = ["accepted", "rejected", "undecided", "unwritten", "final refused"]


def outcome(name: str, how: str, call: int, move: Move) -> list[Event]:
    """A candidate's events after its move."""
    if how == "unwritten":
        return unwritten(name, call)[1:]
    status = Status.ACCEPTED if how == "final refused" else Status(how)
    events = developed(name, call, kind=move.kind, parents=move.parents, status=status)[1:]
    return [*events, Judged(name, Tier.FINAL, verdict(Status.REJECTED))] if how == "final refused" else events


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_a_strategy_goes_on_until_the_rounds_are_over(name: str, data: st.DataObject) -> None:
    samples, rounds = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
    models = conditions().models | ({"seeder": RoleModel(INDUCTOR)} if data.draw(st.booleans()) else {})
    tune = data.draw(st.sampled_from([0, 8]))
    asked = conditions(
        samples=samples, rounds=rounds, repairs=data.draw(st.integers(0, 2)), ancestors=2, models=models, tune=tune
    )
    population = fold(asked, [begun()])
    plan, call = strategy(name), 0
    working: dict[str, Move] = {}
    while True:
        moves = list(plan.moves(population))
        assert moves == list(plan.moves(population)), "it remembers something"
        for move in moves:
            check(move, population, working)
            population.add(Moved(move))
            working[move.candidate] = move
        if not working:
            break
        done = data.draw(st.sampled_from(sorted(working)))
        for event in outcome(done, data.draw(st.sampled_from(OUTCOMES)), call, working.pop(done)):
            population.add(event)
        call += 2
    candidates = population.candidates.values()
    tuned = [c.move.parents for c in candidates if c.move.kind == "tune"]
    assert len(tuned) == len(set(tuned)), "one kernel is tuned twice"
    if name != "sweep":
        assert len(candidates) == samples * rounds
        assert sum(c.move.kind == "seed" for c in candidates) == ("seeder" in models)
    else:
        assert [c.name for c in candidates if c.move.kind == "seed"] == [f"{n}.1" for n in range(1, samples + 1)]
        if population.best is not None and tune and rounds > samples:
            assert tuned, "nothing was tuned"


def check(move: Move, population: Population, working: dict[str, Move]) -> None:
    assert move.candidate == f"{move.lineage}.{move.round}"
    assert move.candidate not in population.candidates
    assert not any(other.lineage == move.lineage for other in working.values()), "the lineage is at work"
    assert 1 <= move.lineage <= population.conditions.samples
    assert 1 <= move.round <= population.conditions.rounds
    parents = [population.candidates[parent] for parent in move.parents]
    assert all(parent.source and parent.developed for parent in parents)
    assert (move.kind in ("draft", "seed")) == (not parents)
    if move.kind == "tune":
        assert [parent.accepted for parent in parents] == [True]
        assert parents[0].move.kind != "tune"
    if move.kind == "repair":
        assert not parents[-1].accepted
    if move.kind == "optimise":
        assert all(parent.accepted for parent in parents)
        assert len(parents) <= population.conditions.ancestors
        assert [p.rank for p in parents] == sorted(p.rank for p in parents)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_begun_before_the_given_kernel_is_judged(name: str) -> None:
    given_one: list[Event] = [Moved(Move(GIVEN, "given", 0, 0)), Written(GIVEN, "source")]
    population = fold(conditions(samples=2), [begun(), *given_one])
    assert list(strategy(name).moves(population)) == []
    population.add(Judged(GIVEN, Tier.FULL, verdict()))
    population.add(Explained(GIVEN, Lesson("given")))
    assert len(list(strategy(name).moves(population))) == (1 if name == "sweep" else 2)


def moves_of(outcomes: str, repairs: int = 2) -> str:
    """The kinds of moves that reflexion makes in one lineage: a letter each, for outcomes of a letter each."""
    population = fold(conditions(repairs=repairs, rounds=len(outcomes)), [begun()])
    kinds = ""
    for call, letter in enumerate(outcomes):
        (move,) = strategy("reflexion").moves(population)
        kinds += move.kind[0]
        how = {"a": "accepted", "r": "rejected", "u": "undecided", "-": "unwritten", "f": "final refused"}[letter]
        for event in (Moved(move), *outcome(move.candidate, how, call * 2, move)):
            population.add(event)
    return kinds


def test_reflexion_repairs_a_little_and_begins_anew() -> None:
    assert moves_of("rrrrrrr") == "drrdrrd", "a trap before the first success ends too"
    assert moves_of("arrrrra") == "dorrorr"
    assert moves_of("aaa") == "doo"
    assert moves_of("r-r") == "drd", "there is nothing to repair"
    assert moves_of("ur") == "dr"
    assert moves_of("fr") == "dd", "of what the final tier refuses nothing returns"
    assert moves_of("rr", repairs=0) == "dd"


def test_without_a_reference_nothing_but_the_given_kernel_is_left_to_tune() -> None:
    given_one = developed(GIVEN, 0, kind="given")
    population = fold(conditions(tune=8, samples=4), [begun(tune=8, samples=4), *given_one])
    (first,) = strategy("sweep").moves(population)
    assert (first.candidate, first.kind) == ("1.1", "seed")
    for event in unwritten("1.1", 2):
        population.add(event)
    (second,) = strategy("sweep").moves(population)
    assert (second.candidate, second.kind, second.parents) == ("1.2", "tune", (GIVEN,))


def test_a_given_kernel_is_bettered_or_repaired() -> None:
    for status, kind in ((Status.ACCEPTED, "optimise"), (Status.REJECTED, "repair")):
        population = fold(conditions(), [begun(), *developed(GIVEN, 0, kind="given", status=status)])
        (move,) = strategy("reflexion").moves(population)
        assert (move.kind, move.parents) == (kind, (GIVEN,))


def test_a_strategy_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="there is no strategy 'beam'; there are reflexion, best-of-n, sweep"):
        strategy("beam")
