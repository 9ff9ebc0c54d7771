"""Carrying out a run for a person: what it may cost is said first, ^C ends it cleanly, the result is on stdout."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Protocol

import typer

from geak.budget import Bound
from geak.cli.display import document, money, plural, say
from geak.cli.progress import cap, progress
from geak.cli.result import again, page, report
from geak.errors import UsageError
from geak.files import text
from geak.journal.events import Caps, RoleModel
from geak.journal.store import EVENTS, Entry
from geak.population import Population
from geak.preview import Preview
from geak.record import Opening, Waiting, Watch
from geak.runs import Result, Stopper
from geak_evaluator.schema.findings import Findings

ASKED_ABOVE = 10.0
"""Dollars."""
_TIDYING = 3.0
"""Seconds that judges and models have to end, where a person leaves."""


class Work(Protocol):
    """A run, as `geak.api` begins or goes on with one."""

    def __call__(
        self, *, watch: Watch, stopper: Stopper, agree: Callable[[Opening], None], **more: Any
    ) -> Awaitable[Result]:
        """Carries it out."""
        ...


def carry_out(work: Work, *, yes: bool, json: bool, quiet: bool, drafts: bool = False) -> NoReturn:
    """Carries it out and prints what came of it; with `drafts`, a person is shown the spec that a model drafted."""
    with ExitStack() as shown:
        sitting = _Run(shown, yes=yes, json=json, quiet=quiet)
        if drafts:
            work = partial(work, review=sitting.review)
        try:
            result = asyncio.run(sitting.run(work))
        except asyncio.CancelledError:
            raise typer.Exit(130) from None
    if json:
        document(report(result))
    else:
        say("\n".join(page(result)))
    raise typer.Exit(result.exit_code)


class Sitting:
    """One process's work: the first ^C ends it cleanly, the second leaves it."""

    def __init__(self, shown: ExitStack, *, yes: bool, json: bool, quiet: bool) -> None:
        self.stopper = Stopper()
        self._shown = shown
        self._yes, self._json, self._quiet = yes, json, quiet
        self._folder: Path | None = None
        self._on = ""
        self._task: asyncio.Task[Any] | None = None
        self._leaving = False

    def begins(self, folder: Path, on: str) -> None:
        """From now on a ^C ends it; `on` is the command that goes on with it."""
        self._folder, self._on = folder, on
        self._task = asyncio.current_task()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._interrupted)

    def _interrupted(self) -> None:
        if not self.stopper.stopped:
            self.stopper.stop()
            say("stopping: what is under way is finished first; ^C again leaves it", error=True)
        elif not self._leaving:
            self._leaving = True
            self._shown.close()
            say(f"left; {self._on} goes on with it", error=True)
            if self._json:
                document({"error": {"message": "interrupted", "exit_code": 130}, "folder": str(self._folder)})
            # The journal is on disk after every step; a judge that does not end is not worth a longer wait.
            timer = threading.Timer(_TIDYING, os._exit, (130,))
            timer.daemon = True
            timer.start()
            assert self._task is not None
            self._task.cancel()


class _Run(Sitting):
    """One process's work on one run."""

    def __init__(self, shown: ExitStack, *, yes: bool, json: bool, quiet: bool) -> None:
        super().__init__(shown, yes=yes, json=json, quiet=quiet)
        self._watch: Watch = _nothing
        self._agreed = False

    async def run(self, work: Work) -> Result:
        return await work(watch=lambda what: self._watch(what), stopper=self.stopper, agree=self._agree)

    def review(self, path: Path, findings: Findings) -> bool:
        """Whether a person confirms a spec that a model drafted; where nobody can be asked, they do not."""
        self._shown.close()
        self._watch = _nothing
        say(f"the spec is drafted: {path}", error=True)
        for finding in findings.findings:
            say(f"  {finding.severity}: {finding.message}", error=True)
        if not _terminal():
            say("note: nobody has confirmed it; until somebody does, every verdict says so", error=True)
            return False
        say(text(path), error=True)
        return _confirmed("is this what the kernel is to compute?")

    def _agree(self, opening: Opening) -> None:
        """Says what is about to be spent, and asks where it is much; only then does the run begin."""
        self._shown.close()
        say("\n".join(first_lines(opening)), error=True)
        if not self._agreed:
            consent(opening.conditions.caps, opening.most, yes=self._yes)
        self._agreed = True
        self._watch = self._shown.enter_context(progress(_so_far(opening), quiet=self._quiet))
        self.begins(opening.folder, again(opening.folder))


def _nothing(what: Entry | Waiting) -> None:
    pass


def first_lines(opening: Opening) -> list[str]:
    """What a person must know before anything is spent: model, cap, upper bound, targets."""
    asked = opening.conditions
    chosen = " (by default)" if opening.targets_by_default else ""
    cost = costs(asked.models, asked.caps, opening.most)
    return [
        f"{asked.spec}: {models(asked.models)}; {cost}; for {', '.join(asked.targets)}{chosen}",
        *(f"note: {note}" for note in opening.notes),
        *["note: a model drafted the spec, and nobody has confirmed it: verdicts are of a drafted reference"]
        * asked.drafted,
        f"run in {opening.folder}",
    ]


def costs(models: Mapping[str, RoleModel], caps: Caps, most: Bound) -> str:
    """What may be spent, and what it can come to at the most."""
    if not any(model.language for model in models.values()):
        return "no language model is asked, and nothing is spent"
    words = ["no cap in dollars" if caps.usd is None else f"cap {cap(caps.usd)}"]
    words += [] if caps.tokens is None else [f"{caps.tokens:,} tokens"]
    words += [] if caps.calls is None else [plural(caps.calls, "call")]
    words += [] if caps.minutes is None else [f"{caps.minutes:g} minutes"]
    bound = "an unknown price" if most.usd is None else money(most.usd)
    return f"{', '.join(words)}; at most {bound} and {most.tokens:,} tokens"


def models(asked: Mapping[str, RoleModel]) -> str:
    """Who plays the roles: one name where it is one model."""
    names = {role: model.model for role, model in asked.items()}
    if len(set(names.values())) == 1:
        return next(iter(names.values()))
    return ", ".join(f"{role} {name}" for role, name in names.items())


def consent(caps: Caps, most: Bound, *, yes: bool) -> None:
    """Asks a person where much may be spent; a UsageError where nobody can be asked, or they do not agree."""
    much = most.usd > ASKED_ABOVE if most.usd is not None else caps.tokens is None and caps.calls is None
    if not much or yes:
        return
    bound = "an unknown sum" if most.usd is None else money(most.usd)
    if not _terminal():
        known = most.usd is not None
        why, do = (", which is more than $10", "lower --usd") if known else ("", "set --tokens or --calls")
        raise UsageError(f"up to {bound} may be spent{why}; say --yes, or {do}")
    if not _confirmed(f"up to {bound} may be spent; go on?"):
        raise UsageError("nothing was begun, and nothing was spent")


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _confirmed(question: str) -> bool:
    # asyncio takes the first ^C for itself; at a question it means no.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    finally:
        signal.signal(signal.SIGINT, before)


def _so_far(opening: Opening) -> Population:
    from geak.api import load_run

    if (opening.folder / EVENTS).is_file():
        return load_run(opening.folder).population
    return Population(opening.conditions)


def show(work: Coroutine[Any, Any, Preview], *, json: bool) -> None:
    """Prints what a run would say and spend."""
    preview = asyncio.run(work)
    opening = preview.opening
    if json:
        document(
            {
                "conditions": opening.conditions,
                "calls": preview.calls,
                "most": {"usd": opening.most.usd, "tokens": opening.most.tokens},
                "notes": opening.notes,
                "prompts": [{"role": p.role, "messages": p.messages} for p in preview.prompts],
            }
        )
        return
    say("\n".join(first_lines(opening)[:-1]))
    say(f"{plural(preview.calls, 'call')} at the most; the first prompts are:")
    for prompt in preview.prompts:
        for message in prompt.messages:
            say(f"\n--- to the {prompt.role}, {message.speaker} ---\n{message.text}")
