"""An estimate: what each launch of a plan asks for, counted, and how long a device would take for it, by a model.

It is never a measurement and never a claim of speed; two estimates whose intervals meet say nothing of each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from geak_evaluator.schema.spec import Case

Bound = Literal["memory", "cache", "matrix", "vector", "latency", "atomics", "launch"]


@dataclass(frozen=True)
class Traffic:
    """Global memory, as the programs of one launch read or write it; in bytes where nothing else is said."""

    asked: float = 0.0
    """What all active lanes ask for together."""
    sectors: float = 0.0
    """32-byte sectors: those of one instruction of a program, counted once, summed over instructions."""
    lines: float = 0.0
    """Lines of 128 bytes, counted so."""
    own: float = 0.0
    """Bytes of different sectors that one program touches, summed over programs."""
    unique: float = 0.0
    """Bytes of different sectors that the launch touches."""

    @property
    def coalescing(self) -> float:
        """The share of the bytes moved that some lane asked for; above 1 where lanes ask for the same ones."""
        return self.asked / (32 * self.sectors) if self.sectors else 1.0

    @property
    def reuse(self) -> float:
        """How often each byte that is touched is moved."""
        return 32 * self.sectors / self.unique if self.unique else 1.0


@dataclass(frozen=True)
class Work:
    """What one launch asks for, counted while its programs are interpreted."""

    kernel: str
    grid: tuple[int, int, int] = (1, 1, 1)
    traced: int = 0
    """How many programs were run; with fewer than all, every count is scaled up from theirs."""
    read: Traffic = field(default_factory=Traffic)
    written: Traffic = field(default_factory=Traffic)
    most_written: float = 0.0
    """Bytes of different sectors that one program writes: the most of any that was run."""
    dots: dict[str, float] = field(default_factory=dict)
    """Operations of `tl.dot` (a product and a sum are two), by the operands' format."""
    products: float = 0.0
    """How many `tl.dot` one program does: the mean."""
    tile: float = 0.0
    """Elements of the result of one of them: the mean."""
    vector: float = 0.0
    """Elementwise and reducing operations on floats."""
    special: float = 0.0
    """Of another kind: exponentials, logarithms, roots, divisions."""
    integer: float = 0.0
    """Elementwise operations on blocks of integers and addresses."""
    atomics: float = 0.0
    """Lanes of atomic operations."""
    lanes: float = 0.0
    """Lanes of loads, stores and atomics."""
    masked: float = 0.0
    """Those of them that a mask switches off."""
    turns: float = 0.0
    """How often one program waits for memory before it can go on: the mean."""
    longest: float = 0.0
    """The most that any of them waits."""
    steps: float = 0.0
    """How often the warps of one program meet: reductions, scans and products; the mean."""
    trouble: str = ""
    """Why nothing, or less than all, is known of it."""

    @property
    def programs(self) -> int:
        """How many programs it has."""
        return self.grid[0] * self.grid[1] * self.grid[2]


@dataclass(frozen=True)
class Part:
    """One step of a plan: how long it takes, and why."""

    step: str
    """The kernel's name; "fill", "copy", or a library's operation."""
    us: float
    bound: Bound
    sol: float
    """The least that the device could need: bytes at the peak bandwidth, or operations at the peak rate."""
    times: dict[Bound, float] = field(default_factory=dict)
    """Microseconds that each of its bounds asks for, if it were alone."""
    work: Work | None = None
    """None for what is no launch."""
    inner: Inner | None = None
    """Its inner loop of matrix products by a model of the hardware, where there is one."""


@dataclass(frozen=True)
class Inner:
    """The inner loop of a launch, played on a described unit that is full of its programs; validated by nothing."""

    us: float
    """What the launch would take if this were true, and nothing else but its memory held it up."""
    turns: float
    """Of one program."""
    cycles: float
    """Of a unit, from one turn of all its programs to the next."""
    alone: float
    """The same of one wave alone: it issues, and waits for what is on its way."""
    held_by: str
    """What the turn takes its time for: `waits`, or what is busiest."""


@dataclass(frozen=True)
class Estimate:
    """How long one case would take on one target: estimated, not measured."""

    target: str
    case: Case
    us: float = 0.0
    """Microseconds on the device, from the first launch's begin to the last one's end."""
    low: float = 0.0
    high: float = 0.0
    """Within these the time lies four times out of five on a device that was calibrated (docs/estimate.md)."""
    bound: Bound = "launch"
    """What most of the time goes to."""
    sol: float = 0.0
    """The speed-of-light bound: no kernels of this traffic and these operations could be faster."""
    parts: tuple[Part, ...] = ()
    note: str = ""
    """What a reader should know: another case than the one that is timed, programs left out."""
    trouble: str = ""
    """Why there is none."""

    @property
    def brief(self) -> str:
        """The estimate as a person reads it."""
        if self.trouble:
            return f"{self.target}: no estimate: {self.trouble}"
        times = f"{_time(self.us)} ({_time(self.low)} to {_time(self.high)})"
        bounds = f"bound by {self.bound}, speed of light {_time(self.sol)}"
        return f"{self.target} estimated {times}, {bounds}{self._inner} [{self.case}]"

    @property
    def _inner(self) -> str:
        """What the inner loop of most work would take; tiles, warps and stages show in nothing else."""
        found = max((p.inner for p in self.parts if p.inner), key=lambda one: one.us, default=None)
        if found is None:
            return ""
        turns = f"{found.turns:g} turns of {found.cycles:g} cycles, held up by {found.held_by}"
        return f", inner loop {_time(found.us)} ({turns}; not validated by measurement)"


APART, APART_OTHERWISE = 1.2, 1.4
"""How far apart two times must be: where one thing binds both, most of the model's error is the same for both."""


def surely_faster(a: Estimate, b: Estimate) -> bool:
    """Whether the calibration would call `a` faster than `b`; False both ways where it cannot tell them apart."""
    comparable = not (a.trouble or b.trouble) and (a.target, a.case) == (b.target, b.case)
    return comparable and a.us * (APART if a.bound == b.bound else APART_OTHERWISE) < b.us


def _time(us: float) -> str:
    if us >= 1e6:
        return f"{us / 1e6:.3g} s"
    return f"{us / 1000:.3g} ms" if us >= 1000 else f"{us:.3g} us"
