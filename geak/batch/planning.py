"""A dataset run before it begins: what is asked, of which tasks, what it may cost; and whether it can go on."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from geak.batch.card import (
    CARD,
    VERSION,
    Card,
    Chosen,
    Selection,
    changed,
    dataset_hash,
    devices,
    read_card,
    room,
    skipped,
    unequal,
    write_card,
)
from geak.batch.choosing import Dataset, Shard, choose, described
from geak.batch.running import Batch, BatchResult, Plan, Watch
from geak.batch.shares import Shares, part
from geak.batch.standing import at_end, kernels, look
from geak.budget import Bound, Purse
from geak.errors import RunError, UsageError
from geak.journal.events import Caps, Conditions
from geak.journal.store import has_run, locked
from geak.preview import brief_without_spec, rehearse
from geak.runs import Stopper, check
from geak.settings import ROLES
from geak.version import __version__
from geak.workplace import Workplace, asked_of, most


@dataclass(frozen=True)
class Wanted:
    """What a person asks of a dataset, beside what they settled."""

    selection: Selection = field(default_factory=Selection)
    repeats: int = 1
    shard: Shard = field(default_factory=Shard)
    jobs: int | None = None
    retry: bool = False


@dataclass(frozen=True)
class Choice:
    """What is asked of a dataset, in a person's words: which tasks, how often, how many at a time."""

    filter: Sequence[str] = ()
    """Patterns of names or categories: "level1/*", "re:relu|gelu"."""
    slice: str = ""
    """Of these, from A to B: "10:20"."""
    shuffle: int | None = None
    """The seed of an order by chance."""
    repeat: int = 1
    shard: str = ""
    """Every N-th from the I-th, and the N-th part of what may be spent: "2/8"."""
    retry: Literal["", "failed"] = ""
    jobs: int | None = None
    """Kernels at a time; None is what keeps models and judges at work."""

    def wanted(self) -> Wanted:
        """The same, read; UsageError where it cannot be meant."""
        if self.retry not in ("", "failed"):
            raise UsageError(f"--retry {self.retry!r} is nothing that can be tried again; there is --retry failed")
        if self.repeat < 1 or (self.jobs is not None and self.jobs < 1):
            raise UsageError("--repeat and --jobs are numbers from 1")
        patterns = (self.filter,) if isinstance(self.filter, str) else tuple(self.filter)
        selection = Selection(patterns, self.slice, self.shuffle)
        return Wanted(selection, self.repeat, Shard.parse(self.shard), self.jobs, self.retry == "failed")


@dataclass(frozen=True)
class BatchOpening:
    """What is about to be done; said before anything is spent."""

    card: Card
    folder: Path
    kernels: int
    """Of this process."""
    begun: int
    """Of these, how many have a run already."""
    over: int
    """Of these, how many are at their end: nothing more is spent on them."""
    caps: Caps
    """Of this process."""
    most: Bound
    """What all of it can cost at the most."""
    jobs: int
    judges: int
    shard: Shard
    targets_by_default: bool
    notes: tuple[str, ...]


Agree = Callable[[BatchOpening], None]
_NAMED = 3
"""Differences that a refusal names."""


def prepare(dataset: Dataset, place: Workplace, folder: Path, wanted: Wanted) -> tuple[Plan, BatchOpening]:
    """Everything that can be known before anything is spent or written."""
    asked = _asked(place)
    check(asked)
    chosen, left_out = choose(dataset, wanted.selection)
    card = _card(dataset, place, asked, wanted, described(chosen))
    card = replace(card, left_out=tuple(left_out))
    _fits(folder, card)
    mine = card.tasks[wanted.shard.number - 1 :: wanted.shard.of]
    every = tuple(kernels(folder, mine, wanted.repeats))
    jobs = min(wanted.jobs or default_jobs(place), max(len(every), 1))
    plan = Plan(dataset, {one.name: one for one in chosen}, card, folder, every, jobs, wanted.retry)
    cannot = {} if wanted.retry else skipped(folder)
    over = sum(kernel.task.name in cannot or at_end(look(kernel), retry=wanted.retry) for kernel in every)
    caps = part(asked.caps, wanted.shard.number, wanted.shard.of)
    opening = BatchOpening(
        card=card,
        folder=folder,
        kernels=len(every),
        begun=sum(has_run(kernel.folder) for kernel in every),
        over=over,
        caps=caps,
        most=_most(asked, caps, len(every) - over),
        jobs=jobs,
        judges=place.judges.leases,
        shard=wanted.shard,
        targets_by_default=not place.settings.target,
        notes=tuple(sorted({model.note for model in place.models.values() if model.note})),
    )
    return plan, opening


async def carry_out(
    dataset: Dataset,
    place: Workplace,
    folder: Path,
    wanted: Wanted,
    *,
    watch: Watch,
    stopper: Stopper,
    agree: Agree,
) -> BatchResult:
    """A dataset run from its beginning, or from where it was left."""
    plan, opening = prepare(dataset, place, folder, wanted)
    await rehearse(brief_without_spec(place.settings))
    agree(opening)
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"another process works on this part of {folder}; --shard I/N divides it among several"
    lock = locked(folder / f".lock-{wanted.shard.number}-{wanted.shard.of}", busy)
    try:
        _keep(folder, plan.card)
        purse = Purse(opening.caps)
        shares = Shares(opening.caps, _smallest(_asked(place)))
        return await Batch(plan, place, purse, shares, watch, stopper).run()
    finally:
        os.close(lock)


def default_jobs(place: Workplace) -> int:
    """As many kernels as keep every model and every judge at work: each waits for one or for the other."""
    samples = max(place.settings.samples or 1, 1)
    calls = max(model.concurrency for model in place.models.values())
    language = any(not name.startswith("compiler:") for name in (model.name for model in place.models.values()))
    return max(-(-(calls * language + place.judges.leases) // samples), 1) + (not language)


def _asked(place: Workplace) -> Conditions:
    """What every kernel is asked, with the caps of all of them."""
    paid = sorted({model.name for model in place.models.values() if model.paid})
    settings = place.settings
    if paid and settings.usd is settings.calls is settings.tokens is None:
        raise UsageError(f"{paid[0]} is paid for by the call; say what all kernels together may cost: --usd or --calls")
    return asked_of(place, (*ROLES, *(("seeder",) if "seeder" in place.models else ())))


def _card(dataset: Dataset, place: Workplace, asked: Conditions, wanted: Wanted, tasks: tuple[Chosen, ...]) -> Card:
    hello = place.judges.hello
    return Card(
        version=VERSION,
        dataset=dataset.name,
        format=dataset.format,
        dataset_sha256=dataset_hash(tasks),
        judge=room(hello),
        models=asked.models,
        policy=asked.policy,
        targets=asked.targets,
        devices=devices(hello),
        goal=asked.goal,
        strategy=asked.strategy,
        samples=asked.samples,
        rounds=asked.rounds,
        repairs=asked.repairs,
        ancestors=asked.ancestors,
        tune=asked.tune,
        caps=asked.caps,
        repeats=wanted.repeats,
        geak=__version__,
        began=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        elements=dataset.scale.elements,
        hint=asked.hint,
        selection=wanted.selection,
        tasks=tasks,
    )


def _fits(folder: Path, card: Card) -> None:
    """Whether the folder is empty, or holds this dataset run."""
    if has_run(folder):
        raise RunError(f"{folder} holds the run of one kernel; choose another --out")
    if not (folder / CARD).is_file():
        return
    before = read_card(folder)
    if before.dataset_sha256 != card.dataset_sha256 and not _only_mended(folder, before, card):
        what = "another choice of tasks" if before.dataset == card.dataset else f"the dataset {before.dataset}"
        raise RunError(f"{folder} holds a run of {what} ({len(before.tasks):,} tasks); choose another --out")
    may_differ = replace(before, caps=card.caps, geak=card.geak, dataset_sha256=card.dataset_sha256)
    if found := [*unequal(may_differ, card), *changed(may_differ, card)]:
        said = "; ".join(f"{one.field}: {one.one[:120]} then, {one.other[:120]} now" for one in found[:_NAMED])
        more = f"; and {len(found) - _NAMED} more" * (len(found) > _NAMED)
        raise RunError(f"{folder} was begun otherwise ({said}{more}); ask for the same again, or choose another --out")


def _only_mended(folder: Path, before: Card, card: Card) -> bool:
    """Whether they differ in texts alone, of tasks for which no kernel was begun: a spec that was mended, say."""
    old, new = ({task.name: task.sha256 for task in one.tasks} for one in (before, card))
    if old.keys() != new.keys():
        return False
    mended = [task for task in before.tasks if new[task.name] != task.sha256]
    return not any(has_run(kernel.folder) for kernel in kernels(folder, mended, card.repeats))


def _keep(folder: Path, card: Card) -> None:
    """Writes the card where there is none, or where other sums may be spent than it says, or a task was mended."""
    if not (folder / CARD).is_file():
        write_card(folder, card)
        return
    before = read_card(folder)
    now = replace(before, caps=card.caps, tasks=card.tasks, dataset_sha256=card.dataset_sha256)
    if now != before:
        write_card(folder, now)


def _smallest(asked: Conditions) -> Caps:
    """What one candidate may cost: its generator, and the reflector or the optimizer beside it."""
    one = most(replace(asked, samples=1, rounds=1, caps=Caps(None)))
    calls = sum(model.language for model in asked.models.values())
    return Caps(one.usd, one.tokens, None, max(calls, 1))


def _most(asked: Conditions, caps: Caps, count: int) -> Bound:
    one = most(replace(asked, caps=Caps(None)))
    usd = None if one.usd is None else one.usd * count
    known = [value for value in (usd, caps.usd) if value is not None]
    tokens = one.tokens * count
    return Bound(min(tokens, caps.tokens or tokens), min(known) if usd is not None else None)
