"""What every role knows of the task, and what its prompts are made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geak import knowledge
from geak.errors import GeakError
from geak.journal.events import Lesson
from geak.models.base import Message, Reply, Role
from geak.population import Candidate
from geak.prompts import render
from geak.roles.quoting import fenced, inline
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.target import Target
from geak_evaluator.schema.verdict import Policy

Ask = Callable[[Role, tuple[Message, ...]], Awaitable[Reply]]
"""Puts a question to the model that plays a role."""

Ledger = Sequence[tuple[Candidate, Lesson]]
"""What was learned so far, and from whom."""

_MOST_LESSONS = 16


class NoAnswer(GeakError):
    """No usable answer came, not even after a second question; the message says why."""


@dataclass(frozen=True)
class Brief:
    """What every role knows of the task: the same from call to call, so that it makes the fixed prefix."""

    about: Description
    source: str
    """The spec file's text: its reference is what a kernel must match."""
    targets: tuple[Target, ...]
    policy: Policy
    goal: str = "correct"
    hint: str = ""
    tuned: bool = False
    """A tuner tries the numbers of each kernel that is accepted."""
    original: str = ""
    """The source of the kernel that was given, if one was."""
    prompts: Path | None = None
    """A folder of templates that stand before those that ship."""


@dataclass(frozen=True)
class Past:
    """A candidate as a prompt shows it."""

    candidate: Candidate
    source: str

    @property
    def did(self) -> str:
        """What its author says that it does, or was asked to."""
        return self.candidate.plan or self.candidate.change

    @property
    def facts(self) -> knowledge.Facts:
        """Its verdict in the loop; the final one never returns to it."""
        verdict = self.candidate.verdict
        if verdict is None:
            return knowledge.Facts("not judged", said=self.candidate.trouble)
        return knowledge.facts(verdict, self.source)

    @property
    def standing(self) -> str:
        """Its verdict in half a line."""
        return knowledge.brief(self.candidate.verdict)


def system(role: Role, brief: Brief) -> Message:
    """What a role is told first, the same in every call."""
    text = speak(
        f"{role}/system.md.j2",
        brief.prompts,
        brief=brief,
        spec=brief.about.spec,
        signature=knowledge.signature(brief.about),
        arguments=knowledge.arguments(brief.about),
        pages=[(target, knowledge.target_page(target)) for target in brief.targets],
    )
    return Message("system", text, fixed=True)


def speak(template: str, folder: Path | None = None, /, **values: Any) -> str:
    """A template's text; it quotes what it shows with `fenced` and `inline`."""
    return render(template, folder=folder, fenced=fenced, inline=inline, **values)


def told(ledger: Ledger) -> tuple[str, ...]:
    """The ledger, a line each: what worked, what to avoid, what made no difference."""
    order = ("worked", "avoid", "neutral")
    latest = sorted(ledger[-_MOST_LESSONS:], key=lambda pair: order.index(pair[1].outcome))
    return tuple(_line(candidate, lesson) for candidate, lesson in latest)


def _line(candidate: Candidate, lesson: Lesson) -> str:
    word = {"worked": "WORKED", "avoid": "AVOID", "neutral": "SEEN"}[lesson.outcome]
    parts = (inline(lesson.tried, 120), inline(lesson.cause, 200), inline(lesson.advice, 160))
    return f"{word} [{candidate.name}] " + " | ".join(filter(None, parts))
