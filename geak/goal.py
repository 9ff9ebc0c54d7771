"""What a run is for, and whether it is reached: `correct`, `best`, `1.2x` or `sol:0.9`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from geak.errors import MachineError, UsageError
from geak.population import GIVEN, Candidate, Population


@dataclass(frozen=True)
class Goal:
    """When a run may stop."""

    kind: Literal["correct", "best", "speedup", "sol"]
    value: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Goal:
        """Reads "correct", "best", "1.2x" and "sol:0.9"."""
        if text in ("correct", "best"):
            return cls("correct" if text == "correct" else "best")
        if match := re.fullmatch(r"(\d+(?:\.\d+)?)x", text):
            value = float(match[1])
            if 0 < value <= 1000:
                return cls("speedup", value)
        elif (match := re.fullmatch(r"sol:(0?\.\d+|1(?:\.0*)?)", text)) and float(match[1]) > 0:
            return cls("sol", float(match[1]))
        raise UsageError(
            f"--goal {text!r} is no goal; there are correct, best (go on while there are rounds and money), "
            "1.2x (times faster than the best baseline) and sol:0.9 (of what the device could do)"
        )

    def __str__(self) -> str:
        return {"speedup": f"{self.value:g}x", "sol": f"sol:{self.value:g}"}.get(self.kind, self.kind)

    def must_be_measurable(self) -> None:
        """A speed is a goal only where it can be measured; MachineError says what to ask for instead."""
        if self.kind in ("speedup", "sol"):
            raise MachineError(
                "a speed cannot be a goal here: nothing measures it on this machine; ask for --goal correct or best"
            )

    def reached_by(self, population: Population) -> Candidate | None:
        """The candidate that reaches it, if the final tier does not refuse it."""
        best = population.best
        return best if self.kind == "correct" and best is not None and best.name != GIVEN else None
