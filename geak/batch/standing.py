"""How far a dataset run is, from its folder alone: each kernel's journal is looked at once, and not kept."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from geak.batch.card import Chosen, kernel_folder, kernel_name
from geak.budget import Account
from geak.journal.events import Ended
from geak.journal.store import Glance, glance
from geak.workshop import ALLOWED

Fate = Literal[
    "goal", "rounds", "budget", "provider", "machine", "interrupted", "skipped", "elsewhere", "mistake", "waiting"
]
"""How a kernel stands: how its run ended; or that it could not begin, that another process has it, that GEAK itself
failed over it, that its turn has not come."""


@dataclass(frozen=True)
class Kernel:
    """One repeat of one task."""

    task: Chosen
    repeat: int
    folder: Path

    @property
    def name(self) -> str:
        """For a person."""
        return kernel_name(self.task.name, self.repeat)


@dataclass(frozen=True)
class Outcome:
    """What became of a kernel."""

    task: str
    repeat: int
    fate: Fate
    message: str = ""
    exit_code: int = 1
    usd: float = 0.0
    unpriced: int = 0
    """Calls whose price nobody knows."""
    calls: int = 0
    tokens: int = 0

    @property
    def name(self) -> str:
        """The kernel's, for a person."""
        return kernel_name(self.task, self.repeat)


def kernels(folder: Path, tasks: Iterable[Chosen], repeats: int) -> list[Kernel]:
    """Every kernel of these tasks: first each task once, then each once more."""
    chosen = list(tasks)
    return [Kernel(task, n, kernel_folder(folder, task.name, n)) for n in range(1, repeats + 1) for task in chosen]


def account_of(seen: Glance) -> Account:
    """What a run that nobody works on has cost."""
    account = Account()
    for event in seen.calls:
        account.add(event)
    account.abandon()
    return account


def outcome(kernel: Kernel, ended: Ended | None, account: Account, fate: Fate | None = None) -> Outcome:
    """How a kernel stands whose run ended so, if it did."""
    why: Fate = fate or (ended.reason if ended is not None else "waiting")
    return Outcome(
        kernel.task.name,
        kernel.repeat,
        why,
        ended.message if ended is not None else "it was left in the middle",
        ended.exit_code if ended is not None else 1,
        account.usd,
        account.unpriced,
        account.calls,
        account.usage.total + account.lost_tokens,
    )


def look(kernel: Kernel) -> Glance | None:
    """A kernel's run, if it was begun."""
    return glance(kernel.folder)


def over(ended: Ended | None) -> bool:
    """Whether a run is at its end: more money would not change it."""
    return ended is not None and ended.reason in ("goal", "rounds") and not could_go_on(ended)


def at_end(seen: Glance | None, *, retry: bool) -> bool:
    """Whether nothing more is done for a kernel; with `retry`, what something else ended is tried again."""
    return seen is not None and (over(seen.ended) or (failed(seen.ended) and not retry))


def could_go_on(ended: Ended | None) -> bool:
    """Whether a run ended because its share was spent, so that another's might do for it."""
    return ended is not None and (ended.reason == "budget" or ended.message == ALLOWED)


def failed(ended: Ended | None) -> bool:
    """Whether something else than the kernel ended it."""
    return ended is not None and ended.reason in ("provider", "machine")


def minutes(spans: Iterable[tuple[str, str]]) -> float:
    """How long was worked on any of them: what ran side by side counts once."""
    times = sorted((_time(first), _time(last)) for first, last in spans)
    total = 0.0
    until = float("-inf")
    for first, last in times:
        total += max(last - max(first, until), 0.0)
        until = max(until, last)
    return total / 60


def _time(stamp: str) -> float:
    return datetime.datetime.fromisoformat(stamp).timestamp()
