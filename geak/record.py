"""A run's memory: what happens is known at once, and on disk before it is told or acted on outside.

Writing goes on beside the run, several events at a time, since a disk takes longer than what follows in here. Whoever
sends something away or uses what was paid for waits for `durable` first.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from geak.budget import Bound
from geak.journal.events import Begun, Blob, Conditions, Event, Resumed
from geak.journal.store import Entry, Journal, read, read_blob
from geak.population import Population, fold


@dataclass(frozen=True)
class Waiting:
    """A call will be tried again; told to those who watch, and not kept."""

    model: str
    why: str
    seconds: float
    attempt: int


@dataclass(frozen=True)
class Opening:
    """What a run is about to do; said before anything is spent."""

    conditions: Conditions
    most: Bound
    """What it can cost at the most."""
    targets_by_default: bool
    notes: tuple[str, ...]
    """What a person should know of the models ("scripted replies") and of a spec that was drafted for the run."""
    folder: Path


Watch = Callable[[Entry | Waiting], None]


class Record:
    """The journal of a run together with all that follows from it."""

    def __init__(self, journal: Journal, begun: Begun, watch: Watch | None = None) -> None:
        self._journal = journal
        self._watch = watch
        self._before = active_seconds(journal.entries)
        self._since = time.monotonic()
        self._untold: list[Entry] = []
        self._writing: asyncio.Task[None] | None = None
        self._trouble: Exception | None = None
        self.begun = begun
        self.population: Population = fold(begun.conditions, (entry.event for entry in journal.entries))

    @property
    def events(self) -> Iterable[Event]:
        """All that happened."""
        return (entry.event for entry in self._journal.entries)

    @property
    def minutes(self) -> float:
        """How long the run was worked on, in all its sittings."""
        return (self._before + time.monotonic() - self._since) / 60

    def add(self, event: Event) -> None:
        """Takes in what happened: known when this returns, and told once it is on disk."""
        if self._trouble is not None:
            raise self._trouble
        self._untold.append(self._journal.enter(event))
        self.population.add(event)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def durable(self) -> None:
        """Waits until all that happened is on disk, and told."""
        while self._writing is not None:
            await asyncio.shield(self._writing)
        if self._trouble is not None:
            raise self._trouble

    async def _write(self) -> None:
        try:
            while self._untold:
                entries, self._untold = self._untold, []
                await asyncio.to_thread(self._journal.commit)
                for entry in entries:
                    self.tell(entry)
        except Exception as error:  # raised where somebody waits for it, or adds to it
            self._trouble = error
        finally:
            self._writing = None

    def tell(self, what: Entry | Waiting) -> None:
        """Lets whoever watches know."""
        if self._watch is not None:
            self._watch(what)

    def keep(self, text: str) -> Blob:
        """Keeps a text: on disk before any event that is added later."""
        return self._journal.hold(text)

    def text(self, blob: Blob) -> str:
        """A text that was kept."""
        return self._journal.text(blob)


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it, also while another process works on it."""

    folder: Path
    entries: tuple[Entry, ...]
    population: Population

    def text(self, blob: Blob) -> str:
        """A source, a prompt or a reply that the run kept."""
        return read_blob(self.folder, blob)


def load_run(folder: str | Path) -> Run:
    """A run's folder, read."""
    place = Path(folder)
    entries = read(place)
    begun = entries[0].event
    assert isinstance(begun, Begun)
    return Run(place, tuple(entries), fold(begun.conditions, (entry.event for entry in entries)))


def active_seconds(entries: Iterable[Entry]) -> float:
    """How long a journal's sittings took together; what lies between two of them is nobody's time."""
    total, start, last = 0.0, 0.0, 0.0
    for entry in entries:
        now = datetime.datetime.fromisoformat(entry.at).timestamp()
        if isinstance(entry.event, Begun | Resumed):
            total, start = total + last - start, now
        last = now
    return max(total + last - start, 0.0)
