"""What can happen in a run: each event is one line of its journal, and the run is nothing but these lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from geak.models.base import Effort, Finish, Price, Role, Usage
from geak.objective import Objective
from geak_evaluator.schema.tuning import Tuning
from geak_evaluator.schema.verdict import Policy, Tier, Verdict

VERSION = 3
"""Raised with every change that an older GEAK would misread."""

Kind = Literal["given", "draft", "repair", "optimise", "seed", "tune"]
Blob = str
"""The SHA-256 of a text that lies in the run's `blobs/`."""


@dataclass(frozen=True)
class Caps:
    """What a run may spend; None is without a limit."""

    usd: float | None = 2.0
    tokens: int | None = None
    minutes: float | None = None
    calls: int | None = None


@dataclass(frozen=True)
class RoleModel:
    """Which model plays a role, and how it is asked."""

    model: str
    price: Price | None = None
    """As it was known when the run began; None is unknown, never nothing."""
    effort: Effort | None = None
    temperature: float | None = None
    max_tokens: int = 16_000

    @property
    def language(self) -> bool:
        """Whether it is a language model, whose answers may cost something."""
        return not self.model.startswith("compiler:")


@dataclass(frozen=True)
class Conditions:
    """What was asked for: all that decides what a run does, and nothing secret."""

    spec: str
    """The spec's name."""
    spec_path: str
    spec_sha256: str
    entry: str
    models: dict[str, RoleModel]
    """By role."""
    targets: tuple[str, ...] = ("gfx942", "sm_90")
    policy: Policy = Policy.PURE
    goal: str = "correct"
    objective: Objective = "time"
    """What makes one accepted kernel better than another, where it was measured."""
    strategy: str = "reflexion"
    samples: int = 1
    rounds: int = 10
    repairs: int = 3
    """How many repairs in a row a lineage may try before it begins anew."""
    ancestors: int = 4
    """How many of the best an optimizer reads."""
    tune: int = 0
    """How many configurations a tuner may try of a kernel, for each target; 0 is no tuning."""
    hint: str = ""
    caps: Caps = Caps()
    judge: tuple[str, ...] = ()
    """Commands that start a judge elsewhere; none is here."""
    time: bool = False
    """Accepted kernels are measured on the first target, which is there."""
    max_case_loss: float | None = None
    """How much slower than the baseline a kernel may be in any one case and still reach a speed that is the goal."""
    original: str = ""
    """The file of the kernel that the run began from, if it did."""
    drafted: bool = False
    """A model wrote the spec, and nobody has confirmed it."""
    soft: bool = False
    """Lint says that a kernel without work could pass the spec, which a format made: it is reported apart."""


@dataclass(frozen=True)
class Move:
    """What is tried next: a new candidate, where it comes from and how."""

    candidate: str
    """Its name: lineage and round, "2.3"; "0" is the kernel that was given."""
    kind: Kind
    lineage: int
    round: int
    parents: tuple[str, ...] = ()
    """What it is made from: the one to repair, or those to better, worst to best."""


@dataclass(frozen=True)
class Lesson:
    """What a candidate taught, in a sentence each; a ledger of them is carried instead of the whole talk."""

    cause: str
    """Why it failed, or what holds it back."""
    advice: str = ""
    """What to do about it."""
    tried: str = ""
    """What the candidate did, in a few words."""
    outcome: Literal["worked", "avoid", "neutral"] = "neutral"


@dataclass(frozen=True)
class Begun:
    """The first line."""

    version: int
    run: str
    """The run's id."""
    conditions: Conditions
    geak: str
    judge: dict[str, str] = field(default_factory=dict)
    """What the judge said of itself: Python, torch, triton, sandbox."""


@dataclass(frozen=True)
class Resumed:
    """The run was gone on with, perhaps with more to spend."""

    caps: Caps
    rounds: int
    goal: str


@dataclass(frozen=True)
class Moved:
    """A move was decided."""

    move: Move


@dataclass(frozen=True)
class Announced:
    """A call is about to be sent; its bound counts as spent until it is settled."""

    call: int
    candidate: str
    role: Role
    model: str
    prompt: Blob
    """The messages, as JSON."""
    bound_tokens: int
    bound_usd: float | None


@dataclass(frozen=True)
class Received:
    """A reply is on disk."""

    call: int
    reply: Blob
    finish: Finish
    usage: Usage
    usd: float | None
    """None where the price is unknown."""
    model: str
    seconds: float


@dataclass(frozen=True)
class Failed:
    """A call ended without a reply; where `charged`, its bound stays spent."""

    call: int
    trouble: str
    message: str
    charged: bool = False


@dataclass(frozen=True)
class Planned:
    """The optimizer has said what to change."""

    candidate: str
    plan: str


@dataclass(frozen=True)
class Tuned:
    """The tuner has put a parent's configurations in order."""

    candidate: str
    tuning: Tuning


@dataclass(frozen=True)
class Written:
    """A candidate has a source."""

    candidate: str
    source: Blob
    plan: str = ""
    """What its author said that it does."""


@dataclass(frozen=True)
class Unwritten:
    """No answer held a kernel."""

    candidate: str
    why: str


@dataclass(frozen=True)
class Judged:
    """A verdict."""

    candidate: str
    tier: Tier
    verdict: Verdict


@dataclass(frozen=True)
class Unjudged:
    """No judge could say a verdict: it ended twice over this candidate."""

    candidate: str
    tier: Tier
    why: str


@dataclass(frozen=True)
class Explained:
    """A lesson was drawn; the candidate's development is over."""

    candidate: str
    lesson: Lesson


@dataclass(frozen=True)
class Ended:
    """The run stopped, and why; it may be gone on with."""

    reason: Literal["goal", "rounds", "budget", "provider", "machine", "interrupted"]
    message: str
    exit_code: int

    @property
    def words(self) -> str:
        """Why, in a word and in a sentence, where this does not begin with the word."""
        return self.message if self.message.startswith(self.reason) else f"{self.reason}: {self.message}"


Event = (
    Begun
    | Resumed
    | Moved
    | Announced
    | Received
    | Failed
    | Planned
    | Tuned
    | Written
    | Unwritten
    | Judged
    | Unjudged
    | Explained
    | Ended
)

KINDS: dict[str, type[Event]] = {
    kind.__name__.lower(): kind
    for kind in (
        *(Begun, Resumed, Moved, Announced, Received, Failed, Planned, Tuned),
        *(Written, Unwritten, Judged, Unjudged, Explained, Ended),
    )
}
