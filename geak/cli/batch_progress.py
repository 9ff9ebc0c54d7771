"""How a dataset run goes, on standard error: a live table on a terminal, otherwise a line a kernel."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from geak.budget import Account
from geak.cli.display import cut, duration, flat, money, plural, say
from geak.cli.progress import cap, live
from geak.journal.events import Announced, Judged, Moved, Written
from geak.journal.store import Entry
from geak.record import Waiting

if TYPE_CHECKING:
    from geak.batch.planning import BatchOpening
    from geak.batch.running import Watch, What

_ROWS = 12


@contextmanager
def progress(opening: BatchOpening, *, quiet: bool = False) -> Iterator[Watch]:
    """A watcher of a dataset run; it shows what happens for as long as this lasts."""
    table = Table(opening)
    if quiet:
        yield table.note
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with live(table):
            yield table.note
    else:

        def told(what: What) -> None:
            table.note(what)
            if (line := table.line(what)) is not None:
                say(line, error=True)

        yield told


class Table:
    """The state of a dataset run as a few lines: counts, what is at work, money, how long it may take."""

    def __init__(self, opening: BatchOpening) -> None:
        self._opening = opening
        self._account = Account()
        self._fates: dict[tuple[str, int], str] = {}
        self._at_work: dict[str, str] = {}
        self._before = 0
        self._waiting = ""
        self._since = time.monotonic()

    def note(self, what: What) -> None:
        """Takes note of what happened."""
        from geak.batch.running import Began, Done, Stock, Told

        match what:
            case Stock(account, outcomes):
                self._account = account
                self._fates = {(one.task, one.repeat): one.fate for one in outcomes}
                self._before = len(outcomes)
            case Began(kernel):
                self._at_work[kernel.name] = "begins"
            case Told(kernel, Waiting(model, why, seconds, attempt)):
                self._waiting = f"waiting {duration(seconds)} for {model}, attempt {attempt}: {flat(why)}"
            case Told(kernel, Entry(_, _, event)):
                self._stage(kernel.name, event)
            case Done(outcome):
                self._fates[outcome.task, outcome.repeat] = outcome.fate
                self._at_work.pop(outcome.name, None)

    def line(self, what: What) -> str | None:
        """What is said where there is no table: how each kernel ended."""
        from geak.batch.running import Done

        if not isinstance(what, Done):
            return None
        one = what.outcome
        cost = f" ({money(one.usd, one.unpriced)}, {plural(one.calls, 'call')})" if one.calls else ""
        words = f"{len(self._fates)} of {self._opening.kernels}  {one.fate} {one.name}: {one.message}"
        return cut(flat(words), 300) + cost

    def lines(self, seconds: float) -> list[str]:
        """The table, so many seconds after it was begun."""
        counts = Counter(list(self._fates.values()))
        done, total = len(self._fates), self._opening.kernels
        words = [f"{count:,} {fate}" for fate, count in sorted(counts.items())]
        head = f"{flat(self._opening.card.dataset)}: {done:,} of {total:,} kernels" + f" ({', '.join(words)})" * bool(
            words
        )
        passed = duration(seconds)
        fresh = done - self._before
        if fresh > 0 and (more := seconds / fresh * (total - done)) >= 1:
            passed += f", about {duration(more)} more"
        at_work = list(self._at_work.items())
        rows = [f"  {cut(flat(name), 40):<40}  {stage}" for name, stage in at_work[:_ROWS]]
        rows += [f"  and {len(at_work) - _ROWS:,} more at work"] * (len(at_work) > _ROWS)
        return [f"{head}, {passed}", *rows, f"spent  {self._spent()}", *[self._waiting] * bool(self._waiting)]

    def seconds(self) -> float:
        """How long it has been shown."""
        return time.monotonic() - self._since

    def _stage(self, name: str, event: object) -> None:
        match event:
            case Moved(move):
                self._at_work[name] = f"{move.candidate} {move.kind}"
            case Announced():
                self._waiting = ""
                self._at_work[name] = f"{event.candidate} asks the {event.role}"
            case Written():
                self._at_work[name] = f"{event.candidate} is judged"
            case Judged():
                self._at_work[name] = f"{event.candidate} {event.verdict.status.value}"

    def _spent(self) -> str:
        account, caps = self._account, self._opening.caps
        if not any(model.language for model in self._opening.card.models.values()):
            return "nothing: no language model is asked"
        calls = f"{account.calls:,} of {plural(caps.calls, 'call')}" if caps.calls else plural(account.calls, "call")
        return f"{money(account.usd, account.unpriced)} of {cap(caps.usd)}, {calls}, {account.usage.total:,} tokens"
