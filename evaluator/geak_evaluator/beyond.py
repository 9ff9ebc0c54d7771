"""Cases far beyond those that a spec shows, as far as the interpreter can carry them out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest

from geak_evaluator.candidate import Candidate
from geak_evaluator.oracle import SpecProblem
from geak_evaluator.outcome import Ran
from geak_evaluator.proof import far
from geak_evaluator.schema import domain
from geak_evaluator.schema.spec import Case, Spec
from geak_evaluator.schema.verdict import UNDECIDABLE, Cause

MOST_PROGRAMS = 512
"""Of all launches of a case: interpreting one takes about half a millisecond, however little it does."""
_SECONDS = 1.0
"""What one step of such a case may take; a loop over a long axis is seen by nothing else."""
_MOST_LOST = 2
"""After so many cases that took too long no other is tried."""
_SAYS_NOTHING = UNDECIDABLE | {Cause.TIMEOUT, Cause.OUT_OF_MEMORY, Cause.PLAN_TOO_LONG}
"""Outcomes that are due to a size which nobody asked for here, and decide against no kernel."""


def beyond(candidate: Candidate, spec: Spec, count: int, rng: random.Random) -> Iterator[Ran]:
    """Up to so many of them, and none that is merely too large; smaller ones only where no row's first can be run."""
    rows = far.rows(spec, count, rng) if count else ()
    done = lost = 0
    for places in zip_longest(*rows):
        if done:
            return
        for case in filter(None, places):
            if done == count or lost == _MOST_LOST:
                return
            ran = _run(candidate, case)
            if not _says(ran):
                lost += ran is None or ran.result.cause is not Cause.TOO_BIG_HERE  # which is seen at once
                continue
            assert ran is not None
            done += 1
            yield ran


def reach(spec: Spec, proved: Iterable[Case], size: Callable[[Case], int]) -> Iterator[str]:
    """Up to how many elements a kernel was proved, if that says less than how large the cases are that it is for."""
    sizes = {str(case): size(case) for case in proved}
    if {str(case) for case in domain.expand(spec, spec.bench)} - set(sizes):
        most = max(sizes.values(), default=0)
        most = most and 1 << most.bit_length() - 1  # a hidden case's own size is not told
        yield f"not proved at bench sizes: the interpreter is too slow for them; proved up to {most} elements"


def tried(candidate: Candidate, case: Case, configuration: int) -> Ran | None:
    """Such a case with another configuration; None where that says nothing of the kernel."""
    ran = _run(candidate, case, configuration)
    return ran if _says(ran) else None


def _run(candidate: Candidate, case: Case, configuration: int | None = None) -> Ran | None:
    """None where the reference has no answer in this time."""
    try:
        with candidate.hurried(_SECONDS):
            return candidate.run(case, configuration=configuration, idle=False, most_programs=MOST_PROGRAMS)
    except SpecProblem:
        return None


def _says(ran: Ran | None) -> bool:
    return ran is not None and ran.result.cause not in _SAYS_NOTHING
