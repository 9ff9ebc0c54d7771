"""Estimates in a verdict: where they are, what they say, and that they never change what it says of the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Status, Tier, Verdict

SPEC = '''"""Twice each element that the table names."""
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(choices=(96, 1 << 20, 1 << 40))},
    inputs={"x": Tensor("N"), "table": Tensor("N", "int32", fill="permutation(N)")},
    outputs=Tensor("N"),
    cases=[{"N": 96}],
    bench=[{"N": 1 << 20}],
)


def reference(x, table):
    return x[table.long()] * 2
'''

KERNEL = """import torch
import triton
import triton.language as tl

@triton.jit
def _take(x, table, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    place = tl.load(table + at, mask=at < n, other=0)
    tl.store(y + at, tl.load(x + place, mask=at < n) * 2, mask=at < n)


def take(x, table):
    y = torch.empty_like(x)
    n = x.numel()
    assert n < LIMIT
    _take[(triton.cdiv(n, 64),)](x, table, y, n, BLOCK=64)
    return y


LIMIT = 1 << 30
"""


@pytest.fixture(scope="module")
def judge(box: Sandbox) -> Judge:
    return Judge(box, limits=Limits(wall_s=60))


def verdict(judge: Judge, *, spec: str = SPEC, kernel: str = KERNEL, tier: Tier = Tier.FULL) -> Verdict:
    file = SpecFile(Path("/specs/take.py"), spec.encode())
    return judge.evaluate(file, kernel.encode(), targets=["gfx942", "sm_90"], tier=tier)


def test_a_full_verdict_estimates_the_timed_case_on_every_target(judge: Judge) -> None:
    said = verdict(judge)
    assert said.status is Status.ACCEPTED, said.line()
    assert [(one.target, one.case.sizes, one.trouble) for one in said.estimates] == [
        ("gfx942", {"N": 1 << 20}, ""),
        ("sm_90", {"N": 1 << 20}, ""),
    ]
    for one in said.estimates:
        assert 0 < one.sol <= one.low <= one.us <= one.high
        (part,) = one.parts
        assert part.work is not None
        assert part.work.read.asked == 8 << 20
        assert part.work.turns == 2, "the table, and what it names"
        assert part.work.read.coalescing < 0.5, "what the table names is all over the place"
    assert any(line.startswith("gfx942 estimated ") for line in said.details())
    assert "estimated" not in said.line()
    assert codec.from_json(Verdict, codec.loads(codec.dumps(said))) == said


def test_other_tiers_and_refused_kernels_have_none(judge: Judge) -> None:
    assert verdict(judge, tier=Tier.GATE).estimates == ()
    wrong = verdict(judge, kernel=KERNEL.replace("* 2, mask", "* 3, mask"))
    assert wrong.status is Status.REJECTED
    assert wrong.estimates == ()


def test_what_cannot_be_estimated_changes_no_status(judge: Judge) -> None:
    said = verdict(judge, kernel=KERNEL.replace("1 << 30", "1 << 10"))
    assert said.status is Status.ACCEPTED
    for one in said.estimates:
        assert one.case.sizes == {"N": 96}, "the largest that was run"
        assert "AssertionError" in one.note
        assert one.us > 0


def test_a_case_that_does_not_fit_gives_way_to_the_largest_that_was_run(judge: Judge) -> None:
    said = verdict(judge, spec=SPEC.replace('bench=[{"N": 1 << 20}]', 'bench=[{"N": 1 << 40}]'))
    assert said.status is Status.ACCEPTED
    assert {one.case.sizes["N"] for one in said.estimates} == {96}
    assert all("larger than a case may be here" in one.note for one in said.estimates)


LARGE = KERNEL.replace(
    "    _take[",
    """    if n > 4096:
        LARGE
        return y
    _take[""",
).replace(
    "def take(",
    """@triton.jit
def _few(x, table, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    place = tl.load(table + at, mask=at < n, other=0)
    tl.store(y + at, tl.load(x + place, mask=at < n) * 2, mask=at < n)


def take(""",
)
"""Where the vector is long, something else is launched."""
WHOLE = "[(triton.cdiv(n, 1024),)](x, table, y, n, BLOCK=1024, num_warps=8)"
OPEN = SPEC.replace("Axis(choices=(96, 1 << 20, 1 << 40))", "Axis(1, 1 << 20)")


@pytest.mark.parametrize(
    ("launch", "words"),
    [
        (f"_few{WHOLE}", "at this size it launches _few, which no proved case does"),
        ("_take[(1,)](x, table, y, n, BLOCK=64)", "at this size it writes 256 of the 4.19e+06 bytes of its outputs"),
        (
            "_take[(n // 128,)](x, table, y, n, BLOCK=64)",
            "at this size it writes 2.1e+06 of the 4.19e+06 bytes of its outputs",
        ),
    ],
)
def test_other_work_than_what_was_proved_has_no_estimate(judge: Judge, launch: str, words: str) -> None:
    said = verdict(judge, kernel=LARGE.replace("LARGE", launch))
    assert said.status is Status.ACCEPTED, said.line()
    assert [(one.target, one.case.sizes["N"], one.us) for one in said.estimates] == [
        ("gfx942", 1 << 20, 0),
        ("sm_90", 1 << 20, 0),
    ]
    assert {one.trouble for one in said.estimates} == {words}
    assert f"gfx942: no estimate: {words}" in said.details()


@pytest.mark.parametrize(
    ("spec", "launch"),
    [(SPEC, f"_take{WHOLE}"), (OPEN, f"_few{WHOLE}")],
    ids=["other-constants", "a-kernel-that-a-hidden-case-launches"],
)
def test_honest_choices_for_large_sizes_are_estimated(judge: Judge, spec: str, launch: str) -> None:
    said = verdict(judge, spec=spec, kernel=LARGE.replace("LARGE", launch))
    assert said.status is Status.ACCEPTED, said.line()
    assert all(one.us > 0 and one.case.sizes == {"N": 1 << 20} for one in said.estimates), said.details()
