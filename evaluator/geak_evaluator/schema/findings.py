"""What lint says of a spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One weakness, in words, with what to do about it."""

    rule: str
    """Its name, such as "vacuous-zeros" (docs/write-a-spec.md lists them)."""
    severity: Literal["error", "warning"]
    message: str
    mend: str
    case: str = ""


@dataclass(frozen=True)
class Findings:
    """Everything that lint found."""

    name: str
    findings: tuple[Finding, ...] = ()
    cases: int = 0
    """How many cases were looked at."""

    @property
    def errors(self) -> int:
        """How many make the spec unfit to judge with."""
        return sum(f.severity == "error" for f in self.findings)
