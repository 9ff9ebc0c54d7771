"""Events as a run would have them, for tests."""

from __future__ import annotations

from geak.journal.events import (
    VERSION,
    Announced,
    Begun,
    Caps,
    Conditions,
    Event,
    Explained,
    Judged,
    Kind,
    Lesson,
    Move,
    Moved,
    Received,
    RoleModel,
    Unwritten,
    Written,
)
from geak.models.base import Price, Role, Usage
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.verdict import CaseResult, Cause, Status, Tier, Verdict

PRICE = Price(input=1.0, output=10.0)
ROLES: tuple[Role, ...] = ("generator", "reflector", "optimizer")


def conditions(**fields: object) -> Conditions:
    """What a small run is asked to do."""
    asked: dict[str, object] = {
        "spec": "double",
        "spec_path": "double.py",
        "spec_sha256": "0" * 64,
        "entry": "double",
        "models": {role: RoleModel("scripted:x", PRICE) for role in ROLES},
        "caps": Caps(usd=2.0),
    }
    return Conditions(**asked | fields)  # type: ignore[arg-type]


def begun(**fields: object) -> Begun:
    """The first line of a run."""
    return Begun(VERSION, "abc123", conditions(**fields), "0.1.0")


def verdict(status: Status = Status.ACCEPTED, cause: Cause = Cause.WRONG_VALUES) -> Verdict:
    """A verdict with one case."""
    case = CaseResult(Case({"N": 4}), *(() if status is Status.ACCEPTED else (cause, "wrong at [0]")))
    return Verdict("double", status, "interpreter", "gfx942", "float64", "isolated", (case,), 1)


def developed(
    name: str, call: int, *, kind: Kind = "draft", parents: tuple[str, ...] = (), status: Status = Status.ACCEPTED
) -> list[Event]:
    """A candidate from its move to its lesson, with two calls from this number on."""
    lineage, _, turn = name.partition(".")
    return [
        Moved(Move(name, kind, int(lineage), int(turn or 0), parents)),
        *bought(name, call, "generator"),
        Written(name, f"source of {name}", f"plan of {name}"),
        Judged(name, Tier.FULL, verdict(status)),
        *bought(name, call + 1, "reflector"),
        Explained(name, Lesson(f"cause of {name}", outcome="worked" if status is Status.ACCEPTED else "avoid")),
    ]


def unwritten(name: str, call: int) -> list[Event]:
    """A candidate for which no answer held a kernel."""
    lineage, _, turn = name.partition(".")
    return [
        Moved(Move(name, "draft", int(lineage), int(turn))),
        *bought(name, call, "generator"),
        Unwritten(name, "no answer held a kernel"),
        Explained(name, Lesson("no kernel")),
    ]


def bought(name: str, call: int, role: Role) -> list[Event]:
    """A call that was answered."""
    usage = Usage(input=1000 + call, output=333)
    return [
        Announced(call, name, role, "scripted:x", "prompt", 5000, 0.05),
        Received(call, "reply", "stop", usage, PRICE.of(usage), "scripted", 0.5),
    ]
