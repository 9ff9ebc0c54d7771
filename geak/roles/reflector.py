"""The reflector says why a kernel failed, or what holds a correct one back."""

from __future__ import annotations

from typing import Literal

from geak.journal.events import Lesson
from geak.roles import answers
from geak.roles.brief import Ask, Brief, Ledger, NoAnswer, Past, speak, system, told
from geak.roles.quoting import inline
from geak.roles.turns import answered
from geak_evaluator.schema.verdict import Status

Outcome = Literal["worked", "avoid", "neutral"]

_FIELDS = ("tried", "cause", "advice")
_MOST = 300


async def explain(ask: Ask, brief: Brief, past: Past, ledger: Ledger) -> Lesson:
    """The lesson of a verdict; where the model gives none, the one that the verdict gives by itself."""
    template = "correct" if _accepted(past) else "failed"
    question = speak(f"reflector/{template}.md.j2", brief.prompts, past=past, ledger=told(ledger))

    def read(text: str) -> Lesson:
        found = answers.object(text, ("cause",))
        tried, cause, advice = (inline(found.get(name, ""), _MOST) for name in _FIELDS)
        return Lesson(cause, advice, tried or inline(past.did, _MOST), _outcome(past, found.get("outcome", "")))

    def again(why: str, answer: str) -> str:
        return speak("reflector/again.md.j2", brief.prompts, why=why, answer=answer)

    try:
        return await answered(ask, "reflector", system("reflector", brief), question, read, again)
    except NoAnswer:
        return plain_lesson(past)


def plain_lesson(past: Past) -> Lesson:
    """The lesson that a verdict gives by itself."""
    facts = past.facts
    tried = inline(past.did, _MOST)
    if _accepted(past):
        return Lesson(inline(f"{facts.headline}. {' '.join(facts.figures[:1])}", _MOST), "", tried, "worked")
    words = " ".join(filter(None, (facts.cause.replace("_", " "), facts.where and f"[{facts.where}]", facts.said)))
    return Lesson(inline(words, _MOST) or facts.headline, inline(facts.means, _MOST), tried, "neutral")


def _accepted(past: Past) -> bool:
    verdict = past.candidate.verdict
    return verdict is not None and verdict.status is Status.ACCEPTED


def _outcome(past: Past, word: str) -> Outcome:
    """What the model says of it, unless the verdict says otherwise: what was refused has not worked."""
    word = word.strip().lower()
    if word == "worked" and _accepted(past):
        return "worked"
    return "avoid" if word == "avoid" else "neutral"
