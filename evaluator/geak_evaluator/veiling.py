"""What may be told: of a case that a spec shows all, of a hidden one its class; in the final tier of each its class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from geak_evaluator.outcome import Ran
from geak_evaluator.proof import shapes
from geak_evaluator.schema.spec import Case, Spec
from geak_evaluator.schema.verdict import CaseResult, Tier


def told(ran: Ran, tier: Tier) -> Ran:
    """A case that the spec shows."""
    if tier is not Tier.FINAL:
        return ran
    return replace(ran, result=_veiled(ran.result, "a size that the spec shows"), log="")


def unseen(ran: Ran, spec: Spec, target: str = "") -> Ran:
    """A hidden case, on a target where it is not the first."""
    veiled = _veiled(ran.result, shapes.kind(ran.result.case, spec))
    blurred = tuple(map(_blurred, ran.conflicts))
    return replace(ran, result=replace(veiled, target=target), log="", conflicts=blurred)


def conflicts(rans: Sequence[Ran]) -> tuple[str, ...]:
    """The first of each kind: a kernel has them in every case."""
    kinds: dict[str, str] = {}
    for text in (text for ran in rans for text in ran.conflicts):
        kinds.setdefault(_blurred(text), text)
    return tuple(kinds.values())


def _blurred(text: str) -> str:
    """Without the numbers, which of a hidden case tell its sizes."""
    return re.sub(r"\b\d+\b", "...", text)


def _veiled(result: CaseResult, kind: str) -> CaseResult:
    """What may be told of a hidden case: the cause in a word, and the class of its sizes; a message could hold them."""
    word = result.cause.value.replace("_", " ") if result.cause else ""
    return CaseResult(
        Case({}),
        result.cause,
        word,
        steps=result.steps,
        hidden=kind,
        configuration=result.configuration,
        how=result.how,
    )
