"""What no kernel may rely upon: what memory holds that nobody wrote, and which of its programs comes first."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from geak_evaluator.oracle import Answer
from geak_evaluator.outcome import Captured, Ran
from geak_evaluator.proof import numbers
from geak_evaluator.replaying import replay
from geak_evaluator.schema.verdict import UNDECIDABLE, Cause
from geak_evaluator.subject import Subject

IN_TURN, TURNED_ROUND = 0, 1
"""Orders of a launch's programs; a larger number is one that they are drawn by."""
_LARGE = range(0x50, 0x7A)
"""Bytes that repeated make a large number in each format, and with their highest bit a large negative one."""
_HIGHEST_BIT = 0x80
_UNKNOWN = (*UNDECIDABLE, Cause.TIMEOUT)


@dataclass(frozen=True)
class Manner:
    """How a plan is carried out: the byte that new memory holds, and the order of programs."""

    poison: int = numbers.POISON
    order: int = IN_TURN


PLAIN = Manner()


def manners(rng: random.Random) -> Iterator[Manner]:
    """The plain one, whose NaN shows best what was never written, and in turn others that cannot be foreseen."""
    while True:
        yield PLAIN
        yield Manner(rng.choice(_LARGE), TURNED_ROUND)
        yield Manner(rng.choice(_LARGE) | _HIGHEST_BIT, rng.randrange(TURNED_ROUND + 1, 1 << 31))


def carried_out(
    subject: Subject, answer: Answer, captured: Captured, manner: Manner, *, lower: bool = False, explain: bool = True
) -> Ran:
    """One plan by the interpreter; of a kernel that is right in some manners alone it is said which those are.

    What an original kernel leaves unwritten holds this manner's byte in its answer, and so in any other order's.
    """
    straight = Manner(manner.poison) if subject.spec.oracle == "peer" else PLAIN

    def tried(manner: Manner, *, lower: bool = False) -> Ran:
        why = explain and manner == straight  # what is wrong in another is tried in this one too
        poison, order = manner.poison, manner.order
        return replay(subject, answer, captured, lower=lower, explain=why, poison=poison, order=order)

    ran = tried(manner, lower=lower)
    if ran.result.cause is not None and manner != straight:
        plain = tried(straight, lower=lower)
        if plain.result.cause is not None:
            return plain  # which shows best what is wrong
        unread = tried(Manner(manner.poison))
        if unread.result.cause is not None:
            text = "it is right only where memory that was never written holds certain values"
            return replace(unread, result=replace(unread.result, message=f"{unread.result.message}; {text}"))
        if ran.result.cause in _UNKNOWN:
            return plain  # programs that wait for one another may not get through in any order
        text = f"it relies on an order that no device promises: in another one it is {ran.result.message}"
        return replace(ran, result=replace(ran.result, cause=Cause.RACE, message=text))
    if ran.result.cause is None and ran.disputed:
        for order in (IN_TURN, TURNED_ROUND, TURNED_ROUND + 1):
            other = tried(replace(manner, order=order)) if order != manner.order else ran
            settled = other.result.cause is None or (other.result.cause in _UNKNOWN and subject.ordered)
            if not settled:
                return replace(ran, result=replace(ran.result, cause=Cause.RACE, message=ran.disputed[0]))
    return ran
