"""What there is to be counted: a dataset run's folder, one kernel run, or anybody's kernels with their verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from geak.batch.card import CARD, Card, Chosen, Room, dataset_hash, kernel_folder, read_card, skipped
from geak.batch.card import VERSION as CARD_VERSION
from geak.errors import GeakError, UsageError
from geak.journal.events import Begun
from geak.journal.store import EVENTS
from geak.metrics.outcome import UNJUDGED, Outcome, of_run, of_verdict
from geak.record import Run, load_run
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Verdict

VERDICTS = "verdicts.jsonl"
"""Of a dataset whose kernels somebody else wrote: a task, a repeat and a verdict a line."""
Kind = Literal["kernel", "dataset", "kernels"]


@dataclass(frozen=True)
class Skipped:
    """A task that could not be run; it is in no metric, and it is said."""

    task: str
    reason: str


@dataclass(frozen=True)
class Results:
    """All outcomes of a folder, with what they are comparable by."""

    folder: Path
    kind: Kind
    card: Card
    outcomes: tuple[Outcome, ...]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    """What else a reader should know."""


@dataclass(frozen=True)
class Line:
    """One line of `verdicts.jsonl`."""

    task: str
    repeat: int
    kernel: str
    """Where it came from."""
    verdict: Verdict | None = None
    problem: str = ""
    """Why there is no verdict."""
    soft: bool = False
    """Of its task: lint says that a kernel without work could pass."""


def load(folder: str | Path) -> Results:
    """What a folder holds, also while a process works on it; UsageError where that is nothing to be counted."""
    place = Path(folder)
    if (place / EVENTS).is_file():
        run = load_run(place)
        outcome = of_run(run.population.conditions.spec, 1, run.population, run.entries)
        return Results(place, "kernel", card_of(run), (outcome,))
    if (place / CARD).is_file():
        return _dataset(place, read_card(place))
    raise UsageError(f"{folder} holds neither a run nor a dataset run: there is no {EVENTS} and no {CARD} in it")


def card_of(run: Run) -> Card:
    """A kernel run as a dataset of one."""
    asked, begun = run.population.conditions, run.entries[0].event
    assert isinstance(begun, Begun)
    chosen = (Chosen(asked.spec, asked.spec_sha256),)
    return Card(
        **_alike(asked),
        version=CARD_VERSION,
        dataset=asked.spec,
        format="native",
        dataset_sha256=dataset_hash(chosen),
        judge=room(begun.judge),
        devices=(),
        repeats=1,
        geak=begun.geak,
        began=run.entries[0].at,
        tasks=chosen,
    )


def room(said: dict[str, str]) -> Room:
    """A judge as a kernel run's first event names it."""
    packages = {name: version for name, version in said.items() if name not in ("python", "sandbox", "sha256")}
    return Room(said.get("sha256", ""), said.get("python", ""), said.get("sandbox", ""), packages)


def _alike(asked: Any) -> dict[str, Any]:
    """What a card takes of a run's conditions as it is."""
    names = ("models", "policy", "targets", "goal", "strategy", "samples", "rounds", "repairs", "ancestors", "tune")
    return {name: getattr(asked, name) for name in (*names, "caps", "hint")}


def given(place: Path, card: Card, lines: Iterable[Line]) -> Results:
    """What somebody's kernels come to: a task without one counts as failed, and has no repeats."""
    by_task: dict[str, list[Outcome]] = {}
    for line in lines:
        outcome = of_verdict(line.task, line.repeat, line.verdict, soft=line.soft, policy=card.policy)
        by_task.setdefault(line.task, []).append(outcome)
    outcomes = [
        replace(outcome, category=task.category)
        for task in card.tasks
        for outcome in sorted(by_task.get(task.name, [Outcome(task.name, policy=card.policy)]), key=lambda o: o.repeat)
    ]
    return Results(place, "kernels", card, tuple(outcomes))


def _dataset(place: Path, card: Card) -> Results:
    if (place / VERDICTS).is_file():
        return given(place, card, _lines(place / VERDICTS))
    left = {task: why for task, why in skipped(place).items() if task}
    notes: list[str] = []
    outcomes = []
    for task in card.tasks:
        for repeat in range(1, card.repeats + 1):
            outcome = _outcome(place, task.name, repeat, card, notes)
            if outcome is None and task.name in left:
                continue
            outcome = outcome or Outcome(task.name, repeat, policy=card.policy)
            outcomes.append(replace(outcome, category=task.category))
    soft = {outcome.task for outcome in outcomes if outcome.soft}
    outcomes = [replace(outcome, soft=outcome.task in soft) for outcome in outcomes]  # repeats not begun, too
    begun = {outcome.task for outcome in outcomes}
    aside = [Skipped(name, why) for name, why in left.items() if name not in begun]
    aside += [Skipped(one.name, one.why) for one in card.left_out if one.name not in left]
    return Results(place, "dataset", card, tuple(outcomes), tuple(aside), tuple(notes))


def _outcome(place: Path, task: str, repeat: int, card: Card, notes: list[str]) -> Outcome | None:
    folder = kernel_folder(place, task, repeat)
    if not (folder / EVENTS).is_file():
        return None
    try:
        run = load_run(folder)
    except GeakError as error:
        notes.append(f"{task}, repeat {repeat}, counts as failed: {error}")
        return Outcome(task, repeat, policy=card.policy, cause=UNJUDGED)
    return of_run(task, repeat, run.population, run.entries)


def _lines(file: Path) -> Iterator[Line]:
    if not file.is_file():
        return
    for number, line in enumerate(file.read_bytes().split(b"\n")[:-1], 1):
        try:
            yield codec.from_json(Line, codec.loads(line))
        except codec.WireError as error:
            raise UsageError(f"{file}, line {number} cannot be read: {str(error)[:200]}") from None
