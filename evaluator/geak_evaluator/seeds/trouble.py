"""Why nothing was compiled, in a sentence for a spec's author."""

from __future__ import annotations

import torch

from geak_evaluator.children.loading import raised
from geak_evaluator.children.spec import Refusal
from geak_evaluator.schema.seed import NEXT
from geak_evaluator.seeds.branches import CannotSeed

KNOWN = "2.13"
"""The version of torch whose inner parts this was written for."""

_VALUES = {
    "GuardOnDataDependentSymNode",
    "DataDependentOutputException",
    "DynamicOutputShapeException",
    "UnbackedSymintEncountered",
    "PendingUnbackedSymbolNotFound",
}
_MOVED = (ImportError, AttributeError, TypeError, NotImplementedError)


def sentence(error: BaseException, name: str) -> str:
    """What happened, and what to do."""
    if isinstance(error, CannotSeed | Refusal):
        return str(error)
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    for one in chain:
        if isinstance(one, CannotSeed):
            return str(one)
    told = raised(error, name)
    short = " ".join(told.text.split())[:200]
    kinds = {type(one).__name__ for one in chain}
    if kinds & _VALUES:
        what = f"reference decides by values what it does{_at(told.line)}, which emitted code cannot follow"
        return f"{what}; write it with torch.where, or {NEXT}"
    if any("setup_context" in str(one) for one in chain):
        what = f"reference has an autograd function of its own{_at(told.line)}, which cannot be traced"
        return f"{what}; write out what it computes, or {NEXT}"
    if kinds & {"MissingOperatorWithoutDecomp", "MissingOperatorWithDecomp"}:
        return f"Inductor has no code for an operation of the reference ({short}); {NEXT}"
    if kinds & {"MemoryError"}:
        return f"the compiler ran out of memory over the reference; make its sizes smaller, or {NEXT}"
    version = torch.__version__
    if isinstance(error, _MOVED) and not told.line and not str(version).startswith(KNOWN):
        return f"torch {version} has no compiler that is known here ({short}); install torch {KNOWN}, or {NEXT}"
    return f"torch {version} does not compile the reference{_at(told.line)} ({short}); {NEXT}"


def _at(line: int) -> str:
    return f" in line {line}" if line else ""
