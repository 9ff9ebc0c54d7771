"""What the tests of the roles share: a task, verdicts that the judge has said, and a model that answers from a list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from geak.journal.events import Lesson, Move
from geak.models.base import Message, Reply, Role
from geak.population import Candidate
from geak.resources import data_dir
from geak.roles.brief import Ask, Brief, Past
from geak_evaluator.schema import codec
from geak_evaluator.schema.profile import Bottleneck, Counters, Metric, Roofline
from geak_evaluator.schema.spec import Case, Description, Spec
from geak_evaluator.schema.target import find
from geak_evaluator.schema.timing import Conditions, Interval, State, Timing
from geak_evaluator.schema.verdict import Policy, Verdict

HERE = Path(__file__).parent
KERNEL = (data_dir("datasets") / "starter" / "kernels" / "matmul.py").read_text()
SPEC = '''"""Matrix product: C = A @ B, accumulated in fp32."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(1, 65536), "K": Axis(1, 65536)},
    dtypes={"T": ("fp16", "bf16")},
    inputs={"a": Tensor("M, K", "T"), "b": Tensor("K, N", "T")},
    outputs=Tensor("M, N", "T"),
    cases=[{"M": 1, "N": 37, "K": 65}, {"M": 3, "N": 17, "K": 4096}],
    bench=[{"M": 4096, "N": 4096, "K": 4096}],
)


def reference(a, b):
    return a @ b
'''


def described(source: str, name: str = "matmul") -> Description:
    """What a judge would say of a spec file that needs no torch to be read."""
    found: dict[str, Any] = {}
    exec(source, found)
    spec: Spec = found["spec"]
    return Description(name, found["__doc__"], spec, tuple(spec.inputs))


def brief(source: str = SPEC, name: str = "matmul", targets: Sequence[str] = ("gfx942", "sm_90"), **more: Any) -> Brief:
    """A task."""
    known = tuple(find(target) for target in targets)
    return Brief(**{"policy": Policy.PURE, "about": described(source, name), "source": source, "targets": known} | more)


def verdict(name: str) -> Verdict:
    """One that the judge has said of a kernel for matmul (wrong_values: for layer_norm)."""
    return codec.from_json(Verdict, json.loads((HERE / "verdicts" / f"{name}.json").read_text()))


def past(name: str, source: str = KERNEL, kind: str = "accepted", **fields: Any) -> Past:
    """A candidate of that name with that verdict."""
    lineage, _, number = name.partition(".")
    move = Move(name, "draft", int(lineage), int(number or 0))
    return Past(Candidate(move, source="0" * 64, **{"verdict": verdict(kind)} | fields), source)


def counted(name: str) -> Past:
    """One whose launch was counted on a device."""
    metrics = (
        Metric("duration", 612.0, "us", "proton"),
        Metric("l2_hit", 81.5, "%", "rocprofv3"),
        Metric("occupancy", 18.25, "%", "rocprofv3"),
        Metric("matrix_busy", 22.0, "%", "rocprofv3"),
        Metric("lds_conflicts", 1.5, "per access", "rocprofv3"),
    )
    roof = Roofline(1.374e11, 1.007e8, True, 0.031, 0.172, "compute")
    held = (
        Bottleneck("the matrix units idle", "matrix_busy", 22.0, "%"),
        Bottleneck("lanes meet in the same banks of LDS", "lds_conflicts", 1.5, "per access"),
    )
    launch = Counters("_matmul", 0, metrics, (), roof, held)
    return past(name, verdict=replace(verdict("accepted"), counters=(launch,)))


def measured(name: str, ratio: float = 1.3) -> Past:
    """An accepted candidate that was timed on a device, beside the original and eager torch."""
    case = Case({"M": 4096, "N": 4096, "K": 4096, "T": "fp16"})
    timing = Timing(
        case,
        "AMD Instinct MI300X",
        "gfx942",
        "original",
        candidate_us=412.0,
        candidate=Interval(409.0, 415.0),
        baseline_us=412.0 * ratio,
        ratio=ratio,
        interval=Interval(ratio * 0.97, ratio * 1.03),
        warm_us=371.0,
        sol_us=118.0,
        blocks=24,
        calls=240,
        checked=5,
        conditions=Conditions(2100.0, 1980.0, 1300.0, 640.0, 61.0),
    )
    message = "in 9 of 12 rounds a known kernel took over 1.25 times as long as alone"
    eager = Timing(case, timing.device, "gfx942", "eager", State.CONTENDED, message)
    return past(name, verdict=replace(verdict("accepted"), timings=(timing, eager)))


def ledger(count: int = 3) -> list[tuple[Candidate, Lesson]]:
    """So many lessons, of every kind."""
    outcomes = ("worked", "avoid", "neutral")
    return [
        (
            past(f"1.{n + 1}").candidate,
            Lesson(f"cause {n}: line 23 loads 16 bits a lane", f"advice {n}", f"tried {n}", outcomes[n % 3]),  # type: ignore[arg-type]
        )
        for n in range(count)
    ]


@dataclass
class Model:
    """Gives one reply after another, and remembers what it was asked."""

    replies: Sequence[str | Reply]
    asked: list[tuple[Role, tuple[Message, ...]]] = field(default_factory=list)

    @property
    def ask(self) -> Ask:
        async def answer(role: Role, messages: tuple[Message, ...]) -> Reply:
            self.asked.append((role, messages))
            reply = self.replies[len(self.asked) - 1]
            return Reply(reply) if isinstance(reply, str) else reply

        return answer

    def prompt(self, number: int = -1) -> str:
        """What it was asked, as one text."""
        return "\n".join(f"=== {m.speaker}{', fixed' * m.fixed}\n{m.text}" for m in self.asked[number][1])
