"""What became of one case of a candidate, on its way to the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

from geak_evaluator.replies import FAULTS, read
from geak_evaluator.sandbox.child import Fault, Reply
from geak_evaluator.schema.exchange import Trouble
from geak_evaluator.schema.machine_code import Handed
from geak_evaluator.schema.plan import Plan
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.verdict import CaseResult, Cause


@dataclass(frozen=True)
class Captured:
    """What a wrapper asks for in one case."""

    case: Case
    plan: Plan
    configurations: tuple[str, ...] = ()
    """Between which an autotuned kernel may choose; empty where there is no choice."""
    log: str = ""


@dataclass(frozen=True)
class Ran:
    """One case of a candidate, what it printed, and what its replay handed over."""

    result: CaseResult
    log: str = ""
    captured: Captured | None = None
    """None where it did not come so far."""
    handed: Handed = field(default_factory=Handed)
    conflicts: tuple[str, ...] = ()
    disputed: tuple[str, ...] = ()
    """Those of them of which somebody has to say whether they show in what comes out."""


def failed(case: Case, reply: Reply) -> CaseResult:
    """Why a candidate's child gave no answer."""
    if reply.fault is not None:
        return CaseResult(case, Cause(reply.fault.value), FAULTS[reply.fault])
    return troubled(case, read(Trouble, reply))


def troubled(case: Case, trouble: Trouble | None) -> CaseResult:
    """A child's trouble as a result."""
    if trouble is None or trouble.cause not in {cause.value for cause in Cause}:
        return CaseResult(case, Cause.PROTOCOL, FAULTS[Fault.PROTOCOL])
    return CaseResult(case, Cause(trouble.cause), trouble.message, trouble.line)
