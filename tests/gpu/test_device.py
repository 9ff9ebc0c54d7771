"""What only a real device can show: `make gpu` runs it, on a machine with its own torch, triton and numpy."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from geak_evaluator.candidate import Candidate
from geak_evaluator.judge import Judge
from geak_evaluator.measure import baseline
from geak_evaluator.measure.lent import Lent
from geak_evaluator.measuring import Measuring, Stopwatch, wanted
from geak_evaluator.oracle import SpecFile
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.target import TARGETS
from geak_evaluator.schema.timing import Timing
from geak_evaluator.schema.tuning import LOW
from geak_evaluator.schema.verdict import Cause, Policy, Status, Tier
from geak_evaluator.tuning import tune

pytestmark = pytest.mark.gpu

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
DO_BENCH = """
import importlib.util, json, sys, torch, triton
found = importlib.util.spec_from_file_location("kernel", sys.argv[1])
module = importlib.util.module_from_spec(found)
sys.modules["kernel"] = module
found.loader.exec_module(module)
x = torch.randn(1 << 26, device="cuda")
print(json.dumps(1000 * triton.testing.do_bench(lambda: module.double(x), return_mode="median")))
"""


def timed(judge: Judge, watch: Stopwatch, kernel: str = KERNEL) -> Timing:
    """The kernel beside itself: two processes, and one truth."""
    target = watch.lent.identity.target
    with judge.oracle(FILE) as oracle:
        mine, other = (judge.candidate(oracle, kernel.encode(), target, Policy.PURE) for _ in range(2))
        measuring = Measuring(watch, oracle, mine, other)
        (found,) = [
            one for one in measuring.timings(wanted(oracle.about.spec, (), target)) if one.baseline == baseline.ORIGINAL
        ]
    return found


@pytest.fixture
def no_references(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "TORCH", ())


@pytest.mark.parametrize("name", sorted(path.stem for path in (STARTER / "kernels").glob("*.py")))
def test_the_device_agrees_with_the_interpreter(on_device: Judge, device: Lent, name: str) -> None:
    kernel = (STARTER / "kernels" / f"{name}.py").read_bytes()
    target = device.identity.target
    verdict = on_device.evaluate(SpecFile.read(STARTER / f"{name}.py"), kernel, targets=[target], tier=Tier.GATE)
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert verdict.how == device.identity.name
    assert not [note for note in verdict.notes if "the interpreter could not follow" in note]


@pytest.mark.usefixtures("no_references")
def test_a_kernel_is_as_fast_as_itself(on_device: Judge, watch: Stopwatch) -> None:
    first, second = timed(on_device, watch), timed(on_device, watch)
    for one in (first, second):
        assert one.counts, one.brief
        assert one.interval is not None
        assert one.interval.low <= 1.01
        assert one.interval.high >= 0.99
        assert one.ratio == pytest.approx(1, abs=0.01)
    if first.candidate_us > 100:
        assert second.candidate_us == pytest.approx(first.candidate_us, rel=0.01)


@pytest.mark.usefixtures("no_references")
def test_triton_measures_the_same(on_device: Judge, watch: Stopwatch, tmp_path: Path) -> None:
    """`triton.testing.do_bench` overwrites 256 MB before each call as well."""
    kernel = tmp_path / "kernel.py"
    kernel.write_text(KERNEL)
    told = subprocess.run([sys.executable, "-c", DO_BENCH, str(kernel)], capture_output=True, text=True, check=True)
    assert timed(on_device, watch).candidate_us == pytest.approx(json.loads(told.stdout), rel=0.1)


def test_a_kernel_is_measured_against_eager_and_compiled_torch(on_device: Judge, device: Lent) -> None:
    verdict = on_device.evaluate(FILE, KERNEL.encode(), targets=[device.identity.target], time=True)
    assert verdict.status is Status.ACCEPTED, verdict.line()
    (timing,) = verdict.timings
    assert timing.counts, timing.brief
    assert timing.baseline in baseline.TORCH
    assert 0.3 < timing.sol_us / timing.candidate_us <= 1.0  # a copy gets most of the bandwidth, and no more than all


@pytest.mark.usefixtures("no_references")
def test_C44_lines_that_persist(on_device: Judge, watch: Stopwatch) -> None:
    """A kernel that asks the cache to keep its input is not warm for it in a call that is timed cold."""
    small = SPEC.replace("1 << 26", "1 << 20")
    kept = KERNEL.replace("mask=at < n)", "mask=at < n, eviction_policy='evict_last')", 1)
    target = watch.lent.identity.target
    found = []
    for kernel in (KERNEL, kept):
        with on_device.oracle(SpecFile(FILE.path, small.encode())) as oracle:
            candidate = on_device.candidate(oracle, kernel.encode(), target, Policy.PURE)
            found += Measuring(watch, oracle, candidate, None).timings(wanted(oracle.about.spec, (), target))
    plain, other = found
    assert other.candidate_us > 0.9 * plain.candidate_us


@pytest.mark.parametrize(
    ("change", "causes"),
    [
        (("* 2, mask", "* 2 + tl.load(x + (1 << 40)), mask"), {Cause.OUT_OF_BOUNDS, Cause.DIED, Cause.RAISED}),
        (("    tl.store", "    while n > 0:\n        tl.debug_barrier()\n    tl.store"), {Cause.TIMEOUT}),
    ],
    ids=["illegal address", "hang"],
)
def test_the_device_goes_on_after_a_fault(
    box: Sandbox, device: Lent, on_device: Judge, change: tuple[str, str], causes: set[Cause]
) -> None:
    """Past the interpreter, which would have seen it first."""
    target = device.identity.target
    limits, device.limits = device.limits, replace(device.limits, wall_s=30)
    try:
        with on_device.oracle(FILE) as oracle:
            bad = KERNEL.replace(*change).encode()
            candidate = Candidate(box, Limits(120), oracle, bad, target, Policy.PURE, device)
            ran = candidate.run(Case({"N": 781}), interpreted=False)
            candidate.close()
        assert ran.result.cause in causes, ran.result.message
    finally:
        device.limits = limits
    good = on_device.evaluate(FILE, KERNEL.encode(), targets=[target], tier=Tier.GATE)
    assert (good.status, good.how) == (Status.ACCEPTED, device.identity.name)


def test_a_configuration_that_does_not_fit_is_passed_over(on_device: Judge, device: Lent) -> None:
    tuned = KERNEL.replace(
        "@triton.jit", "@triton.autotune([triton.Config({}, num_warps=w) for w in (64, 4)], key=['n'])\n@triton.jit"
    )
    verdict = on_device.evaluate(FILE, tuned.encode(), targets=[device.identity.target])
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert "num_warps: 4" in verdict.cases[0].configuration


def test_other_targets_are_compiled_for_and_not_timed(on_device: Judge, device: Lent) -> None:
    other = next(t for t in TARGETS.values() if t.backend != TARGETS[device.identity.target].backend)
    verdict = on_device.evaluate(FILE, KERNEL.encode(), targets=[other.name], time=True)
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert verdict.timings == ()
    assert any("nothing timed" in note for note in verdict.notes)


def test_the_tuner_picks_what_is_faster_there(on_device: Judge, device: Lent) -> None:
    """Blocks of 32 elements leave most of a device's bandwidth unused."""
    slow = KERNEL.replace("1024", "32")
    found = tune(on_device, FILE, slow.encode(), targets=[device.identity.target], evaluations=6, minutes=2)
    (ranking,) = found.rankings
    assert (ranking.how, ranking.device) == ("measured", device.identity.name)
    assert ranking.feasible[0].figures[LOW] > 1.2
    assert found.picked["BLOCK"] > 32
