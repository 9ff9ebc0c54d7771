"""What a run is doing, on standard error: a live page on a terminal, otherwise one line an event."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from geak.cli.display import cut, duration, flat, money, plural, say
from geak.journal.events import (
    Announced,
    Begun,
    Ended,
    Event,
    Explained,
    Failed,
    Judged,
    Moved,
    Planned,
    Received,
    Resumed,
    Tuned,
    Unjudged,
    Unwritten,
    Written,
)
from geak.journal.store import Entry
from geak.population import Population
from geak.record import Waiting, Watch

if TYPE_CHECKING:
    from rich.text import Text


@contextmanager
def progress(before: Population, *, quiet: bool = False) -> Iterator[Watch]:
    """A watcher of a run that has come so far already; it shows what happens for as long as this lasts."""
    page = Page(before)
    if quiet:
        yield page.note
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with live(page):
            yield page.note
    else:
        lines = Lines()

        def told(what: Entry | Waiting) -> None:
            page.note(what)
            say(lines.line(what), error=True)

        yield told


class Lines:
    """One line an event: its name in the journal, the candidate, and what is to be known of it."""

    def __init__(self) -> None:
        self._calls: dict[int, Announced] = {}

    def line(self, what: Entry | Waiting) -> str:
        """What happened."""
        if isinstance(what, Waiting):
            return flat(f"waiting {what.model} {duration(what.seconds)}, attempt {what.attempt}: {what.why}")
        name = type(what.event).__name__.lower()
        return cut(flat(f"{name} {self._rest(what.event)}"), 400)

    def _rest(self, event: Event) -> str:
        match event:
            case Begun():
                return f"{event.run} {event.conditions.spec}"
            case Resumed(caps, rounds, goal):
                return f"rounds {rounds}, goal {goal}, cap {cap(caps.usd)}"
            case Moved(move):
                return f"{move.candidate} {move.kind}{' of ' * bool(move.parents)}{', '.join(move.parents)}"
            case Announced():
                self._calls[event.call] = event
                return f"{event.candidate} {event.role} {event.model}"
            case Received():
                call = self._calls.get(event.call)
                usd = money(event.usd or 0.0, event.usd is None)
                used = f"{event.usage.total - event.usage.output} in, {event.usage.output} out"
                ended = f", {event.finish}" * (event.finish != "stop")
                return f"{call.candidate if call else '?'} {used}, {usd}, {duration(event.seconds)}{ended}"
            case Failed():
                call = self._calls.get(event.call)
                return f"{call.candidate if call else '?'} {event.trouble}: {event.message}"
            case Planned(candidate, plan) | Written(candidate, _, plan):
                return f"{candidate} {plan}"
            case Tuned(candidate, tuning):
                return f"{candidate} {plural(tuning.tried, 'configuration')} tried: {tuning.note}"
            case Unwritten(candidate, why):
                return f"{candidate} {why}"
            case Judged(candidate, tier, verdict):
                return f"{candidate} {tier.value} {verdict.line()}"
            case Unjudged(candidate, tier, why):
                return f"{candidate} {tier.value} {why}"
            case Explained(candidate, lesson):
                return f"{candidate} {lesson.outcome}: {lesson.cause}"
            case Ended():
                return event.words


class Page:
    """The state of a run as a few lines: round, stages, best so far, money, how long it may take."""

    def __init__(self, before: Population) -> None:
        self._population = before
        self._before = self._developed()
        self._stages: dict[str, str] = {}
        self._calls: dict[int, Announced] = {}
        self._waiting = ""
        self._since = time.monotonic()
        self._shown = self._made()

    def note(self, what: Entry | Waiting) -> None:
        """Takes note of what happened."""
        if isinstance(what, Waiting):
            why = f"{what.model}, attempt {what.attempt}: {flat(what.why)}"
            self._waiting = f"waiting {duration(what.seconds)} for {why}"
        else:
            self._population.add(what.event)
            self._stage(what.event)
        self._shown = self._made()

    def lines(self, seconds: float) -> list[str]:
        """The page, so many seconds after it was begun; another thread may ask for it at any time."""
        head, developed, left, rest = self._shown
        passed = duration(seconds)
        done = developed - self._before
        if done > 0 and (more := seconds / done * left) >= 1:
            passed += f", at most about {duration(more)} more"
        return [f"{head}, {passed}", *rest]

    def seconds(self) -> float:
        """How long it has been shown."""
        return time.monotonic() - self._since

    def _stage(self, event: Event) -> None:
        match event:
            case Moved(move):
                self._stages[move.candidate] = "begins"
            case Announced():
                self._calls[event.call] = event
                self._stages[event.candidate] = f"asks {event.model} as {event.role}"
                self._waiting = ""
            case Received() | Failed():
                if (call := self._calls.pop(event.call, None)) is not None:
                    self._stages[call.candidate] = "has its answer" if isinstance(event, Received) else "asks again"
            case Written(candidate, _, _) | Unwritten(candidate, _):
                self._stages[candidate] = "is judged"
            case Judged(candidate, _, _) | Unjudged(candidate, _, _):
                self._stages[candidate] = "is explained"

    def _developed(self) -> int:
        return sum(c.developed and c.move.kind != "given" for c in self._population.candidates.values())

    def _made(self) -> tuple[str, int, int, list[str]]:
        """The first line, how many candidates are developed, how many are to be, the other lines."""
        population = self._population
        asked, best, developed = population.conditions, population.best, self._developed()
        turn = max((c.move.round for c in population.candidates.values()), default=0)
        sweep = asked.strategy == "sweep"  # which ends when there is nothing more to tune, long before its last round
        many = f", {plural(asked.samples, 'variant' if sweep else 'lineage')}" * (asked.samples > 1)
        head = f"{flat(asked.spec)}: round {turn}{'' if sweep else f' of {asked.rounds}'}{many}"
        rest = [
            f"  {c.name:<6} {c.move.kind:<9} {self._stages.get(c.name, 'waits')}" for c in population.unfinished[:8]
        ]
        rest.append(f"best   {best.name}  {flat(best.verdict.line())}" if best and best.verdict else "best   none yet")
        rest += [f"spent  {spent(population)}", *[self._waiting] * bool(self._waiting)]
        return head, developed, 0 if sweep else asked.samples * asked.rounds - developed, rest


def spent(population: Population) -> str:
    """What is gone: money of the cap, calls, tokens."""
    account, caps = population.account, population.caps
    if not any(model.language for model in population.conditions.models.values()):
        return "nothing: no language model was asked"
    under_way = account.spent_usd - account.usd
    reserved = f" ({money(under_way)} more is reserved)" if under_way else ""
    of = f" of {caps.tokens:,}" if caps.tokens is not None else ""
    words = [f"{money(account.usd, account.unpriced)} of {cap(caps.usd)}{reserved}", plural(account.calls, "call")]
    words.append(f"{account.usage.total:,}{of} tokens")
    if account.lost:
        words.append(f"{plural(account.lost, 'call')} without a reply, counted at the bound")
    return ", ".join(words)


def cap(usd: float | None) -> str:
    """A cap in dollars."""
    return "no cap" if usd is None else f"${usd:.2f}"


class Shown(Protocol):
    """Something that is a few lines at any moment."""

    def lines(self, seconds: float) -> list[str]:
        """The lines, so many seconds after it was begun."""
        ...

    def seconds(self) -> float:
        """How long it has been shown."""
        ...


@contextmanager
def live(page: Shown) -> Iterator[None]:
    """Shows it on a terminal, painted anew a few times a second."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True, highlight=False)

    def shown() -> Text:
        return Text("\n".join(cut(text, console.width - 1) for text in page.lines(page.seconds())))

    with Live(get_renderable=shown, console=console, refresh_per_second=4, transient=True):
        yield
