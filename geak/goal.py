"""What a run is for, and whether it is reached: `correct`, `best`, `faster`, `1.2x` or `sol:0.9`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from geak.errors import MachineError, UsageError
from geak.population import GIVEN, Candidate, Population
from geak_evaluator.schema.timing import Timing, share_of_light, speedup

FASTER = "faster"
"""Faster than the best baseline, with the whole interval above 1: what a run is for where times are measured."""


@dataclass(frozen=True)
class Goal:
    """When a run may stop."""

    kind: Literal["correct", "best", "speedup", "sol"]
    value: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Goal:
        """Reads "correct", "best", "faster", "1.2x" and "sol:0.9"."""
        if text in ("correct", "best"):
            return cls("correct" if text == "correct" else "best")
        if text == FASTER:
            return cls("speedup", 1.0)
        if match := re.fullmatch(r"(\d+(?:\.\d+)?)x", text):
            value = float(match[1])
            if 0 < value <= 1000:
                return cls("speedup", value)
        elif (match := re.fullmatch(r"sol:(0?\.\d+|1(?:\.0*)?)", text)) and float(match[1]) > 0:
            return cls("sol", float(match[1]))
        raise UsageError(
            f"--goal {text!r} is no goal; there are correct, best (go on while there are rounds and money), "
            "faster (than the best baseline), 1.2x (so many times) and sol:0.9 (of what the device could do)"
        )

    def __str__(self) -> str:
        if self.kind == "speedup" and self.value == 1:
            return FASTER
        return {"speedup": f"{self.value:g}x", "sol": f"sol:{self.value:g}"}.get(self.kind, self.kind)

    def must_be_measurable(self, *, measured: bool) -> None:
        """A speed is a goal only where it can be measured; MachineError says what to ask for instead."""
        if self.kind in ("speedup", "sol") and not measured:
            raise MachineError(
                "a speed cannot be a goal here: no GPU that is the first target can be timed on; ask for --goal "
                "correct or best, or name the GPU that is there with --target"
            )

    def reached_by(self, population: Population) -> Candidate | None:
        """The candidate that reaches it, if the final tier does not refuse it.

        A speed is reached when the figure's whole interval is beyond it; once the final tier has measured again, its
        figures count and no others.
        """
        best = population.best
        if best is None or best.name == GIVEN or self.kind == "best":
            return None
        if self.kind == "correct":
            return best
        return best if self._fast(best.timings, population.conditions.max_case_loss) else None

    def _fast(self, timings: tuple[Timing, ...], loss: float | None) -> bool:
        if self.kind == "sol":
            return share_of_light(timings) >= self.value
        found = speedup(timings)
        if found is None or (loss is not None and found.worst < 1 - loss):
            return False
        return found.interval.low > 1 if self.value == 1 else found.interval.low >= self.value
