"""What a better kernel is: one that takes less time, less energy, or no more of either."""

from __future__ import annotations

from typing import Literal, get_args

from geak.errors import MachineError
from geak_evaluator.schema.timing import State, Timing
from geak_evaluator.schema.verdict import Verdict

Objective = Literal["time", "energy", "pareto"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
_APART = 1.1
"""How far apart two figures of energy must be: sensors may be a tenth off (docs/profile.md)."""


def must_be_measurable(objective: Objective, measures: bool) -> None:
    """Energy is an objective only where a device is timed; MachineError says what to ask for instead."""
    if objective != "time" and not measures:
        raise MachineError(
            f"--objective {objective} needs a GPU whose energy is measured, and the judge has none here; "
            "ask for --objective time"
        )


def surely_better(a: Verdict, b: Verdict, objective: Objective) -> bool | None:
    """Whether what was measured calls `a` better than `b`; None where it cannot say, so that others may."""
    mine, theirs = _measured(a), _measured(b)
    cases = mine.keys()
    if not cases or cases != theirs.keys():
        return None  # what was left out of one might be what it is worse at
    time = [_faster(mine[case], theirs[case]) for case in cases]
    energy = [_thriftier(mine[case], theirs[case]) for case in cases]
    words = {"time": time, "energy": energy, "pareto": [*time, *energy]}[objective]
    if any(word is None for word in words):
        return None
    return any(word == 1 for word in words) and -1 not in words


def _measured(verdict: Verdict) -> dict[str, Timing]:
    return {str(one.case): one for one in verdict.timings if one.state is State.MEASURED and one.candidate is not None}


def _faster(a: Timing, b: Timing) -> int | None:
    """1 if surely faster, -1 if surely slower, 0 where their intervals meet; none of it between two devices."""
    if a.device != b.device or a.candidate is None or b.candidate is None:
        return None
    return (a.candidate.high < b.candidate.low) - (b.candidate.high < a.candidate.low)


def _thriftier(a: Timing, b: Timing) -> int | None:
    if a.device != b.device or a.joules is None or b.joules is None:
        return None
    return (a.joules * _APART < b.joules) - (b.joules * _APART < a.joules)
