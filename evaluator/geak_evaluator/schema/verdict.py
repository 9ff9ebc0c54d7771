"""A verdict is data: closed words, with a JSON form; a kernel's failure is never an exception that crosses a room."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from geak_evaluator.schema.estimate import Estimate
from geak_evaluator.schema.machine_code import Figures
from geak_evaluator.schema.measuring import Identity
from geak_evaluator.schema.profile import Counters
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.timing import Timing, speedup

VERSION = 3
INTERPRETER = "interpreter"
"""Where a result came from that no device gave."""


class Status(str, enum.Enum):
    """The first word of a verdict."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDECIDED = "undecided"
    """It cannot be known here; never wrong and never right."""


class Tier(str, enum.Enum):
    """How much is asked of a kernel."""

    GATE = "gate"
    """One small case under one seed, on the first target."""
    FULL = "full"
    """All cases, values, configurations and targets, and some hidden shapes; only for what passed the gate."""
    FINAL = "final"
    """The same on more hidden shapes; of what goes wrong nothing is told but its class."""


class Policy(str, enum.Enum):
    """What may do the work beside Triton kernels."""

    PURE = "pure"
    """Nothing: memory, constants, layouts, casts and launches."""
    MIXED = "mixed"
    """Library operations of a closed list, carried out by the judge, their share reported."""
    OPEN = "open"
    """Any operation that a plan can name; never in a headline."""


class Cause(str, enum.Enum):
    """Why a kernel was not accepted."""

    # what it said of itself, or could not be made to say
    NOT_PYTHON = "not_python"
    TOO_LARGE = "too_large"
    MISSING_ENTRY = "missing_entry"
    MISSING_MODULE = "missing_module"
    COMPILE_ERROR = "compile_error"
    OUT_OF_RESOURCES = "out_of_resources"
    OUT_OF_BOUNDS = "out_of_bounds"
    RAISED = "raised"
    # what it returned
    WRONG_OUTPUTS = "wrong_outputs"
    WRONG_TYPE = "wrong_type"
    WRONG_SHAPE = "wrong_shape"
    WRONG_DTYPE = "wrong_dtype"
    WRONG_DEVICE = "wrong_device"
    WRONG_STRIDES = "wrong_strides"
    WRONG_STATE = "wrong_state"
    NO_GRADIENT = "no_gradient"
    WRONG_VALUES = "wrong_values"
    UNWRITTEN = "unwritten"
    CHANGED_INPUT = "changed_input"
    NO_KERNEL = "no_kernel"
    # what its plan says
    FOREIGN_WORK = "foreign_work"
    NOT_PLAIN = "not_plain"
    UNSTABLE_PLAN = "unstable_plan"
    RACE = "race"
    PLAN_TOO_LONG = "plan_too_long"
    TESTS_FAILED = "tests_failed"
    # how it ended
    TIMEOUT = "timeout"
    DIED = "died"
    PROTOCOL = "protocol"
    OUTPUT_FLOOD = "output_flood"
    OUT_OF_MEMORY = "out_of_memory"
    TOO_MANY_PROCESSES = "too_many_processes"
    DISK_FLOOD = "disk_flood"
    # what cannot be known here
    UNSUPPORTED = "unsupported"
    TOO_BIG_HERE = "too_big_here"


DRAFTED = "drafted reference, unreviewed"
"""A note that belongs to every verdict by a spec that a model wrote, until a person has read it."""


UNDECIDABLE = frozenset({Cause.UNSUPPORTED, Cause.TOO_BIG_HERE})


@dataclass(frozen=True)
class Mismatch:
    """The first wrong element, and how far the damage goes."""

    output: str
    index: tuple[int, ...]
    got: int | float
    expected: int | float
    wrong: int
    elements: int
    pattern: str = ""
    """Where the wrong elements lie: "everything", "the last row", ..."""


@dataclass(frozen=True)
class CaseResult:
    """One case of a kernel."""

    case: Case
    cause: Cause | None = None
    message: str = ""
    line: int = 0
    """In the kernel's file, where something was raised."""
    steps: float = 0.0
    """The largest error, in steps of the output's format; meaningless where something else went wrong."""
    mismatch: Mismatch | None = None
    changed: str = ""
    """The input that it changed and may not."""
    hidden: str = ""
    """Of a hidden case only the class of its sizes is told; its sizes and values are not."""
    values: str = ""
    """How the values were drawn, where not as the spec declares: "large", "zeros", ..."""
    configuration: str = ""
    """Which of an autotuned kernel's configurations was run, where not the first."""
    target: str = ""
    """Where not the first target."""
    how: str = INTERPRETER
    """Where it came from: the interpreter, or a device by its name; a device's is checked by the interpreter too."""

    @property
    def label(self) -> str:
        """The case as a person names it."""
        if self.hidden:
            return ", ".join(filter(None, (f"hidden case: {self.hidden}", self.configuration, self.target)))
        parts = (str(self.case), self.values and f"{self.values} values", self.configuration, self.target)
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class Code:
    """What the compiler made of all launches for one target."""

    target: str
    kernels: tuple[Figures, ...] = ()
    """Each kernel as each specialisation has it."""
    cause: Cause | None = None
    message: str = ""
    """The compiler's own words, or why nothing is known."""

    @property
    def brief(self) -> str:
        """The target, with what its narrowest kernel takes."""
        if not self.kernels:
            return self.target
        worst = min(self.kernels, key=lambda f: (f.occupancy / f.occupancy_limit, -f.shared_bytes))
        registers = f"{worst.vgprs} VGPR" if worst.vgprs is not None else f"{worst.registers} registers"
        spills = ", spills" if any(f.spills for f in self.kernels) else ""
        return f"{self.target} ({registers}, occupancy {worst.occupancy:g}{spills})"


@dataclass(frozen=True)
class Verdict:
    """What the judge found out about one kernel file."""

    name: str
    status: Status
    how: str
    """Where the first target's results came from: "interpreter", or the name of a device where it gave them all."""
    target: str
    oracle: str
    sandbox: str
    """The level that the self-test proved."""
    cases: tuple[CaseResult, ...] = ()
    asked: int = 0
    """How many cases there are; fewer are run when one fails."""
    log: str = ""
    """The beginning of what the kernel's process printed: data, never parsed."""
    tier: Tier = Tier.FULL
    policy: Policy = Policy.PURE
    code: tuple[Code, ...] = ()
    """Compiled, for each target that was asked for, the first one first."""
    share: float = 0.0
    """Of the bytes that the plan's steps touch, how many are touched by a library's operations."""
    library: tuple[str, ...] = ()
    """Those operations."""
    unreached: tuple[str, ...] = ()
    """What the tier holds and this kernel never came to."""
    notes: tuple[str, ...] = ()
    """What a reader should know besides: what was not examined, what looks like a race."""
    estimates: tuple[Estimate, ...] = ()
    """How long it would take on each target, by a model: of a full verdict alone, and never a measurement."""
    timings: tuple[Timing, ...] = ()
    """Each bench case beside each baseline, measured on a device that is the first target; empty without one."""
    counters: tuple[Counters, ...] = ()
    """What a device counted of each launch of its first timed case, measured; empty where nothing counts."""
    device: Identity | None = None
    """On which something was proved or timed: its UUID, and the versions of driver, HIP or CUDA, and Triton."""
    version: int = VERSION

    @property
    def failure(self) -> CaseResult | None:
        """The case that decided against the kernel."""
        wrong = [c for c in self.cases if c.cause is not None]
        return next((c for c in wrong if c.cause not in UNDECIDABLE), wrong[0] if wrong else None)

    @property
    def misfit(self) -> Code | None:
        """The target that decided against the kernel: the one that refuses it, or the first if that is unknown."""
        refused = next((c for c in self.code if c.cause is not None and c.cause not in UNDECIDABLE), None)
        return refused or next((c for c in self.code[:1] if c.cause is not None), None)

    def line(self) -> str:
        """The verdict in one line."""
        failure, misfit = self.failure, self.misfit
        if failure is None and misfit is None:
            drafted = f"  {DRAFTED}" if DRAFTED in self.notes else ""
            return f"ACCEPTED {self.name}  {self._proof()}{self._measured()}{self._compiled()}{drafted}"
        if failure is not None and (misfit is None or failure.cause not in UNDECIDABLE):
            where = f" (line {failure.line})" if failure.line else ""
            label = failure.label
            return f"{self.status.value.upper()} {self.name}  {failure.message}{where}{label and f' [{label}]'}"
        assert misfit is not None
        first = misfit.message.strip().splitlines()[0] if misfit.message.strip() else misfit.cause
        what = "cannot be compiled here" if misfit.cause in UNDECIDABLE else "does not compile"
        return f"{self.status.value.upper()} {self.name}  {what} for {misfit.target}: {first}"

    def _proof(self) -> str:
        word = {"peer": "agrees with the original", "tests": "passes its tests"}.get(self.oracle, "proved")
        word = "right at the gate" if self.tier is Tier.GATE else word
        hidden = sum(bool(c.hidden) for c in self.cases)
        count = f"{len(self.cases)} case{'s' * (len(self.cases) != 1)}{f' ({hidden} hidden)' * bool(hidden)}"
        by = f"by {self.how}" if self.how == INTERPRETER else f"on {self.how}"
        return f"{word} {by}, {count}" + (f", policy {self.policy.value}" if self.library else "")

    def _measured(self) -> str:
        found = speedup(self.timings)
        return f"  {found.brief}" if found is not None else ""

    def _compiled(self) -> str:
        known = [c for c in self.code if c.kernels]
        names = [c.brief if c is known[0] else c.target for c in known]
        return f"  compiles for {', '.join(names)}" if known else ""

    def details(self) -> tuple[str, ...]:
        """What follows the first line: at most eight lines."""
        worst = max((c.steps for c in self.cases if c.cause is None), default=0.0)
        ways = f"oracle {self.oracle}, policy {self.policy.value}, sandbox {self.sandbox}"
        # Of cases that agreed: beside a fault it would read as if the answer were nearly right.
        lines = [ways if self.status is Status.REJECTED else f"{ways}, worst error {worst:.3g} steps"]
        if self.failure is not None and len(self.cases) > 1:
            lines.append(f"{sum(c.cause is None for c in self.cases)} of {self.asked} cases agreed")
        if self.failure is not None and self.failure.configuration:
            lines.append("any configuration of an autotuned kernel may be picked: mend it, or take it out of the list")
        if self.misfit is not None:
            lines += self.misfit.message.strip().splitlines()[1:4]
        others = [c for c in self.code if c is not self.misfit]
        if len(known := [c.brief for c in others if c.kernels]) > 1:
            lines.append("; ".join(known))
        lines += [f"{c.target}: {c.cause.value}: {c.message.splitlines()[0]}" for c in others if c.cause]
        if self.library:
            lines.append(f"{self.share:.0%} of the bytes are touched by library operations: {', '.join(self.library)}")
        lines += [one.brief for one in self.timings[:4]]
        lines += [one.brief for one in self.estimates[: 0 if self.timings else 2]]
        lines += self.notes
        if self.unreached:
            lines.append(f"not reached: {', '.join(self.unreached)}")
        return tuple(lines[:8])
