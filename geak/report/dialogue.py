"""What models were asked and answered, candidate by candidate, in no more room than one page may take."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from geak.errors import RunError
from geak.journal.events import Announced, Blob, Failed, Received
from geak.record import Run
from geak.words import duration, flat, money, plain

MOST = 3_000_000
"""Characters of prompts, replies and logs that one page holds; what is over stays in the run's folder."""
_LONGEST = 400_000
"""Of one text."""


@dataclass(frozen=True)
class Said:
    """One message: whole, or where it is told elsewhere on the page or left out, only that."""

    speaker: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class CallRow:
    """One call to a model."""

    number: int
    role: str
    model: str
    took: str
    prompt: tuple[Said, ...]
    reply: Said | None
    trouble: str = ""


@dataclass
class Texts:
    """Foreign texts as the page shows them: each once, and no more of them together than a page may hold."""

    read: Callable[[Blob], str]
    left: int = MOST
    seen: dict[str, str] = field(default_factory=dict)

    def said(self, speaker: str, text: str, place: str) -> Said:
        """A message: a long one that was shown before is only pointed to."""
        if len(text) > 200 and text in self.seen:
            return Said(speaker, "", f"the same as in {self.seen[text]}")
        self.seen.setdefault(text, place)
        return Said(speaker, *self._fit(text))

    def blob(self, speaker: str, blob: Blob, place: str) -> tuple[Said, ...]:
        """A reply, or the messages of a prompt; one that cannot be read says so."""
        try:
            text = self.read(blob)
        except RunError as error:
            return (Said(speaker, "", str(error)),)
        if speaker != "prompt":
            return (self.said(speaker, text, place),)
        return tuple(self.said(who, what, f"{place}, {who}") for who, what in messages(text))

    def _fit(self, text: str) -> tuple[str, str]:
        room = min(self.left, _LONGEST)
        if room <= 0:
            return "", "left out to keep this page small; it is in the run's folder (geak show RUN --json)"
        self.left -= min(len(text), room)
        note = "" if len(text) <= room else f"the first {room:,} of {len(text):,} characters"
        return plain(text[:room]), note


def messages(text: str) -> list[tuple[str, str]]:
    """The messages of a prompt that a run kept: who speaks, and what is said."""
    try:
        return [(str(one["speaker"]), str(one["text"])) for one in json.loads(text)]
    except (ValueError, KeyError, TypeError):
        return [("prompt", text)]


def calls(run: Run, texts: Texts) -> dict[str, tuple[CallRow, ...]]:
    """The calls of each candidate, in their order."""
    announced: dict[int, Announced] = {}
    found: dict[str, list[CallRow]] = {}
    ends = {e.event.call: e.event for e in run.entries if isinstance(e.event, Received | Failed)}
    for entry in run.entries:
        if isinstance(entry.event, Announced):
            announced[entry.event.call] = entry.event
    for number, call in announced.items():
        end, place = ends.get(number), f"{call.candidate}, {call.role}"
        prompt = texts.blob("prompt", call.prompt, place)
        reply = texts.blob("reply", end.reply, place)[0] if isinstance(end, Received) else None
        trouble = "" if isinstance(end, Received) else flat(end.message) if end is not None else "no reply yet"
        found.setdefault(call.candidate, []).append(
            CallRow(number, call.role, flat(call.model), _took(end), prompt, reply, trouble)
        )
    return {name: tuple(rows) for name, rows in found.items()}


def _took(end: Received | Failed | None) -> str:
    if not isinstance(end, Received):
        return ""
    usage = end.usage
    read, cost = usage.total - usage.output, money(end.usd or 0.0, end.usd is None)
    return f"{read:,} tokens in, {usage.output:,} out, {cost}, {duration(end.seconds)}"
