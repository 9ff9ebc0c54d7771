"""Anybody's kernels, judged in bulk: the same verdicts and the same numbers as a run of ours, and no model is asked."""

from __future__ import annotations

import asyncio
import datetime
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geak.batch.card import VERSION, Card, dataset_hash, devices, folder_name, room, write_card
from geak.batch.choosing import Dataset, described, open_dataset
from geak.errors import GeakError
from geak.formats.base import Scale
from geak.formats.registry import why_not
from geak.journal.events import Caps
from geak.journal.store import write
from geak.judge import Judge
from geak.judges import Judges, default_commands
from geak.metrics.results import VERDICTS, Line, Results, given
from geak.submissions import Submission, collect, strangers
from geak.tasks import Task
from geak.version import __version__
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Policy, Tier
from geak_evaluator.schema.wire import Hello


@dataclass(frozen=True)
class Kernels:
    """What there is to be judged."""

    dataset: Dataset
    found: tuple[Submission, ...]
    missing: tuple[str, ...]
    """Tasks for which nobody wrote a kernel: they count as failed."""
    strangers: tuple[str, ...] = ()
    """Kernels that lie there too, by names that no task has: they count nowhere."""


def open_kernels(dataset: str, kernels: Path, scale: Scale | None = None) -> Kernels:
    """The kernels for a dataset's tasks, as they lie in a folder or a file."""
    opened = open_dataset(dataset, scale)
    tasks = {listed.name: listed.file for listed in opened.tasks if not why_not(listed)}
    found, missing = collect(tasks, kernels)
    return Kernels(opened, tuple(found), tuple(missing), tuple(strangers(tasks, kernels, found)))


def judge(every: Kernels, room: Judge, asked: Mapping[str, Any], policy: Policy | None = None) -> Iterator[Line]:
    """The verdicts, as they come; what cannot be judged says why in its place, and costs no other its verdict.

    Where no policy is named each task is judged under its own.
    """
    with tempfile.TemporaryDirectory(prefix="geak-specs-") as folder:
        made = asyncio.run(_specs(every, Path(folder)))
        ready: dict[Policy, list[tuple[Submission, Task]]] = {}
        for one in every.found:
            task = made[one.task]
            if isinstance(task, GeakError):
                yield Line(one.task, one.repeat, one.label, problem=str(task))
            else:
                ready.setdefault(policy or task.policy, []).append((one, task))
        for ruled, group in ready.items():
            kernels = [(task.spec, one.source) for one, task in group]
            for number, verdict in room.evaluate_all(kernels, policy=ruled, **asked):
                one, its = group[number]
                if isinstance(verdict, GeakError):
                    yield Line(one.task, one.repeat, one.label, problem=str(verdict), soft=bool(its.soft))
                else:
                    yield Line(one.task, one.repeat, one.label, verdict, soft=bool(its.soft))


def results(
    every: Kernels,
    lines: Sequence[Line],
    hello: Hello,
    asked: Mapping[str, Any],
    policy: Policy | None = None,
    out: Path | None = None,
) -> Results:
    """What they come to in numbers; kept in a folder, where one is named, as a dataset run that has no runs."""
    card = _card(every, hello, asked["targets"], asked["tier"], policy or Policy.PURE)
    if out is not None:
        write_card(out, card)
        text = "".join(f"{codec.dumps(line)}\n" for line in lines)
        write(out / VERDICTS, text.encode())
    return given(out or Path("."), card, lines)


async def _specs(every: Kernels, folder: Path) -> dict[str, Task | GeakError]:
    """By task: its spec, made where its format has to make one, or why there is none."""
    listed = {one.name: one for one in every.dataset.tasks}
    names = dict.fromkeys(one.task for one in every.found)
    made: dict[str, Task | GeakError] = {}

    async def make(name: str, judges: Judges) -> None:
        try:
            made[name] = await every.dataset.task(listed[name], folder / folder_name(name), judges)
        except GeakError as error:
            made[name] = error

    if every.dataset.format == "native":
        return {name: Task(listed[name].file) for name in names}
    async with Judges(default_commands(samples=2)) as judges:
        await asyncio.gather(*(make(name, judges) for name in names))
    return made


def _card(every: Kernels, hello: Hello, targets: Sequence[str], tier: Tier, policy: Policy) -> Card:
    dataset = every.dataset
    chosen = described(one for one in dataset.tasks if not why_not(one))
    return Card(
        version=VERSION,
        dataset=dataset.name,
        format=dataset.format,
        dataset_sha256=dataset_hash(chosen),
        judge=room(hello),
        models={},
        policy=policy,
        targets=tuple(targets),
        devices=devices(hello),
        goal=f"the {tier.value} tier",
        strategy="none: the kernels were there",
        samples=1,
        rounds=1,
        repairs=0,
        ancestors=0,
        tune=0,
        caps=Caps(usd=None),
        repeats=max((one.repeat for one in every.found), default=1),
        geak=__version__,
        began=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        tasks=chosen,
    )
