"""A task in words only: a model drafts the spec, the judge says what is weak about it, and a person confirms it."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from geak.desk import Desk
from geak.errors import SpecError
from geak.journal.events import VERSION, Begun, Ended, Move, Moved, Resumed, Written
from geak.journal.store import EVENTS, Journal, has_run, write
from geak.population import GIVEN, Population
from geak.record import Record, Watch, load_run
from geak.roles import drafter
from geak.tasks import SPEC, Task
from geak.version import __version__
from geak.workplace import Workplace, asked_of
from geak_evaluator.schema.findings import Findings
from geak_evaluator.schema.spec import UNREVIEWED

TRIES = 3
"""How often a model may draft a spec before it is given up."""

Review = Callable[[Path, Findings], bool]
"""Shows a person the spec and what is weak about it; true where they confirm it."""


async def draft(
    words: str,
    place: Workplace,
    folder: Path,
    *,
    watch: Watch | None = None,
    review: Review = lambda path, findings: False,
) -> Task:
    """The task that these words mean; until a person confirms its spec, every verdict says so."""
    folder = folder / SPEC
    asked = replace(
        asked_of(place, ("drafter",)),
        hint=words,
        spec="from words",
        spec_sha256=hashlib.sha256(words.encode()).hexdigest(),
    )
    with Journal.open(folder) if (folder / EVENTS).is_file() else Journal.create(folder) as journal:
        fresh = not journal.entries
        first = Begun(VERSION, secrets.token_hex(3), asked, __version__) if fresh else journal.entries[0].event
        assert isinstance(first, Begun)
        record = Record(journal, first, watch)
        if fresh:
            record.add(first)
            record.add(Moved(Move(GIVEN, "given", 0, 0)))
        elif (done := record.population.candidates[GIVEN].source) and record.population.ended:
            return _task(_path(folder, record.text(done)))
        else:
            record.add(Resumed(asked.caps, asked.rounds, asked.goal))
        path, findings = await _drafted(words, place, folder, record)
        record.add(Written(GIVEN, record.keep(path.read_text(encoding="utf-8"))))
        record.add(Ended("goal", f"the spec is drafted: {path}", 0))
        await record.durable()
    if review(path, findings):
        write(path, path.read_bytes().removeprefix(f"{UNREVIEWED}\n".encode()))
    return _task(path)


def with_draft(folder: Path, population: Population) -> Population:
    """A run with what the drafting of its spec has cost, which has a journal of its own and came off the run's caps."""
    if not has_run(folder / SPEC):
        return population
    drafting, asked = load_run(folder / SPEC).population, population.conditions
    gone, caps = drafting.account, asked.caps
    caps = replace(
        caps,
        usd=None if caps.usd is None else caps.usd + gone.usd,
        tokens=None if caps.tokens is None else caps.tokens + gone.spent_tokens,
        calls=None if caps.calls is None else caps.calls + gone.calls,
    )
    asked = replace(asked, caps=caps, models=drafting.conditions.models | asked.models)
    return replace(population, account=gone + population.account, conditions=asked)


async def _drafted(words: str, place: Workplace, folder: Path, record: Record) -> tuple[Path, Findings]:
    ask = partial(Desk(record, place.models, place.paces, place.secrets).ask, GIVEN)
    source, problems = "", ["nothing was drafted"]
    for turn in range(TRIES):
        source = await drafter.draft_spec(ask, words, problems * bool(turn), source, prompts=place.settings.prompts)
        path = _path(folder, source)
        write(path, f"{UNREVIEWED}\n{source}".encode("utf-8", "surrogateescape"))
        try:
            findings = await place.judges.lint(path)
        except SpecError as error:
            problems = [str(error)]
            continue
        problems = [f"{f.message}; {f.mend}" for f in findings.findings if f.severity == "error"]
        if not problems:
            return path, findings
    raise SpecError(
        f"the spec that the model drafted cannot be judged with: {problems[0]}; it lies at {path}: mend it, then "
        f"`geak generate {path}`"
    )


def _path(folder: Path, source: str) -> Path:
    """The file is called as the entry that the kernel is to have."""
    found = re.search(r"""\bentry\s*=\s*["']([A-Za-z_]\w*)["']""", source)
    return folder / f"{found[1] if found else 'kernel'}.py"


def _task(path: Path) -> Task:
    unread = path.read_text(encoding="utf-8", errors="surrogateescape").startswith(UNREVIEWED)
    return Task(path, drafted=unread)
