"""A question and its answer: one that cannot be used is asked for once more, and then it is given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from geak.models.base import Message, Reply, Role
from geak.roles import answers
from geak.roles.brief import Ask, NoAnswer

T = TypeVar("T")


async def answered(
    ask: Ask, role: Role, system: Message, question: str, read: Callable[[str], T], again: Callable[[str, str], str]
) -> T:
    """What `read` makes of the answer; `again` says what was missing, and is told why and the answer itself."""
    reply = await ask(role, (system, Message("user", question)))
    try:
        return heard(reply, read)
    except NoAnswer as error:
        more = again(str(error), reply.text)
    # One message: not every provider takes two in a row from one speaker.
    reply = await ask(role, (system, Message("user", f"{question}\n{more}")))
    try:
        return heard(reply, read)
    except NoAnswer as error:
        raise NoAnswer(f"the {role} was asked twice: {error}") from None


def heard(reply: Reply, read: Callable[[str], T]) -> T:
    """What a reply says, or NoAnswer in words for a person."""
    cut = reply.finish == "length"
    cut_words = f"the answer was cut at {reply.usage.output or 'its limit of'} tokens"
    if reply.finish == "refusal":
        raise NoAnswer("the model refused to answer")
    if not reply.text.strip():
        raise NoAnswer(f"{cut_words}, before a word of it was written" if cut else "the answer was empty")
    if cut and answers.unfinished(reply.text):
        raise NoAnswer(f"{cut_words}, in the middle of it; allow it more tokens, or less thought")
    try:
        return read(reply.text)
    except NoAnswer as error:
        if cut:
            raise NoAnswer(f"{cut_words}: {error}") from None
        raise
