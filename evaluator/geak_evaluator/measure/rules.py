"""What is timed, by which rules, and what comes of it: the words of the clock and of whatever it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from geak_evaluator.schema.measuring import Block, Timed
from geak_evaluator.schema.timing import Conditions, Interval, State


@dataclass(frozen=True)
class Rules:
    """How long and how exactly."""

    seconds: float = 20.0
    """For one case beside one baseline, by the judge's clock."""
    width: float = 0.01
    """Half the interval, relative: narrower is not asked for."""
    useless: float = 0.05
    """Wider than this it says nothing."""
    checks: int = 4
    """Timed calls of the candidate whose outputs are compared."""
    pools: int = 2
    rotations: int = 2
    most_calls: int = 50
    """In one block."""


class Unmeasured(Exception):
    """There will be no figure; the state says why in a word, and the cause is a verdict's word for it."""

    def __init__(self, state: State, message: str, cause: str = "raised") -> None:
        super().__init__(message)
        self.state, self.cause = state, cause


class NoGraph(Exception):
    """A side's work cannot be recorded and replayed."""


class Side(Protocol):
    """One process that does one of the two things that are compared."""

    rotations: int
    pools: int
    steps: int
    """How much it asks the device for: launches, and other steps."""

    def block(self, asked: Block) -> tuple[Timed, float]:
        """One block, with the seconds that it took by the judge's clock; Unmeasured where it went wrong."""

    def check(self, asked: Block) -> str:
        """What is wrong with what the sampled call computed; empty where nothing is."""

    def unseen(self, *, graph: bool = False) -> float | None:
        """Microseconds of the first call on values that none had before; None where there are none."""


@dataclass(frozen=True)
class Alone:
    """A side before the other one exists."""

    us: float
    probe: float
    """What the calibrated kernel takes on the idle device."""
    empty_s: float
    """What a call costs beside its work: values, poison, a flush."""
    mhz: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What a comparison came to."""

    state: State
    message: str = ""
    candidate_us: float = 0.0
    candidate: Interval | None = None
    baseline_us: float = 0.0
    ratio: float = 0.0
    interval: Interval | None = None
    warm_us: float = 0.0
    baseline_warm_us: float = 0.0
    launched: str = "stream"
    blocks: int = 0
    calls: int = 0
    checked: int = 0
    conditions: Conditions = field(default_factory=Conditions)
