"""One fault, as data."""

from __future__ import annotations

from dataclasses import dataclass

from geak_evaluator.schema.verdict import Cause


@dataclass(frozen=True)
class Variant:
    """A starter kernel with one fault: `old`, which its file holds exactly once, became `new`."""

    fault: str
    old: str
    new: str
    says: str
    """A regular expression that the diagnosis must match."""
    cause: Cause = Cause.WRONG_VALUES
    also: tuple[Cause, ...] = ()
    """What it may be instead, by the values that were drawn."""
    quick: bool = False
    """Judged in every run of the suite, not only in the slow one."""
    needs: str = ""
    """What the judge cannot do yet; the variant is skipped until then."""
