"""What a run would do: its first prompts, how many calls it may make and what these may cost; nobody is asked."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from geak.errors import GeakError
from geak.journal.events import Lesson, Move
from geak.models.base import Message, Reply, Role
from geak.models.config import KEYS
from geak.population import GIVEN, Candidate
from geak.prompts import check
from geak.record import Opening
from geak.roles import drafter, generator, optimizer, reflector
from geak.roles.brief import Ask, Brief, NoAnswer, Past
from geak.settings import DEFAULT_TARGETS, Settings
from geak_evaluator.schema.spec import Axis, Case, Description, Spec, Tensor
from geak_evaluator.schema.target import find
from geak_evaluator.schema.verdict import CaseResult, Cause, Policy, Status, Verdict


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


async def rehearse(brief: Brief) -> None:
    """Has every role say all that it can say, to nobody: a mistake in a person's own template is found unpaid."""
    if brief.prompts is None:
        return
    check(brief.prompts)
    right, wrong = _judged(Status.ACCEPTED, None), _judged(Status.REJECTED, Cause.WRONG_VALUES)
    ledger = [(right.candidate, Lesson("a cause", "advice", "what was tried", "worked"))]
    questions: list[Callable[[Ask], Awaitable[object]]] = [
        lambda ask: drafter.draft_spec(ask, "words", ["a problem"], "an earlier answer", prompts=brief.prompts),
        lambda ask: generator.draft(ask, brief, ledger, siblings=["a plan"]),
        lambda ask: generator.repair(ask, brief, ledger, wrong),
        lambda ask: generator.optimise(ask, brief, ledger, [right, right], "a change"),
        lambda ask: optimizer.plan(ask, brief, ledger, [right, right]),
        lambda ask: reflector.explain(ask, brief, right, ledger),
        lambda ask: reflector.explain(ask, brief, wrong, ledger),
    ]
    for question in questions:
        with contextlib.suppress(NoAnswer):
            await question(_mute)


def brief_without_spec(settings: Settings) -> Brief:
    """A task such as a run may have, for a rehearsal before its spec is there."""
    spec = Spec(axes={"N": Axis(1, 8)}, inputs={"x": Tensor(("N",))}, cases=(Case({"N": 1}),))
    return Brief(
        about=Description("kernel", "", spec, ("x",)),
        source="",
        targets=tuple(find(name) for name in settings.target or DEFAULT_TARGETS),
        policy=settings.policy or Policy.PURE,
        goal=settings.goal or "correct",
        hint=settings.hint,
        prompts=settings.prompts,
    )


async def _mute(role: Role, messages: tuple[Message, ...]) -> Reply:
    return Reply("")  # which is asked for once more, so that this too is said


def _judged(status: Status, cause: Cause | None) -> Past:
    case = CaseResult(Case({"N": 1}), cause, "" if cause is None else "wrong at [0]")
    verdict = Verdict("kernel", status, "interpreter", "gfx942", "float64", "isolated", (case,), 1)
    return Past(Candidate(Move("1.1", "draft", 1, 1), plan="a plan", verdict=verdict), "a source")


async def _caught(question: Callable[[Ask], Awaitable[object]]) -> Prompt:
    async def ask(role: Role, messages: tuple[Message, ...]) -> Reply:
        raise _Asked(Prompt(role, messages))

    try:
        await question(ask)
    except _Asked as asked:
        return asked.prompt
    raise AssertionError("every role asks before it answers")
