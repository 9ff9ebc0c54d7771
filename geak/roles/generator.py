"""The generator writes kernels: a first one, a mended one, a better one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from geak.roles import answers
from geak.roles.brief import Ask, Brief, Ledger, NoAnswer, Past, speak, system, told
from geak.roles.turns import answered


@dataclass(frozen=True)
class Draft:
    """A kernel file, and what its author says that it does."""

    source: str
    plan: str


async def draft(ask: Ask, brief: Brief, ledger: Ledger, *, siblings: Sequence[str] = ()) -> Draft:
    """A kernel from nothing; `siblings` are plans that others follow already."""
    return await _written(ask, brief, "draft", "", ledger=told(ledger), siblings=siblings)


async def repair(ask: Ask, brief: Brief, ledger: Ledger, broken: Past) -> Draft:
    """The same kernel without what it was refused for."""
    return await _written(ask, brief, "repair", broken.source, ledger=told(ledger), past=broken)


async def optimise(ask: Ask, brief: Brief, ledger: Ledger, ancestors: Sequence[Past], change: str) -> Draft:
    """The last of the ancestors, with one change made to it."""
    *others, best = ancestors
    shown: dict[str, Any] = {"ledger": told(ledger), "past": best, "others": others, "change": change}
    return await _written(ask, brief, "optimise", best.source, **shown)


async def _written(ask: Ask, brief: Brief, template: str, earlier: str, **shown: Any) -> Draft:
    entry = brief.about.entry

    def read(text: str) -> Draft:
        source = answers.kernel(text, entry, earlier)
        if source.strip() == earlier.strip():
            raise NoAnswer("it gives the kernel back as it was")
        return Draft(source, answers.plan(text))

    def again(why: str, answer: str) -> str:
        return speak("generator/again.md.j2", brief.prompts, why=why, answer=answer, entry=entry)

    question = speak(f"generator/{template}.md.j2", brief.prompts, brief=brief, entry=entry, **shown)
    return await answered(ask, "generator", system("generator", brief), question, read, again)
