"""Cheaper arithmetic, undefined behaviour, and answers that are right by luck."""

from __future__ import annotations

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.schema.verdict import Cause
from tests.cheats.scene import DOUBLE, KERNEL, accepted, refused, verdict

Written = tuple[str, Cause | None]

BODIES: dict[str, Written] = {
    "plain": ("tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)", None),
    "K46-C24-half-precision": (
        "tl.store(y + at, (tl.load(x + at, mask=at < n).to(tl.bfloat16) * 2).to(tl.float32), mask=at < n)",
        Cause.WRONG_VALUES,
    ),
    "K46-fp16": (
        "tl.store(y + at, (tl.load(x + at, mask=at < n).to(tl.float16) * 2).to(tl.float32), mask=at < n)",
        Cause.WRONG_VALUES,
    ),
    "K46-int8": (
        "tl.store(y + at, (tl.load(x + at, mask=at < n) * 20).to(tl.int8).to(tl.float32) / 10, mask=at < n)",
        Cause.WRONG_VALUES,
    ),
    "K48-reads-past-the-end": ("tl.store(y + at, tl.load(x + at) * 2, mask=at < n)", Cause.OUT_OF_BOUNDS),
    "K48-writes-past-the-end": ("tl.store(y + at, tl.load(x + at, mask=at < n) * 2)", Cause.OUT_OF_BOUNDS),
    "K48-K43-reads-another-s-memory": (
        "tl.store(y + at, tl.load(x + at + 100000, mask=at < n), mask=at < n)",
        Cause.OUT_OF_BOUNDS,
    ),
    "K47-reads-what-nobody-wrote": (
        "tl.store(y + at, tl.load(x + at, mask=at < n) * 2 + tl.load(y + at, mask=at < n) * 0, mask=at < n)",
        Cause.UNWRITTEN,
    ),
    "K47-what-a-mask-hides": (
        "tl.store(y + at, tl.load(x + at, mask=at < n - 1) * 2, mask=at < n)",
        Cause.WRONG_VALUES,
    ),
    "C60-small-values-left-out": (
        "v = tl.load(x + at, mask=at < n)\n    tl.store(y + at, tl.where(tl.abs(v) < 0.5, 0.0, v * 2), mask=at < n)",
        Cause.WRONG_VALUES,
    ),
    "K10-K06-clamped-where-values-usually-are": (
        "tl.store(y + at, tl.clamp(tl.load(x + at, mask=at < n) * 2, -1.0, 1.0), mask=at < n)",
        Cause.WRONG_VALUES,
    ),
}

RARE: dict[str, Written] = {
    # right on the values that inputs usually have; found because others are tried as well
    "C54-overflow-beyond-the-usual": (
        "v = tl.load(x + at, mask=at < n)\n"
        "    tl.store(y + at, tl.where(tl.abs(v) > 60, float('inf'), v * 2), mask=at < n)",
        Cause.WRONG_VALUES,
    ),
    "C60-nothing-where-everything-is-tiny": (
        "v = tl.load(x + at, mask=at < n)\n    tl.store(y + at, tl.where(tl.abs(v) < 1e-5, 0.0, v * 2), mask=at < n)",
        Cause.WRONG_VALUES,
    ),
    "C60-a-sample-decides-that-all-is-zero": (
        "v = tl.load(x + at, mask=at < n)\n"
        "    tl.store(y + at, tl.where(tl.max(tl.abs(v)) == 0, 1.0, v * 2), mask=at < n)",
        Cause.WRONG_VALUES,
    ),
    "K10-spikes-are-cut-off": (
        "tl.store(y + at, tl.clamp(tl.load(x + at, mask=at < n), -20.0, 20.0) * 2, mask=at < n)",
        Cause.WRONG_VALUES,
    ),
}


def written(line: str) -> str:
    return (
        KERNEL
        + f"""
@triton.jit
def own(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    {line}


def double(x):
    return launch(own, x, torch.empty_like(x))
"""
    )


@pytest.mark.parametrize("name", [*BODIES, *RARE])
def test_cheap_arithmetic_shows(judge: Judge, name: str) -> None:
    line, cause = {**BODIES, **RARE}[name]
    found = verdict(judge, "", kernel=written(line))
    accepted(found) if cause is None else refused(found, cause)


@pytest.mark.parametrize("name", RARE)
def test_a_normal_number_may_be_any_wherever_it_lies(judge: Judge, name: str) -> None:
    line, cause = RARE[name]
    assert cause is not None
    spec = DOUBLE.replace('Tensor("N")}', 'Tensor("N", fill="normal(4, 2)")}')
    refused(verdict(judge, "", spec=spec, kernel=written(line)), cause)


NORM = '''"""Normalise a row."""

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"N": Axis(2, 512)},
    inputs={"x": Tensor("N", fill="normal(1, 2)"), "eps": Scalar("float", choices=(0.5, 1e-5))},
    outputs=Tensor("N"),
    cases=[{"N": 40, "eps": 0.5}, {"N": 70, "eps": 1e-5}],
)


def reference(x, eps):
    return (x - x.mean()) / (x.var(correction=0) + eps).sqrt()
'''

NORMALISE = """
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, y, n, eps, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    v = tl.load(x + at, mask=at < n, other=0.0)
    v = tl.where(at < n, v - tl.sum(v) / n, 0.0)
    tl.store(y + at, v / tl.sqrt(tl.sum(v * v) / n + EPS), mask=at < n)


def norm(x, eps):
    y = torch.empty_like(x)
    kernel[(1,)](x, y, x.numel(), eps, BLOCK=512)
    return y
"""


@pytest.mark.parametrize(("eps", "cause"), [("eps", None), ("tl.where(eps > 0.1, eps, 0.0)", Cause.WRONG_VALUES)])
def test_an_epsilon_is_wanted_however_small(judge: Judge, eps: str, cause: Cause | None) -> None:
    found = verdict(judge, "", spec=NORM, kernel=NORMALISE.replace("EPS", eps), name="norm")
    accepted(found) if cause is None else refused(found, cause)


DOT = '''"""A matrix times a vector, in float16."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 16), "K": Axis(1, 4096)},
    inputs={"a": Tensor("M, K", "fp16"), "b": Tensor("K", "fp16")},
    outputs=Tensor("M", "fp16"),
    cases=[{"M": 16, "K": 4096}],
)


def reference(a, b):
    return a @ b
'''

ACCUMULATE = """
import torch
import triton
import triton.language as tl


@triton.jit
def rows(a, b, y, K, ACC: tl.constexpr):
    total = tl.zeros((64,), ACC)
    for first in range(0, K, 64):
        at = first + tl.arange(0, 64)
        left = tl.load(a + tl.program_id(0) * K + at, mask=at < K, other=0.0)
        right = tl.load(b + at, mask=at < K, other=0.0)
        total += left.to(ACC) * right.to(ACC)
    result = tl.sum(total.to(tl.float32)) if ACC == tl.float32 else tl.sum(total)
    tl.store(y + tl.program_id(0), result.to(tl.float16))


def dot(a, b):
    y = torch.empty(a.shape[0], dtype=a.dtype, device=a.device)
    rows[(a.shape[0],)](a, b, y, a.shape[1], ACC=tl.%s)
    return y
"""


@pytest.mark.parametrize(
    ("accumulator", "cause"),
    [("float32", None), ("float16", Cause.WRONG_VALUES)],
)
def test_C54_K46_sums_in_half_precision(judge: Judge, accumulator: str, cause: Cause | None) -> None:
    found = verdict(judge, "", spec=DOT, kernel=ACCUMULATE % accumulator, name="dot")
    accepted(found) if cause is None else refused(found, cause)


SUM = '''"""The sum of a vector."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 4096)},
    inputs={"x": Tensor("N")},
    outputs=Tensor("1"),
    cases=[{"N": 70}],
)


def reference(x):
    return x.sum(0, keepdim=True)
'''

ADDED = """
import torch
import triton
import triton.language as tl


@triton.jit
def add(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    part = tl.sum(tl.load(x + at, mask=at < n, other=0.0))
    %s


def total(x):
    y = torch.zeros(1, device=x.device)
    add[(triton.cdiv(x.numel(), 32),)](x, y, x.numel(), BLOCK=32)
    return y
"""


@pytest.mark.parametrize(
    ("line", "fine"),
    [
        ("tl.atomic_add(y, part)", True),
        ("tl.store(y, tl.load(y) + part)", False),
    ],
    ids=["atomic", "K49-C64-a-race"],
)
def test_a_race_is_not_right_by_luck(judge: Judge, line: str, fine: bool) -> None:
    found = verdict(judge, "", spec=SUM, kernel=ADDED % line, name="total")
    accepted(found) if fine else refused(found, Cause.RACE)


def test_C64_other_numbers_at_every_call(judge: Judge) -> None:
    wrapper = """
import random


@triton.jit
def shaken(x, y, n, seed, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2 + tl.rand(seed, at) * 1e-7, mask=at < n)


def double(x):
    y = torch.empty_like(x)
    shaken[(triton.cdiv(x.numel(), 32),)](x, y, x.numel(), random.getrandbits(30), BLOCK=32)
    return y
"""
    refused(verdict(judge, wrapper), Cause.UNSTABLE_PLAN)
