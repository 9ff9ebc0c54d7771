"""A run from its beginning, or from where it was left, to its result."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from geak import handover
from geak.budget import Part
from geak.errors import RunError, UsageError
from geak.files import text
from geak.from_words import TRIES
from geak.goal import Goal
from geak.journal.events import VERSION, Begun, Conditions, Ended, Judged, Move, Moved, Resumed, Written
from geak.journal.store import Entry, Journal, has_run
from geak.loop import run as loop
from geak.objective import must_be_measurable
from geak.population import GIVEN, Candidate, Population
from geak.preview import Preview, brief_without_spec, first_prompts, rehearse, words_prompt
from geak.record import Opening, Record, Waiting, Watch
from geak.roles.brief import Brief
from geak.settings import ROLES, Settings
from geak.strategies.base import strategy
from geak.tasks import Task, begun_from, ready
from geak.version import __version__
from geak.workplace import Workplace, asked_of, at, conditions, most, targets
from geak.workshop import Workshop
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.target import find
from geak_evaluator.schema.verdict import Tier

_MAY_DIFFER = frozenset({"caps", "rounds", "goal", "judge", "original", "soft"})
"""What a run may be gone on with differently."""


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    run: str
    folder: Path
    ended: Ended
    population: Population
    best: Candidate | None
    source: str
    """Of the best; empty where none was accepted."""

    @property
    def exit_code(self) -> int:
        """0 goal met, 1 not met, 3 machine, 4 budget, 5 provider, 6 undecided, 130 interrupted."""
        return self.ended.exit_code

    @property
    def reason(self) -> str:
        """Why it ended, in a word."""
        return self.ended.reason

    @property
    def message(self) -> str:
        """Why it ended, in a sentence."""
        return self.ended.message


class Stopper:
    """Ends runs cleanly from outside: no new step begins, and what is under way ends."""

    def __init__(self) -> None:
        self._shops: list[Workshop] = []
        self.stopped = False

    def stop(self) -> None:
        """Asks every run that it was given to end."""
        self.stopped = True
        for shop in self._shops:
            shop.halt(_INTERRUPTED)

    def attach(self, shop: Workshop) -> None:
        """Lets it end this run as well."""
        self._shops.append(shop)
        if self.stopped:
            shop.halt(_INTERRUPTED)

    def detach(self, shop: Workshop) -> None:
        """Forgets a run that has ended."""
        self._shops.remove(shop)


_INTERRUPTED = Ended("interrupted", "interrupted; nothing that was received is lost", 130)


async def begin(
    task: Task,
    place: Workplace,
    *,
    out: Path | None = None,
    watch: Watch | None = None,
    stopper: Stopper | None = None,
    agree: Callable[[Opening], None] = lambda opening: None,
) -> Result:
    """A new run; or, where `out` holds a run of the same conditions, that one gone on with.

    `agree` is told what is about to be spent, and raises to prevent it.
    """
    opening, task, about = await prepared(task, place, out)
    folder, asked = opening.folder, opening.conditions
    if has_run(folder):
        with Journal.open(folder) as journal:
            _same(folder, _begun(journal).conditions, asked)
            agree(opening)
            return await _work(journal, task, about, asked, place, watch, stopper)
    agree(opening)
    with Journal.create(folder) as journal:
        return await _work(journal, task, about, asked, place, watch, stopper)


async def prepared(task: Task, place: Workplace, out: Path | None) -> tuple[Opening, Task, Description]:
    """What a run would be asked to do, checked; nothing is written yet."""
    policy = place.settings.policy or task.policy
    about, verdict = await ready(task, place.judges, targets=targets(place), policy=policy)
    task = begun_from(replace(task, verdict=verdict), about)
    asked = conditions(task, about, place)
    check(asked)
    must_be_measurable(asked.objective, asked.time)
    await rehearse(brief(task, about, asked, place))
    folder = out or new_folder(place.settings, about.name)
    if handover.left_behind(folder) and not has_run(folder):
        lost = "what a run came to lies there, and its journal does not"
        raise RunError(f"{folder}: {lost}; move it away, or name another folder")
    notes = (*_notes(place), *task.notes)
    return Opening(asked, most(asked), not place.settings.target, notes, folder), task, about


async def preview(task: Task, place: Workplace, out: Path | None) -> Preview:
    """What a run would say and spend; nobody is asked, and nothing is written."""
    opening, task, about = await prepared(task, place, out)
    asked = opening.conditions
    prompts = await first_prompts(brief(task, about, asked, place)) if opening.most.tokens else ()
    return Preview(
        opening, asked.samples * asked.rounds * sum(model.language for model in asked.models.values()), prompts
    )


async def preview_of_words(words: str, place: Workplace, out: Path | None) -> Preview:
    """The same for a task in words: all that is known is how its spec would be asked for."""
    folder = out or new_folder(place.settings, "from-words")
    await rehearse(brief_without_spec(place.settings))
    return Preview(opening_of_words(words, place, folder), TRIES, await words_prompt(words, place.settings.prompts))


def opening_of_words(words: str, place: Workplace, folder: Path) -> Opening:
    """What the drafting of a spec may spend."""
    asked = replace(asked_of(place, ("drafter",)), spec="from words", hint=words, samples=1, rounds=TRIES)
    return Opening(asked, most(asked), not place.settings.target, _notes(place), folder)


async def resume(
    folder: Path,
    asked: Conditions,
    place: Workplace,
    *,
    watch: Watch | None = None,
    stopper: Stopper | None = None,
    agree: Callable[[Opening], None] = lambda opening: None,
) -> Result:
    """Goes on with a run where it was left, under its own conditions or with more to spend."""
    check(asked)
    with Journal.open(folder) as journal:
        begun = _begun(journal).conditions
        task = Task(Path(begun.spec_path), original_path=begun.original, drafted=begun.drafted)
        about = await place.judges.describe(task.spec)
        if about.sha256 != begun.spec_sha256:
            raise RunError(f"{task.spec} was changed since {folder} began; begin a new run, or bring the spec back")
        await rehearse(brief(task, about, asked, place))
        agree(Opening(asked, most(asked), False, _notes(place), folder))
        return await _work(journal, task, about, asked, place, watch, stopper)


async def _work(
    journal: Journal,
    task: Task,
    about: Description,
    asked: Conditions,
    place: Workplace,
    watch: Watch | None,
    stopper: Stopper | None,
) -> Result:
    fresh = not journal.entries
    hello, guesses = place.judges.hello, task.questions
    judge = {"python": hello.python, "sandbox": hello.sandbox, **hello.packages}
    begun = Begun(VERSION, secrets.token_hex(3), asked, __version__, judge) if fresh else _begun(journal)

    def told(what: Entry | Waiting) -> None:
        if isinstance(what, Entry) and isinstance(what.event, Judged | Ended):
            last = isinstance(what.event, Ended)
            handover.write(journal.folder, record.population, record.text, about, guesses=guesses, sync=last)
        if watch is not None:
            watch(what)

    record = Record(journal, begun, told)
    record.keep(text(task.spec))
    record.add(begun if fresh else Resumed(asked.caps, asked.rounds, asked.goal))
    _give(record, task)
    given = record.population.given
    if given is not None:
        task = replace(task, original=record.text(given.source))
    shop = Workshop(
        record=record,
        brief=brief(task, about, asked, place),
        spec=task.spec,
        strategy=strategy(asked.strategy),
        goal=Goal.parse(asked.goal),
        judges=place.judges,
        models=at(place, task.spec, asked),
        paces=place.paces,
        secrets=place.secrets,
        part=Part(place.purse) if place.purse is not None else None,
    )
    if stopper is not None:
        stopper.attach(shop)
    try:
        ended = await loop(shop)
    finally:
        if stopper is not None:
            stopper.detach(shop)
    record.add(ended)
    await record.durable()
    best = record.population.best
    source = record.text(best.source) if best is not None else ""
    return Result(begun.run, journal.folder, ended, record.population, best, source)


def brief(task: Task, about: Description, asked: Conditions, place: Workplace) -> Brief:
    """What every role knows of the task."""
    return Brief(
        about=about,
        source=text(task.spec),
        targets=tuple(find(name) for name in asked.targets),
        policy=asked.policy,
        goal=asked.goal,
        hint=asked.hint,
        tuned=asked.tune > 0,
        original=task.original,
        prompts=place.settings.prompts,
    )


def _give(record: Record, task: Task) -> None:
    """Takes in the kernel that was given, or another that a person wrote since."""
    if not task.original:
        return
    known = record.population.lineage(0)
    original = handover.returned(task.original, record.population)
    if original is None:
        return
    source = record.keep(original)
    name = f"{GIVEN}.{len(known)}" if known else GIVEN
    record.add(Moved(Move(name, "given", 0, len(known))))
    record.add(Written(name, source, f"given: {Path(task.original_path).name}"))
    if task.verdict is not None and name == GIVEN:  # it was asked whether the spec fits the kernel
        record.add(Judged(name, Tier.FULL, task.verdict))


def check(asked: Conditions) -> None:
    """What cannot be meant is said before anything is spent."""
    Goal.parse(asked.goal).must_be_measurable(measured=asked.time)
    strategy(asked.strategy)
    mute = [role for role in ROLES if role in asked.models and not asked.models[role].language]
    if mute and asked.strategy != "sweep":
        raise UsageError(
            f"{asked.models[mute[0]].model} writes first kernels and nothing else; name a model for the {mute[0]}, or "
            "leave --strategy out"
        )
    unpriced = sorted({m.model for m in asked.models.values() if m.price is None})
    if unpriced and asked.caps.usd is not None and asked.caps.tokens is None and asked.caps.calls is None:
        raise UsageError(
            f"the price of {unpriced[0]} is not known, so ${asked.caps.usd:g} cannot be kept to; give it a `price` in "
            "geak.toml, or say --tokens or --calls"
        )


def _same(folder: Path, before: Conditions, now: Conditions) -> None:
    if before.spec_sha256 != now.spec_sha256:
        what = "an earlier text of this spec" if before.spec == now.spec else f"the spec {before.spec}"
        raise RunError(f"{folder} holds a run of {what}; choose another --out")
    for field in fields(Conditions):
        old, new = getattr(before, field.name), getattr(now, field.name)
        if field.name not in _MAY_DIFFER and old != new:
            what = f"{'other' if field.name.endswith('s') else 'another'} {field.name.replace('_', ' ')}"
            raise RunError(
                f"{folder} holds a run with {what}; choose another --out, or go on with it as it was: "
                f"geak resume {folder}"
            )


def _begun(journal: Journal) -> Begun:
    first = journal.entries[0].event
    assert isinstance(first, Begun)
    return first


def _notes(place: Workplace) -> tuple[str, ...]:
    return tuple(sorted({model.note for model in place.models.values() if model.note}))


def new_folder(settings: Settings, name: str) -> Path:
    """Where a new run is kept."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    return settings.runs / f"{stamp}-{name}-{secrets.token_hex(2)}"
