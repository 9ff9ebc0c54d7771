"""What only a real device can show, as plain functions: pytest runs them, and so does bench/gpu.py without it."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from geak_evaluator.candidate import Candidate
from geak_evaluator.measure import baseline
from geak_evaluator.oracle import SpecFile
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.target import TARGETS
from geak_evaluator.schema.timing import Extras
from geak_evaluator.schema.tuning import LOW
from geak_evaluator.schema.verdict import Cause, Policy, Status, Tier
from geak_evaluator.tuning import tune
from tests.gpu.place import Missed, Place, starter

STARTER = Path(__file__).parents[2] / "datasets" / "starter"
SPEC = '''"""Twice each element."""
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 1 << 28)},
    inputs={"x": Tensor("N")},
    outputs=Tensor("N"),
    cases=[{"N": 781}],
    bench=[{"N": 1 << 26}],
    entry="double",
)


def reference(x):
    return x * 2
'''
KERNEL = """import torch
import triton
import triton.language as tl


@triton.jit
def _double(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


def double(x):
    y = torch.empty_like(x)
    _double[(triton.cdiv(x.numel(), 1024),)](x, y, x.numel(), BLOCK=1024)
    return y
"""
FILE = SpecFile(Path("/specs/double.py"), SPEC.encode())
MEDIUM, SMALL = (SpecFile(FILE.path, SPEC.replace("1 << 26", size).encode()) for size in ("1 << 24", "1 << 20"))
DO_BENCH = """
import importlib.util, sys, torch, triton
found = importlib.util.spec_from_file_location("kernel", sys.argv[1])
module = importlib.util.module_from_spec(found)
sys.modules["kernel"] = module
found.loader.exec_module(module)
x = torch.randn(1 << 26, device="cuda")
print(1000 * triton.testing.do_bench(lambda: module.double(x), return_mode="median"))
"""
_LONG_US = 100.0
"""Two timings of one kernel agree within 1 % where it takes longer than this."""


def _need(holds: bool, words: str) -> None:
    if not holds:
        raise Missed(words)


def agrees_with_the_interpreter(place: Place, name: str, folder: Path = STARTER) -> None:
    """A starter kernel at a small size: what the device computes is right, and what the interpreter saw is too."""
    file, kernel = starter(name, folder)
    verdict = place.judge.evaluate(file, kernel, targets=[place.target], tier=Tier.GATE)
    _need(verdict.status is Status.ACCEPTED, verdict.line())
    _need(verdict.how == place.name, f"it was proved by {verdict.how}")
    lost = [note for note in verdict.notes if "the interpreter could not follow" in note]
    _need(not lost, "; ".join(lost))


def a_kernel_is_as_fast_as_itself(place: Place) -> None:
    """The kernel beside itself: two processes, and one truth."""
    pair = [place.timed(FILE, KERNEL.encode(), KERNEL.encode()) for _ in range(2)]
    for one in pair:
        _need(one.counts and one.interval is not None and one.baseline == baseline.ORIGINAL, one.brief)
        assert one.interval is not None
        _need(one.interval.low <= 1.01 and one.interval.high >= 0.99 and abs(one.ratio - 1) <= 0.01, one.brief)
    first, second = (one.candidate_us for one in pair)
    off = abs(first - second) > 0.01 * first
    _need(first <= _LONG_US or not off, f"{first:.4g} us, and {second:.4g} us the next time")


def triton_measures_the_same(place: Place) -> None:
    """`triton.testing.do_bench` overwrites 256 MB before each call as well."""
    with tempfile.TemporaryDirectory() as folder:
        kernel = Path(folder) / "kernel.py"
        kernel.write_text(KERNEL)
        told = subprocess.run([sys.executable, "-c", DO_BENCH, str(kernel)], capture_output=True, text=True)
    _need(told.returncode == 0, f"do_bench: {told.stderr.strip()[-300:]}")
    ours, theirs = place.timed(FILE, KERNEL.encode()).candidate_us, float(told.stdout)
    _need(math.isclose(ours, theirs, rel_tol=0.1), f"{ours:.4g} us by us, {theirs:.4g} us by do_bench")


def eager_and_compiled_torch_are_beside_it(place: Place) -> None:
    """By a whole verdict, which also knows the speed of light."""
    asked = Extras(references=baseline.TORCH, calls=False, energy=False, counters=False)
    verdict = place.judge.evaluate(FILE, KERNEL.encode(), targets=[place.target], time=True, extras=asked)
    _need(verdict.status is Status.ACCEPTED and len(verdict.timings) == 1, verdict.line())
    (timing,) = verdict.timings
    _need(timing.counts and timing.baseline in baseline.TORCH, timing.brief)
    share = timing.sol_us / timing.candidate_us  # a copy gets most of the bandwidth, and no more than all
    _need(0.3 < share <= 1.0, f"{share:.0%} of the speed of light: {timing.brief}")


def lines_that_persist(place: Place) -> None:
    """A kernel that asks the cache to keep its input is not warm for it in a call that is timed cold (C44)."""
    kept = KERNEL.replace("mask=at < n)", "mask=at < n, eviction_policy='evict_last')", 1)
    plain, other = (place.timed(SMALL, kernel.encode()).candidate_us for kernel in (KERNEL, kept))
    _need(plain > 0 and other > 0.9 * plain, f"{plain:.4g} us, and {other:.4g} us where lines are to be kept")


def it_goes_on_after_an_illegal_address(place: Place) -> None:
    """Past the interpreter, which would have seen it first."""
    far = KERNEL.replace("* 2, mask", "* 2 + tl.load(x + (1 << 40)), mask")
    _goes_on(place, far, {Cause.OUT_OF_BOUNDS, Cause.DIED, Cause.RAISED})


def it_goes_on_after_a_hang(place: Place) -> None:
    """A kernel without an end; its child has half a minute."""
    endless = KERNEL.replace("    tl.store", "    while n > 0:\n        tl.debug_barrier()\n    tl.store")
    _goes_on(place, endless, {Cause.TIMEOUT})


def _goes_on(place: Place, kernel: str, causes: Collection[Cause]) -> None:
    limits, place.lent.limits = place.lent.limits, replace(place.lent.limits, wall_s=30)
    try:
        with place.judge.oracle(FILE) as oracle:
            bad = Candidate(place.box, Limits(120), oracle, kernel.encode(), place.target, Policy.PURE, place.lent)
            result = bad.run(Case({"N": 781}), interpreted=False).result
            bad.close()
    finally:
        place.lent.limits = limits
    said = f"{result.cause.value if result.cause else 'accepted'}: {result.message}"
    _need(result.cause in causes, f"the fault was told as {said}")
    good = place.judge.evaluate(FILE, KERNEL.encode(), targets=[place.target], tier=Tier.GATE)
    _need((good.status, good.how) == (Status.ACCEPTED, place.name), f"afterwards: {good.line()}")


def a_configuration_that_does_not_fit_is_passed_over(place: Place) -> None:
    """64 warps are more than a program may have."""
    tuned = KERNEL.replace(
        "@triton.jit", "@triton.autotune([triton.Config({}, num_warps=w) for w in (64, 4)], key=['n'])\n@triton.jit"
    )
    verdict = place.judge.evaluate(SMALL, tuned.encode(), targets=[place.target])
    _need(verdict.status is Status.ACCEPTED, verdict.line())
    _need("num_warps: 4" in verdict.cases[0].configuration, f"it ran with {verdict.cases[0].configuration}")


def other_targets_are_compiled_for_and_not_timed(place: Place) -> None:
    """A time on this device says nothing of another maker's."""
    other = next(t for t in TARGETS.values() if t.backend != TARGETS[place.target].backend)
    verdict = place.judge.evaluate(SMALL, KERNEL.encode(), targets=[other.name], time=True)
    _need(verdict.status is Status.ACCEPTED, verdict.line())
    said = any("nothing is timed" in note for note in verdict.notes)
    _need(verdict.timings == () and said, f"{len(verdict.timings)} timings; {'; '.join(verdict.notes)}")


def the_tuner_picks_what_is_faster_there(place: Place) -> None:
    """Blocks of 32 elements leave most of a device's bandwidth unused."""
    slow = KERNEL.replace("1024", "32").encode()
    found = tune(place.judge, MEDIUM, slow, targets=[place.target], evaluations=6, minutes=1.5)
    _need(len(found.rankings) == 1, found.note)
    (ranking,) = found.rankings
    _need((ranking.how, ranking.device) == ("measured", place.name), f"it was {ranking.how}: {found.note}")
    _need(found.picked.get("BLOCK", 0) > 32, f"it picked {found.picked}")
    low = ranking.feasible[0].figures.get(LOW, 0.0)
    _need(low > 1.2, f"the best is {low:.4g} times as fast, at the least")


CHECKS: dict[str, Callable[[Place], None]] = {
    one.__name__: one
    for one in (
        it_goes_on_after_an_illegal_address,
        it_goes_on_after_a_hang,
        lines_that_persist,
        the_tuner_picks_what_is_faster_there,
        a_kernel_is_as_fast_as_itself,
        triton_measures_the_same,
        a_configuration_that_does_not_fit_is_passed_over,
        other_targets_are_compiled_for_and_not_timed,
        eager_and_compiled_torch_are_beside_it,
    )
}
"""By name, what tells most in the least time first."""
