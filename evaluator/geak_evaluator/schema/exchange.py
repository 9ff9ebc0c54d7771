"""What the judge and its children say to each other; a child's words are read strictly and believed in nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from geak_evaluator.schema.domain import Initial
from geak_evaluator.schema.estimate import Work
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.machine_code import Handed
from geak_evaluator.schema.plan import Plan
from geak_evaluator.schema.spec import Value

FIRST_CALL = -1
"""Instead of the number of an autotuned kernel's configuration: the launches by which they are tried count as well.

The first wins then; with -2 the second does, and so on.
"""


EditKind = Literal[
    "mutated",
    "filled",
    "scalar",
    "like",
    "exchanged",
    "flat",
    "laid",
    "apart",
    "first",
    "rolled",
    "flipped",
    "repeated",
    "only",
    "of_each",
    "cut",
    "padded",
    "counted",
    "added",
    "clamped",
    "negated",
    "interleaved",
    "separated",
    "nibbles",
    "signed_nibbles",
]


@dataclass(frozen=True)
class Edit:
    """One thing that is otherwise about the inputs of a case: if its answer is a kernel's, that is what it does."""

    kind: EditKind
    inputs: tuple[str, ...]
    """What is edited alike."""
    other: str = ""
    """The input that it is made like, or is exchanged with; or what is made of one of the reference's operations."""
    axes: tuple[int, ...] = ()
    """The axis of each input; or, of one that is laid otherwise, the order of all of its axes in memory."""
    start: int = 0
    """Where a part begins; how far it is shifted; or which of several operations is another."""
    stop: int = 0
    value: float = 0.0
    output: Literal["", "negated", "flipped"] = ""
    """What the answer's last axis is beside the kernel's."""


@dataclass(frozen=True)
class CaseRequest:
    """To a spec child: make the inputs of one case and what is expected of them."""

    sizes: dict[str, Value]
    """Axes, types and scalars of the case, all with a value."""
    slots: tuple[Slot, ...]
    seed: int
    target: str = ""
    without: tuple[str, ...] = ()
    fills: dict[str, str] = field(default_factory=dict)
    """Distributions to use instead of the declared ones."""
    expect: bool = True
    """Also run the reference."""
    examine: bool = False
    """Also look for what makes a reference a poor oracle; for lint."""
    native: bool = False
    """Also say what the reference gives in the formats that it was given, where the oracle is float64."""
    sketch: bool = False
    """Only what steers a kernel is needed: integers and booleans, and where all else would lie."""
    processors: int = 1
    """How many may compute it: all that there are at a size that is timed."""
    large: bool = False
    """It is such a size: products of halves go by way of float32."""
    edit: Edit | None = None
    """What is otherwise about the inputs, when the reference is run on them."""
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """With an edit: what of each output is looked at, where longer inputs make it longer."""


@dataclass(frozen=True)
class Expected:
    """One leaf of what a kernel must return, and where the truth about it lies."""

    path: str
    format: str
    """What the kernel's own output must be."""
    truth: Slot
    """In the second memory: float64 where the oracle is, else the format itself."""
    native: Slot | None = None
    """In the second memory too: what the reference gives without float64."""


@dataclass(frozen=True)
class CaseReply:
    """A spec child's answer."""

    outputs: tuple[Expected, ...] = ()
    state: tuple[Slot, ...] = ()
    """A module's parameters and buffers, behind the inputs in the first memory."""
    gradients: tuple[Slot, ...] = ()
    """What is fed into the backward pass, behind those."""
    narrow: tuple[str, ...] = ()
    """Operations that did not compute in float64 although the oracle says so."""
    unstable: tuple[str, ...] = ()
    """Outputs that differed when the reference ran again on the same inputs."""
    mutated: str = ""
    """The operation of the reference's that was another, as its file has it."""
    mutable: dict[str, int] = field(default_factory=dict)
    """Of how many operations each thing may be made, where that was asked."""


@dataclass(frozen=True)
class RunRequest:
    """To a candidate child: call the entry on these inputs and put what it returns where it is asked."""

    slots: tuple[Slot, ...]
    arguments: tuple[str, ...]
    """Every argument's name, in order; those without a slot or a scalar are None."""
    scalars: dict[str, int | float | bool] = field(default_factory=dict)
    outputs: tuple[Slot, ...] | None = None
    """In the second memory; None asks the child to say what came back (an original kernel as oracle)."""
    destination: tuple[Slot, ...] = ()
    """With `destination`: the tensors to be filled, in the second memory, by their names."""
    state: tuple[Slot, ...] = ()
    init: dict[str, Argument] = field(default_factory=dict)
    """What a module's constructor is called with, in its order."""
    wrt: tuple[str, ...] = ()
    gradients: tuple[Slot, ...] = ()
    capture: bool = False
    """Record a plan instead of copying outputs."""
    sketch: bool = False
    """Only the plan is wanted: values are of no account, nor what comes back."""
    poison: int = 0xFF
    """What every byte of new memory holds, where no plan is recorded."""


@dataclass(frozen=True)
class RunReply:
    """A candidate child's answer."""

    outputs: tuple[Slot, ...] = ()
    """Only where it was asked to say what came back."""
    launches: int = 0
    """How many kernels it launched, by its own account: a tripwire, never evidence."""
    undefined: int = 0
    """How many numbers they computed with that Triton leaves undefined."""
    plan: Plan | None = None
    configurations: tuple[str, ...] = ()
    """The names of those between which an autotuned kernel may choose; the longest such list of its kernels."""


@dataclass(frozen=True)
class Trouble:
    """Why a child could not do what was asked; `cause` is one of a closed set on the judge's side."""

    cause: str
    message: str
    line: int = 0
    trace: str = ""


@dataclass(frozen=True)
class Argument:
    """One value of a call that crosses between children: a tensor's slot, a plain value, or a nest of them."""

    kind: Literal["tensor", "value", "none", "dtype", "device", "tuple", "list", "dict"]
    slot: int = -1
    """Which of the call's slots, for a tensor."""
    value: Value | None = None
    """A plain value; for a dtype or a device its name."""
    items: tuple[Argument, ...] = ()
    keys: tuple[str, ...] = ()

    @classmethod
    def plain(cls, value: Initial) -> Argument:
        """A number, or a tuple or list of them."""
        if isinstance(value, tuple | list):
            return cls("tuple" if isinstance(value, tuple) else "list", items=tuple(map(cls.plain, value)))
        return cls("value", value=value)


@dataclass(frozen=True)
class Call:
    """A test's call of the entry: from the tests' child to the judge, and from there to the candidate's."""

    slots: tuple[Slot, ...]
    args: tuple[Argument, ...] = ()
    kwargs: dict[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True)
class Returned:
    """What the entry returned, its tensors in the second memory; `trouble` where it raised."""

    slots: tuple[Slot, ...] = ()
    result: Argument = Argument("none")
    trouble: Trouble | None = None
    launches: int = 0


@dataclass(frozen=True)
class Tested:
    """How the tests went, by the account of the child that ran them, which never loaded the candidate."""

    exit_code: int
    passed: int = 0
    failed: int = 0
    first: str = ""
    """The first failure, as pytest words it."""


@dataclass(frozen=True)
class Replay:
    """To a replay child: carry out a plan on these inputs."""

    plan: Plan
    slots: tuple[Slot, ...]
    """The plan's first storages, in their order: inputs, then a module's state, then incoming gradients."""
    outputs: tuple[Slot, ...]
    """Where each of the plan's outputs goes, in the second memory."""
    target: str
    destination: tuple[Slot, ...] = ()
    """The plan's next storages: tensors to be filled, in the second memory already."""
    lower: bool = False
    """Hand over Triton's IR of every launch as well."""
    execute: bool = True
    """Interpret the launches; else only their IR is wanted."""
    poison: int = 0xFF
    """What every byte of new memory holds."""
    order: int = 0
    """In which order the programs of a launch come: 0 as numbered, 1 turned round, else drawn by this number."""
    together: int = 0
    """They change places only within so many that follow each other; 0 for all of them."""
    trace: bool = False
    """Count what each launch asks for, on a few of its programs, instead of carrying the plan out."""
    also: tuple[str, ...] = ()
    """Further targets that launches are lowered for."""


@dataclass(frozen=True)
class Replayed:
    """A replay child's answer."""

    trouble: Trouble | None = None
    handed: Handed = field(default_factory=Handed)
    conflicts: tuple[str, ...] = ()
    """Stores of different programs to one address, in words."""
    lost: tuple[str, ...] = ()
    """The same where a program changed what another had stored: of two that do so at once one is in vain."""
    waits: tuple[str, ...] = ()
    """Of which kernels a program waits for later ones, in sentences."""
    reordered: tuple[str, ...] = ()
    """Which kernels call what may change the order of elements, in sentences."""
    works: tuple[Work, ...] = ()
    """Of each launch in order, where they were to be counted."""
