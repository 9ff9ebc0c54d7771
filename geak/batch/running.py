"""Many kernels at once: begun in turn, each a run of its own, under one budget that stops them all."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from geak.batch.card import SKIPPED, SPECS, Card, skipped
from geak.batch.choosing import Dataset
from geak.batch.shares import Shares
from geak.batch.standing import (
    Fate,
    Kernel,
    Outcome,
    account_of,
    at_end,
    could_go_on,
    failed,
    look,
    minutes,
    outcome,
    over,
)
from geak.budget import Account, Part, Purse
from geak.errors import GeakError, JudgeDied, MachineError, ModelError, RunBusy, SpecError, Trouble, UsageError
from geak.formats.base import Listed
from geak.journal.events import Caps, Ended, Failed
from geak.journal.store import Entry, write
from geak.record import Waiting
from geak.runs import Result, Stopper, begin
from geak.workplace import Workplace

_PATIENCE = 3
"""Kernels in a row that a provider or a machine ended, before it is to blame and not they."""
_EVERYONE_S = frozenset({Trouble.KEY.value, Trouble.BALANCE.value, Trouble.UNKNOWN_MODEL.value})
"""Trouble with a model that every kernel would meet."""


@dataclass(frozen=True)
class Stock:
    """What was there already."""

    account: Account
    """Of all kernels; it goes on counting."""
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Began:
    """A kernel's turn has come."""

    kernel: Kernel


@dataclass(frozen=True)
class Told:
    """Something happened in a kernel's run."""

    kernel: Kernel
    what: Entry | Waiting


@dataclass(frozen=True)
class Done:
    """A kernel stands so now; with a leftover of the others' it may be gone on with."""

    outcome: Outcome


What = Stock | Began | Told | Done
Watch = Callable[[What], None]


@dataclass(frozen=True)
class BatchResult:
    """What a dataset run, or this process's part of it, came to."""

    folder: Path
    card: Card
    outcomes: tuple[Outcome, ...]
    account: Account
    """What all of it has cost, in all sittings."""
    reason: str
    """complete, budget, provider, machine, interrupted."""
    message: str
    exit_code: int
    """0 every goal met, 1 not every, 3 machine, 4 budget, 5 provider, 6 undecided, 130 interrupted."""

    @property
    def counts(self) -> dict[Fate, int]:
        """How many kernels stand how."""
        return dict(Counter(one.fate for one in self.outcomes))


@dataclass(frozen=True)
class Plan:
    """What this process works on."""

    dataset: Dataset
    listed: Mapping[str, Listed]
    card: Card
    folder: Path
    kernels: tuple[Kernel, ...]
    jobs: int
    retry: bool = False
    """Whether what could not be run, or was ended by a provider or a machine, is tried again."""


class Batch:
    """The kernels of a plan under one budget."""

    def __init__(self, plan: Plan, place: Workplace, purse: Purse, shares: Shares, watch: Watch, stopper: Stopper):
        self._plan = plan
        self._place = replace(place, purse=purse)
        self._purse, self._shares = purse, shares
        self._watch, self._stopper = watch, stopper
        self._fresh: deque[Kernel] = deque()
        self._again: deque[Kernel] = deque()
        """Those that spent their share and could go on with what others leave."""
        self._outcomes: dict[tuple[str, int], Outcome] = {}
        self._halted: Ended | None = None
        """What stands in everybody's way."""
        self._in_a_row = 0
        self._skipped: dict[str, str] = {}

    async def run(self) -> BatchResult:
        """Goes on until every kernel is at its end, or nothing more may be begun."""
        self._take_stock()
        working: set[asyncio.Task[None]] = set()
        try:
            while True:
                while len(working) < self._plan.jobs and (next_one := self._next()) is not None:
                    working.add(asyncio.create_task(self._carry_out(*next_one)))
                if not working:
                    return self._result()
                done, working = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    def _take_stock(self) -> None:
        """What is there already, and what it has cost."""
        if self._plan.retry:
            _forget(self._plan.folder, {kernel.task.name for kernel in self._plan.kernels})
        self._skipped = skipped(self._plan.folder)
        spans: list[tuple[str, str]] = []
        for kernel in self._plan.kernels:
            if (why := self._skipped.get(kernel.task.name)) is not None:
                self._note(Outcome(kernel.task.name, kernel.repeat, "skipped", why, 2))
                continue
            seen = look(kernel)
            if seen is None:
                self._fresh.append(kernel)
                continue
            account = account_of(seen)
            part = Part(self._purse)
            for event in seen.calls:
                part.add(event)
            part.end()
            self._shares.spent(account)
            spans += seen.sittings
            if at_end(seen, retry=self._plan.retry):
                self._note(outcome(kernel, seen.ended, account))
            elif could_go_on(seen.ended):
                self._note(outcome(kernel, seen.ended, account))
                self._again.append(kernel)
            else:
                self._fresh.append(kernel)
        self._purse.before = minutes(spans)
        self._watch(Stock(self._purse.account, tuple(self._outcomes.values())))

    def _next(self) -> tuple[Kernel, int] | None:
        """Whose turn it is, and among how many what is left is to be divided."""
        rest = self._purse.left()
        if self._stopper.stopped or self._halted is not None or self._purse.refused:
            return None
        if any(cap is not None and cap <= 0 for cap in (rest.minutes, rest.calls, rest.tokens)):
            return None
        if rest.usd is not None and rest.usd < 0:
            return None
        if self._fresh:
            return self._fresh.popleft(), len(self._fresh) + 1
        claimants = self._shares.claimants(len(self._again)) if self._again else 0
        return (self._again.popleft(), claimants) if claimants else None

    async def _carry_out(self, kernel: Kernel, claimants: int) -> None:
        """One kernel: whatever goes wrong with it is its own."""
        seen = look(kernel)
        before = account_of(seen) if seen is not None else Account()
        if seen is not None and over(seen.ended):  # another process has done it meanwhile
            self._tell(outcome(kernel, seen.ended, before))
            return
        allowed = self._shares.grant(before, claimants)
        account = before
        self._watch(Began(kernel))
        try:
            result = await self._run(kernel, allowed)
            account = result.population.account
            self._ended(kernel, result, progress=account.calls > before.calls)
        except RunBusy as error:
            self._tell(self._standing(kernel, "elsewhere", str(error), 1, before))
        except (SpecError, UsageError, JudgeDied) as error:
            self._skip(kernel, str(error))
            self._tell(self._standing(kernel, "skipped", str(error), error.exit_code, before))
        except (MachineError, ModelError) as error:
            reason: Literal["machine", "provider"] = "machine" if isinstance(error, MachineError) else "provider"
            self._tell(self._standing(kernel, reason, str(error), error.exit_code, before))
            self._halted = self._halted or Ended(reason, str(error), error.exit_code)
        except GeakError as error:
            self._tell(self._standing(kernel, "mistake", str(error), error.exit_code, before))
        except Exception as error:
            if os.environ.get("GEAK_DEBUG"):
                raise
            why = f"GEAK itself failed over it: {type(error).__name__}: {error}; GEAK_DEBUG=1 shows where"
            self._tell(self._standing(kernel, "mistake", why, 1, before))
        finally:
            self._shares.ended(allowed, account)

    async def _run(self, kernel: Kernel, allowed: Caps) -> Result:
        own = replace(
            self._place.settings, usd=allowed.usd, tokens=allowed.tokens, minutes=None, calls=allowed.calls
        )  # the minutes are everybody's
        place = replace(self._place, settings=own)
        listed = self._plan.listed[kernel.task.name]
        task = await self._plan.dataset.task(listed, kernel.folder / SPECS, place.judges)

        def told(what: Entry | Waiting) -> None:
            if isinstance(what, Entry) and isinstance(what.event, Failed) and what.event.trouble in _EVERYONE_S:
                self._halted = self._halted or Ended("provider", what.event.message, 5)
            self._watch(Told(kernel, what))

        return await begin(task, place, out=kernel.folder, watch=told, stopper=self._stopper)

    def _ended(self, kernel: Kernel, result: Result, *, progress: bool) -> None:
        self._tell(outcome(kernel, result.ended, result.population.account))
        if could_go_on(result.ended) and progress:
            self._again.append(kernel)
        self._in_a_row = self._in_a_row + 1 if failed(result.ended) else 0
        if self._in_a_row >= _PATIENCE:
            self._halted = self._halted or result.ended

    def _standing(self, kernel: Kernel, fate: Fate, message: str, code: int, account: Account) -> Outcome:
        return replace(outcome(kernel, None, account, fate), message=message, exit_code=code)

    def _skip(self, kernel: Kernel, why: str) -> None:
        if kernel.task.name in self._skipped:
            return
        self._skipped[kernel.task.name] = why
        line = json.dumps({"task": kernel.task.name, "why": why}) + "\n"
        # One write at the file's end: processes that share the folder do not cut each other's lines.
        descriptor = os.open(self._plan.folder / SKIPPED, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def _note(self, outcome: Outcome) -> None:
        self._outcomes[outcome.task, outcome.repeat] = outcome

    def _tell(self, outcome: Outcome) -> None:
        self._note(outcome)
        self._watch(Done(outcome))

    def _result(self) -> BatchResult:
        for kernel in self._plan.kernels:
            had = self._outcomes.get((kernel.task.name, kernel.repeat))
            if had is not None and had.fate == "elsewhere" and (seen := look(kernel)) is not None and seen.ended:
                self._note(outcome(kernel, seen.ended, account_of(seen)))  # the other process is done with it
        outcomes = tuple(
            self._outcomes.get((k.task.name, k.repeat)) or Outcome(k.task.name, k.repeat, "waiting", "not begun")
            for k in self._plan.kernels
        )
        reason, message, code = self._verdict(outcomes)
        return BatchResult(self._plan.folder, self._plan.card, outcomes, self._purse.account, reason, message, code)

    def _verdict(self, outcomes: tuple[Outcome, ...]) -> tuple[str, str, int]:
        """Why it stopped, in a word and a sentence, and the exit code."""
        counts = Counter(one.fate for one in outcomes)
        met = f"{counts['goal']:,} of {len(outcomes):,} kernels reached their goal"
        unfinished = counts["waiting"] + counts["interrupted"] + counts["budget"]
        if self._stopper.stopped:
            return "interrupted", f"interrupted; {met}; nothing that was received is lost", 130
        if self._halted is not None:
            return self._halted.reason, f"{self._halted.message}; {met}", self._halted.exit_code
        if unfinished:
            why = self._purse.refused or self._why_spent() or "what may be spent is spent"
            return "budget", f"{why}; {met}, {unfinished:,} could go on", 4
        missed = [one for one in outcomes if one.fate != "goal"]
        if not missed:
            all_of_them = f"all {len(outcomes):,} kernels reached their goal"
            return "complete", all_of_them if len(outcomes) > 1 else "the kernel reached its goal", 0
        undecided = all(one.exit_code == 6 for one in missed)
        return "complete", met, 6 if undecided else 1

    def _why_spent(self) -> str:
        rest, caps = self._purse.left(), self._purse.caps
        if rest.minutes is not None and rest.minutes <= 0:
            return f"the {caps.minutes:g} minutes for all kernels are over; --minutes allows more"
        if rest.calls is not None and rest.calls <= 0:
            return f"all {caps.calls} calls for all kernels are made; --calls allows more"
        return ""


def _forget(folder: Path, tasks: set[str]) -> None:
    """These tasks are tried again: no line says any more that they cannot be run."""
    left = {task: why for task, why in skipped(folder).items() if task not in tasks}
    lines = [json.dumps({"task": task, "why": why}) + "\n" for task, why in left.items()]
    if (folder / SKIPPED).exists():
        write(folder / SKIPPED, "".join(lines).encode())
