"""A spec with sizes to be timed, a kernel for it, and a judge with a simulated device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from geak_evaluator.judge import Judge
from geak_evaluator.measure.lent import Lent
from geak_evaluator.measure.rules import Rules
from geak_evaluator.measuring import Measuring, Stopwatch, wanted
from geak_evaluator.oracle import SpecFile
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema.measuring import Metal
from geak_evaluator.schema.timing import Timing
from geak_evaluator.schema.verdict import Policy
from tests.judge.trial import IMPORTS, changed
from tests.judge.trial import KERNEL as SMALL

SPEC = '''"""Twice each element, plus one."""
import torch
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(choices=(3, 64)), "N": Axis(choices=(70, 256))},
    inputs={"x": Tensor("M, N")},
    outputs=Tensor("M, N"),
    cases=[{"M": 3, "N": 70}],
    bench=[{"M": 64, "N": 256}],
)


def reference(x):
    return x * 2 + 1
'''
KERNEL = changed(SMALL, ("BLOCK=64", "BLOCK=2048"), ("(n, 64)", "(n, 2048)"))
ORIGINAL = changed(SMALL, ("_scale", "_first"), ("BLOCK=64", "BLOCK=1024"), ("(n, 64)", "(n, 1024)"))
QUICK = Rules(seconds=300, most_calls=2, checks=2)

__all__ = ["IMPORTS", "KERNEL", "ORIGINAL", "QUICK", "SPEC"]


def lent(box: Sandbox, **settings: Any) -> Lent:
    """A simulated device."""
    return Lent(box, Metal("simulated", settings={"us": 20.0, "costs": "eager=30,_first=40", **settings}), Limits(60))


def measuring_judge(box: Sandbox, *, estimates: bool = False, **settings: Any) -> Judge:
    """A judge to whom one was given."""
    watch = Stopwatch(lent(box, **settings), QUICK)
    return Judge(box, limits=Limits(60), estimates=estimates, stopwatch=watch)


def file(text: str = SPEC) -> SpecFile:
    """The spec as the judge gets it."""
    return SpecFile(Path("/specs/scale.py"), text.encode())


def timings(box: Sandbox, kernel: str = KERNEL, spec: str = SPEC, **settings: Any) -> tuple[Timing, ...]:
    """What is measured of a kernel, without a verdict before."""
    device = lent(box, **settings)
    target = device.identity.target
    judge = Judge(box, limits=Limits(60), estimates=False)
    with judge.oracle(file(spec)) as oracle:
        candidate = judge.candidate(oracle, kernel.encode(), target, Policy.PURE)
        declared = oracle.about.spec
        return Measuring(Stopwatch(device, QUICK), oracle, candidate, None).timings(wanted(declared, (), target))
