"""What a tuner found: the tunable parts of a kernel, and configurations of them in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

_SHOWN = 4
How = Literal["compiled", "measured"]
SPILLS = "spills"
MICROSECONDS = "microseconds"
RATIO, LOW, HIGH = "ratio", "ratio_low", "ratio_high"
"""How many times as fast as the file as it stands, timed in turn with it, and the interval of that."""


@dataclass(frozen=True)
class Tunable:
    """A number of a kernel file that may be another without changing what it computes."""

    name: str
    """"BLOCK", "num_warps"."""
    kernel: str
    value: int
    """As the file has it."""
    tried: tuple[int, ...]
    where: str
    """"line 12: a configuration of softmax_kernel", in words."""


@dataclass(frozen=True)
class Configuration:
    """One choice for every tunable part of a kernel, and what is known of it on one target."""

    values: dict[str, int]
    figures: dict[str, float] = field(default_factory=dict)
    """By name: spills, occupancy, registers, shared, load_bits, store_bits, matrix, reuse; measured: microseconds, and
    of the best few ratio, ratio_low and ratio_high."""
    cause: str = ""
    """Why it is out: a word of `Cause`, or `SPILLS`; empty for one that may be picked."""
    message: str = ""
    proved: bool = False
    """Whether the gate accepted the kernel with it on this target."""


@dataclass(frozen=True)
class Ranking:
    """The configurations that were tried for one target, the best first; those that are out come last."""

    target: str
    how: How
    configurations: tuple[Configuration, ...]
    present: dict[str, int] = field(default_factory=dict)
    """As the file has it; an option that is left to Triton is not named, here as in every configuration."""
    table: dict[str, dict[str, int]] = field(default_factory=dict)
    """The rows of the table that was handed over, with another configuration where theirs is out."""
    device: str = ""
    """Where it was measured."""

    @property
    def feasible(self) -> tuple[Configuration, ...]:
        """Those that may be picked."""
        return tuple(one for one in self.configurations if not one.cause)


@dataclass(frozen=True)
class Tuning:
    """What came of tuning one kernel file."""

    tunables: tuple[Tunable, ...] = ()
    rankings: tuple[Ranking, ...] = ()
    """One a target, in the order they were asked for."""
    source: str = ""
    """The file with the first target's best configuration in it; empty where there is nothing to change."""
    proved: bool = False
    """Whether `source` passed the gate."""
    picked: dict[str, int] = field(default_factory=dict)
    """The configuration of the first target that is in `source`."""
    tried: int = 0
    left: tuple[str, ...] = ()
    """What looks tunable and was left as it is, with the reason."""
    note: str = ""
    """What the order means, or why there is nothing to tune, in a sentence."""

    @property
    def changes(self) -> str:
        """What `source` has otherwise than the file, in a few words."""
        present = self.rankings[0].present if self.rankings else {}
        changed = [(name, value) for name, value in self.picked.items() if present.get(name) != value]
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        return ", ".join(f"{name}={value}" for name, value in changed[:_SHOWN]) + more or "nothing changed"
