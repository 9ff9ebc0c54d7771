"""The optimizer reads the best kernels with their verdicts and says what to change next: one thing."""

from __future__ import annotations

from collections.abc import Sequence

from geak.roles import answers
from geak.roles.brief import Ask, Brief, Ledger, NoAnswer, Past, speak, system, told
from geak.roles.quoting import inline
from geak.roles.turns import answered

_MOST = 900


async def plan(ask: Ask, brief: Brief, ledger: Ledger, ancestors: Sequence[Past]) -> str:
    """One change to the last of the ancestors, which come worst to best."""
    *others, best = ancestors
    question = speak("optimizer/plan.md.j2", brief.prompts, past=best, others=others, ledger=told(ledger))

    def again(why: str, answer: str) -> str:
        return speak("optimizer/again.md.j2", brief.prompts, why=why, answer=answer)

    return await answered(ask, "optimizer", system("optimizer", brief), question, _read, again)


def _read(text: str) -> str:
    try:
        found = answers.object(text, ("change",))
    except NoAnswer:
        words = answers.plan(text, 2 * _MOST)
        if not words or len(words) > _MOST:
            raise
        return words
    evidence = inline(found.get("evidence", ""), _MOST // 2)
    return inline(found["change"], _MOST) + (f" (because: {evidence})" if evidence else "")
