"""The drafter turns a person's words into a spec file; lint judges it, and a person confirms it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from geak.models.base import Message
from geak.roles import answers
from geak.roles.brief import Ask, speak
from geak.roles.turns import answered
from geak_evaluator.schema.spec import FILLS


async def draft_spec(
    ask: Ask, words: str, problems: Sequence[str] = (), earlier: str = "", *, prompts: Path | None = None
) -> str:
    """A spec file's source; `problems` are what lint or the judge says of the earlier one."""
    task = speak("drafter/draft.md.j2", prompts, words=words)

    def mend(problems: Sequence[str], earlier: str) -> str:
        return speak("drafter/mend.md.j2", prompts, problems=problems, earlier=earlier)

    question = f"{task}\n{mend(problems, earlier)}" if problems else task
    rules = Message("system", speak("drafter/system.md.j2", prompts, fills=FILLS), fixed=True)
    return await answered(
        ask,
        "drafter",
        rules,
        question,
        lambda text: answers.spec(text, earlier),
        lambda why, answer: mend([why], answer),
    )
