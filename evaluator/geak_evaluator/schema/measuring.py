"""What the judge and a child on a device say to each other; a child's words are data, and bounded before use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from geak_evaluator.schema.exchange import Argument, Trouble
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.plan import Plan
from geak_evaluator.schema.spec import Value
from geak_evaluator.schema.timing import Conditions

Vendor = Literal["amd", "nvidia", "simulated"]

LOST = "device_lost"
"""The cause of a trouble that says something of the device, and nothing of a kernel."""
GUARD = 4096
"""Bytes before and behind each memory of a plan on a device; what is written there is out of bounds."""


@dataclass(frozen=True)
class Identity:
    """Which device it is: as its own driver says."""

    vendor: Vendor
    name: str
    """Its product name."""
    uuid: str
    target: str = ""
    """Which described target it is; empty for an architecture that none describes."""
    memory: int = 0
    """Bytes."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of torch, triton, the driver, and HIP or CUDA."""
    max_mhz: float = 0.0
    exclusive: bool = False
    """Its driver lets one process have it at a time: two cannot be timed in turn."""


@dataclass(frozen=True)
class Metal:
    """Which device a child opens: decided by the judge, told before anything foreign is read."""

    kind: Literal["torch", "simulated"] = "torch"
    visible: str = ""
    """What makes it the only device that the child's runtime sees: an index or a UUID."""
    nodes: tuple[str, ...] = ()
    """The files through which it is reached; nothing else of /dev is opened."""
    settings: dict[str, Value] = field(default_factory=dict)
    """Of a simulated device: how it behaves."""
    uuid: str = ""
    """By which it is leased."""
    more: tuple[str, ...] = ()
    """Files that are opened too where a launch shows that those alone do not do."""


@dataclass(frozen=True)
class Prepare:
    """To a child on a device: make room for one case."""

    slots: tuple[Slot, ...] = ()
    """Inputs, a module's state, incoming gradients: where they lie in the first memory, in the plan's order."""
    outputs: tuple[Slot, ...] = ()
    destination: tuple[Slot, ...] = ()
    plan: Plan | None = None
    """None for a reference, which is called instead."""
    pools: int = 1
    """Different values of the inputs, each kept on the device."""
    rotations: int = 1
    """Different addresses; fewer where they do not fit."""
    poison: int = 0xFF
    arguments: tuple[str, ...] = ()
    """Of a reference: every argument's name, in order."""
    scalars: dict[str, int | float | bool] = field(default_factory=dict)
    init: dict[str, Argument] = field(default_factory=dict)
    gradients: tuple[str, ...] = ()
    """Which of the slots are fed into the backward pass."""


@dataclass(frozen=True)
class Prepared:
    """How much room there was."""

    rotations: int = 0
    """0 where even one does not fit."""
    needed: int = 0
    free: int = 0
    trouble: Trouble | None = None


@dataclass(frozen=True)
class Draw:
    """To a child on a device: the values in the first memory are those of this pool."""

    pool: int


@dataclass(frozen=True)
class Block:
    """To a child on a device: carry the work out so often, and say how long it took by the device's own events."""

    order: tuple[tuple[int, int], ...]
    """For each call, which addresses and which values: drawn by the judge."""
    sampled: int = -1
    """The call whose outputs and inputs are put into the memories; none where negative."""
    warm: bool = False
    """Time each call once more, on the caches that it leaves."""
    empty: bool = False
    """Leave the work itself out: what is left is what the clock's own doings cost."""
    graph: bool = False
    probes: int = 4
    """How often the calibrated kernel is timed before and after."""
    timed: bool = True
    """Without it the caches are left alone, and nothing is timed: for proving."""
    unseen: bool = False
    """Nothing runs before the first of the calls: whether it had met its values before is what is asked."""
    steady: bool = False
    """Call after call on the first one's addresses and values, with nothing between: for energy."""


@dataclass(frozen=True)
class Timed:
    """What one block came to."""

    cold: tuple[float, ...] = ()
    """Microseconds of each call."""
    warm: tuple[float, ...] = ()
    probes: tuple[float, ...] = ()
    """Of the calibrated kernel."""
    seconds: float = 0.0
    """A simulated device's time for all of it; of a real one the judge's own clock counts."""
    conditions: Conditions = field(default_factory=Conditions)
    observed: dict[str, float] = field(default_factory=dict)
    """What observers say of steady calls together: "joules"."""
    spilled: str = ""
    """Which memory was written beside."""
    trouble: Trouble | None = None


@dataclass(frozen=True)
class Asked:
    """One request to a child on a device."""

    prepare: Prepare | None = None
    draw: Draw | None = None
    block: Block | None = None
    test: bool = False
    """Show that it works at all, with a kernel of our own, and say which it is."""


@dataclass(frozen=True)
class Tested:
    """Whether a device does what it is asked."""

    identity: Identity | None = None
    trouble: Trouble | None = None
