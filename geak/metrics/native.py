"""What a benchmark calls its own score, as a formula over outcomes: beside our metrics, never instead of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from geak.metrics.outcome import Outcome


@dataclass(frozen=True)
class Native:
    """A benchmark's own score: of each outcome, then the mean over repeats and over tasks."""

    title: str
    formats: tuple[str, ...]
    """Those of `geak/formats` whose tasks it is meant for."""
    formula: str
    of: Callable[[Outcome], float]
    unit: Literal["share", "times", "points"] = "share"
    baseline: str = ""
    """What it needs times against; where it needs none, a time all the same: kernels are timed at its own sizes."""


def _speedup(outcome: Outcome, baseline: str) -> float:
    """Against the baseline that the benchmark takes; 0 for what was not accepted, or not measured against it."""
    ratios = outcome.speed.ratios if outcome.accepted and outcome.speed is not None else {}
    return ratios.get(baseline, 0.0)


NATIVE: dict[str, Native] = {
    "tritonbench": Native(
        "TritonBench execution accuracy",
        ("tritonbench-g", "tritonbench-t", "geak-rocm"),
        "kernels whose outputs agree with the reference / N",
        lambda o: float(o.accepted),
    ),
    "kernelbench": Native(
        "KernelBench fast_1",
        ("kernelbench",),
        "kernels correct and faster than eager torch / N",
        lambda o: float(_speedup(o, "eager") > 1),
        baseline="eager",
    ),
    "arena": Native(
        "AgentKernelArena score",
        ("agentkernelarena",),
        "mean over tasks of 20 if it compiles + 100 if it is correct + 100 x speedup over the original",
        lambda o: 20.0 * o.compiled + 100.0 * o.accepted + 100.0 * _speedup(o, "original"),
        "points",
        "original",
    ),
}


def native_of(formats: str) -> tuple[str, Native] | None:
    """The score that is meant for tasks of these formats, as a card names them: "tritonbench-g+tritonbench-t"."""
    return next((one for one in NATIVE.items() if set(formats.split("+")) <= set(one[1].formats)), None)
