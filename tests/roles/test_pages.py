"""What the pages say of Triton, of the judge and of specs is so: the judge is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from geak.roles import answers, drafter
from geak.roles.brief import NoAnswer
from geak_evaluator.judge import Judge
from geak_evaluator.lint import lint
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.spec import FILLS
from geak_evaluator.schema.verdict import Cause, Status, Tier
from tests.roles.scene import Model

TWICE = '''"""Twice each element."""
from geak_evaluator import Axis, Spec, Tensor
spec = Spec(axes={"N": Axis(1, 65536)}, inputs={"x": Tensor("N")}, outputs=Tensor("N"), cases=[{"N": 781}])
def reference(x):
    return x * 2
'''
HEAD = """import torch
import triton
import triton.language as tl
"""
KERNEL = """
@triton.jit
def _twice(x, y, bias, n, one, B: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * B + tl.arange(0, B)
    v = tl.load(x + at, mask=at < n, other=0.0)
    r = v * 2
    {body}
    tl.store(y + at, r.to(y.dtype.element_ty), mask=at < n)
"""
WRAPPER = """
def twice(x):
    y = torch.empty_like(x)
    _twice[(triton.cdiv(x.numel(), 256),)](x, y, None, x.numel(), 1, B=256)
    return y
"""
PLAIN = HEAD + KERNEL.format(body="pass") + WRAPPER
BLOCKS = "a = tl.reshape(v, (16, 16)); r += tl.sum(tl.dot({}, {}{})) * 0"


def verdict(judge: Judge, source: str, target: str = "gfx942"):  # type: ignore[no-untyped-def]
    return judge.evaluate(SpecFile(Path("twice.py"), TWICE.encode()), source.encode(), targets=[target], tier=Tier.GATE)


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ("q = tl.arange(0, n)", "gfx942"),
        ("q = tl.arange(0, 48)", "gfx942"),
        ("for i in range(n):\n        if i > 2:\n            break", "gfx942"),
        ("for i in range(4):\n        if i > 2:\n            continue", "gfx942"),
        ("r = r + v[0] * 0", "gfx942"),
        ("r = r + tl.tanh(v) * 0", "gfx942"),
        ("acc = 0\n    for i in range(2):\n        acc += v", "gfx942"),
        ("q = one.to(tl.int64)", "gfx942"),
        ("q = tl.make_block_ptr(x, (n,), (1,), (0,), (B,), (0,))", "gfx942"),
        (BLOCKS.format("a.to(tl.float16)", "a.to(tl.bfloat16)", ""), "gfx942"),
        (BLOCKS.format("a", "a", ", input_precision='tf32'"), "gfx950"),
        ("a = tl.reshape(v, (32, 8)).to(tl.float16); r += tl.sum(tl.dot(a, tl.trans(a))) * 0", "sm_90"),
    ],
)
def test_what_triton_does_not_take(judge: Judge, body: str, target: str) -> None:
    found = verdict(judge, HEAD + KERNEL.format(body=body) + WRAPPER, target)
    misfit = found.failure or found.misfit
    assert misfit is not None, found
    assert misfit.cause is Cause.COMPILE_ERROR, found


@pytest.mark.parametrize("target", ["gfx942", "gfx950", "sm_90"])
def test_what_it_takes(judge: Judge, target: str) -> None:
    body = (
        "r += (2 * tl.sigmoid(2 * v) - 1) * 0 + tl.erf(v) * 0 + tl.where((at < n) & (at > 0), v, v) * 0\n"
        "    if bias is not None:\n        r += tl.load(bias + at)\n    "
        + BLOCKS.format("a", "a", ", input_precision='ieee'")
    )
    options = "options = {'waves_per_eu': 2, 'matrix_instr_nonkdim': 16} if torch.version.hip else {}\n    _twice["
    source = HEAD + KERNEL.format(body=body) + WRAPPER.replace("_twice[", options).replace("B=256", "B=256, **options")
    assert verdict(judge, source, target).status is Status.ACCEPTED


@pytest.mark.parametrize(
    ("source", "cause", "target"),
    [
        (PLAIN.replace("return y", "return y + 0"), Cause.FOREIGN_WORK, "gfx942"),
        (PLAIN.replace("    return y", "    if x.sum().item() > 0: y = y.clone()\n    return y"), None, "gfx942"),
        (PLAIN.replace("mask=at < n)\n\ndef", "mask=at <= n)\n\ndef"), Cause.OUT_OF_BOUNDS, "gfx942"),
        (PLAIN.replace("mask=at < n)\n\ndef", "mask=at < n - 1)\n\ndef"), Cause.WRONG_VALUES, "gfx942"),
        (
            PLAIN.replace("\n@triton", "\nimport os\nTWO = float(os.environ.get('TWO', 2))\n@triton").replace(
                "v * 2", "v * TWO"
            ),
            Cause.COMPILE_ERROR,
            "gfx942",
        ),
        (PLAIN.replace("B=256", "B=256, waves_per_eu=2"), Cause.RAISED, "sm_90"),
        (PLAIN.replace("def twice", "def double"), Cause.MISSING_ENTRY, "gfx942"),
    ],
)
def test_what_the_judge_does_not_take(judge: Judge, source: str, cause: Cause | None, target: str) -> None:
    found = verdict(judge, source, target)
    assert found.status is Status.REJECTED
    assert found.failure is not None
    assert cause in (None, found.failure.cause), found.failure


def test_the_plain_one_is_right(judge: Judge) -> None:
    assert verdict(judge, PLAIN).status is Status.ACCEPTED


def test_the_example_of_a_spec_is_fit(judge: Judge) -> None:
    model = Model(["", ""])
    with pytest.raises(NoAnswer):
        asyncio.run(drafter.draft_spec(model.ask, "x"))
    page = model.asked[0][1][0].text
    example = answers.spec(page)
    found = lint(judge, SpecFile(Path("row_scale.py"), example.encode()))
    assert (found.errors, found.findings) == (0, ())
    assert all(fill in page for fill in FILLS)
