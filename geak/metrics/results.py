"""What there is to be counted: a dataset run's folder, one kernel run, or anybody's kernels with their verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from geak.errors import GeakError, UsageError
from geak.journal.store import EVENTS
from geak.metrics.outcome import UNJUDGED, Outcome, of_run, of_verdict
from geak.record import Run, load_run
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Policy, Verdict

CARD, SKIPPED, KERNELS, VERDICTS = "dataset.json", "skipped.jsonl", "kernels", "verdicts.jsonl"
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
    card: Mapping[str, Any]
    """The protocol card, as it was written; of one kernel run, what its first event says."""
    outcomes: tuple[Outcome, ...]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


def load(folder: str | Path) -> Results:
    """What a folder holds, also while a process works on it; UsageError where that is nothing to be counted."""
    place = Path(folder)
    if (place / EVENTS).is_file():
        run = load_run(place)
        return Results(place, "kernel", card_of(run), (of_run(run.population.conditions.spec, 1, *_parts(run)),))
    if (place / CARD).is_file():
        return _dataset(place)
    raise UsageError(f"{folder} holds neither a run nor a dataset run: there is no {EVENTS} and no {CARD} in it")


def card_of(run: Run) -> dict[str, Any]:
    """What a kernel run says of how it was made: what must be equal before two may be compared, and what is compared."""
    population = run.population
    asked = population.conditions
    return {
        "spec": asked.spec,
        "spec_sha256": asked.spec_sha256,
        "judge": dict(population.judge),
        "policy": asked.policy.value,
        "targets": list(asked.targets),
        "caps": codec.to_json(asked.caps),
        "samples": asked.samples,
        "rounds": asked.rounds,
        "goal": asked.goal,
        "strategy": asked.strategy,
        "models": {role: model.model for role, model in asked.models.items()},
    }


def runs(folder: Path) -> Iterator[tuple[str, int, Path]]:
    """The kernel runs of a dataset run: task, repeat, folder."""
    for task in sorted(p for p in (folder / KERNELS).glob("*") if p.is_dir()):
        for repeat in sorted((p for p in task.glob("*") if p.name.isdecimal()), key=lambda p: int(p.name)):
            yield task.name.replace("__", "/"), int(repeat.name), repeat


def _dataset(place: Path) -> Results:
    card = _object(place / CARD)
    about = _tasks(card)
    found: dict[tuple[str, int], Outcome] = {}
    notes = []
    for task, repeat, folder in runs(place):
        if not (folder / EVENTS).is_file():
            continue
        try:
            found[task, repeat] = of_run(task, repeat, *_parts(load_run(folder)))
        except GeakError as error:
            notes.append(f"{task}, repeat {repeat}, counts as failed: {error}")
            found[task, repeat] = Outcome(task, repeat, cause=UNJUDGED)
    found |= {(o.task, o.repeat): o for o in _verdicts(place, card)}
    skipped = tuple(_skipped(place))
    left = {one.task for one in skipped} - {task for task, _ in found}
    policy = Policy(card.get("policy", "pure"))
    for task in (*about, *{task for task, _ in found}):
        for repeat in range(1, int(card.get("repeats", 1)) + 1):
            if task not in left:
                found.setdefault((task, repeat), Outcome(task, repeat, policy=policy))
    outcomes = [_with(outcome, about.get(outcome.task, {})) for _, outcome in sorted(found.items())]
    kind: Kind = "kernels" if (place / VERDICTS).is_file() else "dataset"
    return Results(place, kind, card, tuple(outcomes), skipped, tuple(notes))


def _parts(run: Run) -> tuple[Any, Any]:
    return run.population, run.entries


def _with(outcome: Outcome, about: Mapping[str, Any]) -> Outcome:
    return replace(outcome, category=str(about.get("category", "")), soft=bool(about.get("soft", False)))


def _tasks(card: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """By name what the card says of each task."""
    return {one["name"]: one for one in card.get("tasks", ()) if isinstance(one, dict) and "name" in one}


def _skipped(place: Path) -> Iterator[Skipped]:
    for line in _lines(place / SKIPPED):
        yield Skipped(str(line.get("task", "")), str(line.get("reason", "")))


def _verdicts(place: Path, card: Mapping[str, Any]) -> Iterator[Outcome]:
    policy = Policy(card.get("policy", "pure"))
    counts: dict[str, int] = {}
    for line in _lines(place / VERDICTS):
        task = str(line.get("task", ""))
        counts[task] = counts.get(task, 0) + 1
        verdict = codec.from_json(Verdict, line["verdict"]) if line.get("verdict") else None
        yield of_verdict(task, int(line.get("repeat") or counts[task]), verdict, policy=policy)


def _lines(file: Path) -> Iterable[dict[str, Any]]:
    if not file.is_file():
        return
    for number, line in enumerate(file.read_bytes().split(b"\n")[:-1], 1):
        try:
            said = codec.loads(line)
        except codec.WireError as error:
            raise UsageError(f"{file}, line {number}: {error}") from None
        if isinstance(said, dict):
            yield said


def _object(file: Path) -> dict[str, Any]:
    try:
        said = json.loads(file.read_bytes())
    except ValueError as error:
        raise UsageError(f"{file} is no JSON: {error}") from None
    if not isinstance(said, dict):
        raise UsageError(f"{file} is no protocol card: it holds no object")
    return said
