"""Why an answer is wrong: what the reference gives where one thing is otherwise, and what the values themselves say."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import replace

import numpy as np

from geak_evaluator.comparing import found, tolerated
from geak_evaluator.oracle import Answer, Oracle
from geak_evaluator.proof import likeness
from geak_evaluator.proof.compare import UNWRITTEN
from geak_evaluator.proof.gain import ENOUGH, Wrong, gain, most
from geak_evaluator.proof.numbers import Array
from geak_evaluator.proof.supposing import Supposing, Supposition
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.schema.exchange import Edit
from geak_evaluator.schema.verdict import CaseResult

_MOST_ELEMENTS = 1 << 20
"""Of a larger case the reference is not run again and again."""
_MOST_RUNS = 400
_SECONDS = 10.0
"""That it may take to find an explanation."""
_ALIKE = 0.97
"""What explains so much of what the best explains is as likely."""
_SHOWN = 2
_WEAK = ("only", "cut", "of_each", "repeated")
"""What the largest of a few is in a part of them as well: only where nothing else is borne out."""


def explained(oracle: Oracle, answer: Answer, result: CaseResult, given: SharedMemory, got: SharedMemory) -> CaseResult:
    """A wrong result with the likeliest reason in its message, where the values bear one out."""
    wrong = result.mismatch
    if wrong is None or wrong.pattern.endswith(UNWRITTEN) or wrong.elements > _MOST_ELEMENTS:
        return result
    index = next(i for i, slot in enumerate(answer.wanted) if slot.path == wrong.output)
    like = _wrong(oracle, answer, index, np.array(found(oracle.about.spec, answer, index, given, got)[...]))
    words = likeness.plainly(like) or _supposed(oracle, answer, index, like)
    if not words and "never written" not in wrong.pattern:
        words = likeness.vaguely(like)
    return replace(result, message=f"{result.message}; {words}") if words else result


def _wrong(oracle: Oracle, answer: Answer, index: int, values: Array) -> Wrong:
    slot = answer.wanted[index]
    sizes = answer.request.sizes if answer.request is not None else {}
    numbers = {name: float(size) for name, size in sizes.items() if not isinstance(size, str | bool)}
    others = {other.path: answer.expected(i) for i, other in enumerate(answer.wanted) if i != index}
    inputs = {one.path: answer.input(one) for one in answer.slots if math.prod(one.shape) <= _MOST_ELEMENTS}
    inputs |= {f"the gradient of output {one.path}": answer.input(one) for one in answer.reply.gradients}
    tolerance = tolerated(oracle.about.spec, answer, index)
    return Wrong(values, answer.expected(index), slot.format, tolerance, inputs, others, numbers)


def _supposed(oracle: Oracle, answer: Answer, index: int, like: Wrong) -> str:
    """What the kernel takes its inputs or its task for, if the reference that does the same gives the same answer."""
    if answer.request is None or sum(math.prod(s.shape) for s in (*answer.laid, *answer.wanted)) > _MOST_ELEMENTS:
        return ""
    end = time.monotonic() + _SECONDS
    good: list[tuple[float, Supposition]] = []
    nothing = not like.got.any()
    enough = max(ENOUGH, _ALIKE * _ALIKE * most(like.got, like.truth, like.format))
    with oracle.hurried(_SECONDS):
        plain = oracle.supposed(answer, Edit("mutated", ()))
        slots = (*answer.slots, *answer.reply.state)
        operations = plain.reply.mutable if plain is not None else {}
        suppositions = Supposing(oracle.about.spec, answer.request.sizes, slots, answer.reply.gradients, operations)
        for one in itertools.islice(suppositions, _MOST_RUNS):
            if time.monotonic() > end or sum(told >= enough for told, _ in good) >= _SHOWN:
                break
            if _idle(one.edit, nothing, good):
                continue
            if (supposed := oracle.supposed(answer, one.edit)) is None:
                continue
            account = _turned(supposed.expected(index), one.edit)
            told = gain(like.got, like.truth, account, like.format, like.tolerance)
            between = one.edit.kind == "flat" and np.isnan(account).any()  # rows, where nothing else would read
            if told >= ENOUGH or (between and told > 0):
                place = supposed.reply.mutated
                words = f"the reference's {_plain(place)} were {one.words}" if place else one.words
                good.append((told, replace(one, words=words)))
    best = max((told for told, _ in good), default=0.0)
    alike: dict[str, Supposition] = {}
    for told, one in good:
        if told >= _ALIKE * best:
            alike.setdefault(one.hint or one.words, one)
    words = ", or if ".join(one.words for one in alike.values())
    hint = next((one.hint for one in alike.values() if len(alike) == 1 and one.hint), "")
    return f"right if {words}{hint and f': {hint}'}" if alike else ""


def _idle(edit: Edit, nothing: bool, good: list[tuple[float, Supposition]]) -> bool:
    """Whether a supposition would say nothing more."""
    if nothing:  # everything is 0 for many a reason
        return edit.kind != "padded" and (edit.kind, edit.other) != ("mutated", "left out")
    return (edit.kind in _WEAK or edit.output == "flipped") and any(one.edit.kind != "filled" for _, one in good)


def _turned(account: Array, edit: Edit) -> Array:
    if edit.output == "negated":
        return -account if account.dtype.kind == "f" else account
    if edit.output == "flipped" and account.ndim > edit.axes[0]:
        return np.flip(account, edit.axes[0])
    return account


def _plain(text: str) -> str:
    """The reference's own words, which are foreign: short, and of one line."""
    return "".join(c if c.isprintable() else " " for c in text)[:80]
