"""A verdict is data: closed words, with a JSON form; a kernel's failure is never an exception that crosses a room."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from geak_evaluator.schema.spec import Case

VERSION = 1


class Status(str, enum.Enum):
    """The first word of a verdict."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDECIDED = "undecided"
    """It cannot be known here; never wrong and never right."""


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
    hidden: str = ""
    """Of a hidden case only the class of its sizes is told; its sizes and values are not."""


@dataclass(frozen=True)
class Verdict:
    """What the judge found out about one kernel file."""

    name: str
    status: Status
    how: str
    """Where the results came from: "interpreter", or the name of a device."""
    target: str
    oracle: str
    sandbox: str
    """The level that the self-test proved."""
    cases: tuple[CaseResult, ...] = ()
    asked: int = 0
    """How many cases there are; fewer are run when one fails."""
    log: str = ""
    """The beginning of what the kernel's process printed: data, never parsed."""
    version: int = VERSION

    @property
    def failure(self) -> CaseResult | None:
        """The case that decided against the kernel."""
        return next((c for c in self.cases if c.cause is not None), None)

    def line(self) -> str:
        """The verdict in one line."""
        failure = self.failure
        if failure is None:
            worst = max((c.steps for c in self.cases), default=0.0)
            hidden = sum(bool(c.hidden) for c in self.cases)
            ran = f"{len(self.cases)} cases ({hidden} hidden) by {self.how} for {self.target}"
            return f"ACCEPTED {self.name}  agrees with the {self.oracle} oracle: {ran}, worst error {worst:.3g} steps"
        where = f" (line {failure.line})" if failure.line else ""
        case = f"hidden case: {failure.hidden}" if failure.hidden else str(failure.case)
        return f"{self.status.value.upper()} {self.name}  {failure.message}{where}{case and f' [{case}]'}"
