"""What a run would do: its first prompts, how many calls it may make and what these may cost; nobody is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from geak.errors import GeakError
from geak.journal.events import Move
from geak.models.base import Message, Reply, Role
from geak.models.config import KEYS
from geak.population import GIVEN, Candidate
from geak.record import Opening
from geak.roles import drafter, generator, optimizer
from geak.roles.brief import Ask, Brief, Past
from geak.settings import Settings


@dataclass(frozen=True)
class Prompt:
    """One of the first questions."""

    role: Role
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Preview:
    """What would be said and spent."""

    opening: Opening
    calls: int
    """At the most, without tries again."""
    prompts: tuple[Prompt, ...]


class _Asked(GeakError):
    """A question was caught."""

    def __init__(self, prompt: Prompt) -> None:
        super().__init__("a question was caught")
        self.prompt = prompt


def without_keys(settings: Settings) -> Settings:
    """The same, for models that are opened and never asked: a key that is missing is none the worse."""
    keys = (names[0] for names in KEYS.values() if names)
    return replace(settings, environment={**dict.fromkeys(keys, "never sent"), **settings.environment})


async def words_prompt(words: str, templates: Path | None) -> tuple[Prompt, ...]:
    """How a model is asked for a spec."""
    return (await _caught(lambda ask: drafter.draft_spec(ask, words, prompts=templates)),)


async def first_prompts(brief: Brief) -> tuple[Prompt, ...]:
    """The first questions, as far as they are known before anything was answered."""
    given = Past(Candidate(Move(GIVEN, "given", 0, 0), plan="the kernel that was given"), brief.original)
    questions: list[Callable[[Ask], Awaitable[object]]] = [lambda ask: generator.draft(ask, brief, ())]
    if brief.original:
        questions = [
            lambda ask: optimizer.plan(ask, brief, (), [given]),
            lambda ask: generator.optimise(ask, brief, (), [given], "(what the optimizer answers)"),
        ]
    return tuple([await _caught(question) for question in questions])


async def _caught(question: Callable[[Ask], Awaitable[object]]) -> Prompt:
    async def ask(role: Role, messages: tuple[Message, ...]) -> Reply:
        raise _Asked(Prompt(role, messages))

    try:
        await question(ask)
    except _Asked as asked:
        return asked.prompt
    raise AssertionError("every role asks before it answers")
