"""Kernels that are right in an interpreter alone: a device, or Triton's compiler, does otherwise or as it likes."""

from __future__ import annotations

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.schema.verdict import Cause
from tests.cheats.scene import accepted, refused, verdict

HEAD = '''"""What is asked."""

import torch
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 128)},
    inputs={"x": Tensor("N, 64", "int32", fill="integers(0, 40)")},
    outputs=Tensor("N, 64", "int32"),
    cases=[{"N": 3}, {"N": 4}],
)


def reference(x):
    return FORMULA
'''

KERNEL = """
import torch
import triton
import triton.language as tl

OUT = tl.constexpr(0)
WRONG = 0


@triton.jit
def last(a, b):
    return b


@triton.jit
def kernel(x, y, s, n, down, zero, BLOCK: tl.constexpr):
    row = tl.program_id(0) * BLOCK
    at = tl.arange(0, BLOCK)
    v = tl.load(x + row + at)
    BODY


def double(x):
    y = torch.empty_like(x)
    s = torch.empty_like(x)
    kernel[(x.shape[0],)](x, y, s, x.numel(), -1, 0, BLOCK=64)
    return y
"""

SUM = "x.sum(1, keepdim=True).to(torch.int32).expand_as(x)"
STORE = "tl.store(y + row + at, {})"
Cheat = tuple[str, str, Cause]

CHEATS: dict[str, Cheat] = {
    "the-variable-behind-its-loop": (
        "torch.full_like(x, 9)",
        f"i = 5\nfor i in range(0, zero + 10):\n    v += i\n{STORE.format('v * 0 + i')}",
        Cause.RAISED,
    ),
    "a-loop-that-counts-down-by-an-argument": (
        SUM,
        f"t = 0\nfor i in range(BLOCK - 1, -1, down):\n    t += tl.load(x + row + i)\n{STORE.format('v * 0 + t')}",
        Cause.RAISED,
    ),
    "a-name-of-a-branch-that-is-a-constant-behind-it": (
        "x * 2",
        f"if n > 0:\n    OUT = v * 2\n{STORE.format('v * 0 + OUT')}",
        Cause.WRONG_VALUES,
    ),
    "a-name-of-a-loop-that-is-a-constant-behind-it": (
        "x * 2",
        f"for i in range(0, zero + 1):\n    OUT = v * 2\n{STORE.format('v * 0 + OUT')}",
        Cause.WRONG_VALUES,
    ),
    "what-was-None-before-a-branch": (
        "x * 2",
        f"o = None\nif n > 0:\n    o = v * 2\nif o is None:\n    {STORE.format('v')}\nelse:\n    {STORE.format('o')}",
        Cause.WRONG_VALUES,
    ),
    "a-shift-beyond-the-width": (
        "torch.where(x < 32, 1 << x.clamp(max=31), 0).to(torch.int32)",
        STORE.format("(v * 0 + 1) << v"),
        Cause.WRONG_VALUES,
    ),
    "a-shift-down-beyond-the-width": (
        "torch.where(x < 32, 1000000 >> x.clamp(max=31), 0).to(torch.int32)",
        STORE.format("(v * 0 + 1000000) >> v"),
        Cause.WRONG_VALUES,
    ),
    "a-division-by-zero": ("torch.zeros_like(x)", STORE.format("v // zero"), Cause.WRONG_VALUES),
    "what-a-division-by-zero-leaves": ("torch.zeros_like(x)", STORE.format("v % zero"), Cause.WRONG_VALUES),
    "an-element-before-the-first": (
        "x.roll(1, 1)",
        STORE.format("tl.gather(v, at - 1, 0)"),
        Cause.WRONG_VALUES,
    ),
    "a-number-that-16-bits-do-not-hold": (
        "(x * 1000000).to(torch.int8).to(torch.int32)",
        STORE.format("(v.to(tl.float32) * 1000000).to(tl.int8).to(tl.int32)"),
        Cause.WRONG_VALUES,
    ),
    "a-reduction-that-takes-the-last": (
        "x[:, 63:].expand_as(x)",
        STORE.format("v * 0 + tl.reduce(v, 0, last)"),
        Cause.WRONG_VALUES,
    ),
    "lanes-that-store-to-one-place": (
        "torch.cat((x[:, 1::2], x[:, 1::2]), 1)",
        "tl.store(y + row + at // 2, v)\ntl.debug_barrier()\n"
        "tl.store(y + row + 32 + at % 32, tl.load(y + row + at % 32))",
        Cause.RACE,
    ),
    "lanes-that-load-what-others-store": (
        "x.flip(1)",
        f"tl.store(s + row + at, v)\n{STORE.format('tl.load(s + row + 63 - at)')}",
        Cause.RACE,
    ),
    "lanes-that-store-what-others-still-load": (
        "x.flip(1)",
        f"{STORE.format('v')}\ntl.debug_barrier()\nw = tl.load(y + row + at)\ntl.store(y + row + 63 - at, w)",
        Cause.RACE,
    ),
    "blocks-that-may-be-reordered": (
        "torch.cat((x[:, 32:], x[:, :32]), 1)",
        "w = tl.cat(tl.load(x + row + 32 + tl.arange(0, 32)), tl.load(x + row + tl.arange(0, 32)), can_reorder=True)\n"
        + STORE.format("w"),
        Cause.RACE,
    ),
    "a-view-that-may-be-reordered": (
        "x * 2",
        "w = tl.view(v * 2, (8, 8))\ntl.store(y + row + tl.arange(0, 8)[:, None] * 8 + tl.arange(0, 8)[None, :], w)",
        Cause.RACE,
    ),
    "a-stride-that-is-said-to-be-even": (
        "x * 2",
        "odd = tl.multiple_of(n - 1, 2)\n" + STORE.format("v * 2 + odd * 0"),
        Cause.RAISED,
    ),
    "rows-that-are-said-to-begin-at-even-places": (
        "x * 2",
        "q = x + row + 1 + tl.arange(0, 8)[:, None] * 8 + tl.arange(0, 4)[None, :]\n"
        f"w = tl.load(tl.multiple_of(q, [8, 8]))\n{STORE.format('v * 2 + tl.sum(w) * 0')}",
        Cause.RAISED,
    ),
    "one-column-of-places-said-to-be-even": (
        "x * 2",
        "q = tl.multiple_of(x + row + 1 + tl.arange(0, 8)[:, None] * 7, [8, 8]) + tl.arange(0, 4)[None, :]\n"
        f"{STORE.format('v * 2 + tl.sum(tl.load(q)) * 0')}",
        Cause.RAISED,
    ),
    "any-numbers-that-are-said-to-run-on": (
        "torch.gather(x, 1, x.long())",
        STORE.format("tl.load(x + row + tl.max_contiguous(v, 4))"),
        Cause.RAISED,
    ),
    "a-mask-that-is-said-to-be-constant": (
        "torch.where(torch.arange(64) < 33, x, 0).to(torch.int32)",
        STORE.format("tl.load(x + row + at, mask=tl.max_constancy(at < 33, 16), other=0)"),
        Cause.RAISED,
    ),
}


def written(body: str) -> str:
    return KERNEL.replace("BODY", body.replace("\n", "\n    "))


@pytest.mark.parametrize("name", CHEATS)
def test_what_only_an_interpreter_does(judge: Judge, name: str) -> None:
    formula, body, cause = CHEATS[name]
    found = verdict(judge, "", spec=HEAD.replace("FORMULA", formula), kernel=written(body), targets=("sm_90",))
    refused(found, cause)


HONEST = {
    "a-loop-that-counts-down-by-a-constant": (
        SUM,
        f"t = 0\nfor i in range(BLOCK - 1, -1, -1):\n    t += tl.load(x + row + i)\n{STORE.format('v * 0 + t')}",
    ),
    "a-name-of-both-branches": (
        "x * 2",
        f"if n > 0:\n    OUT = v * 2\nelse:\n    OUT = v\n{STORE.format('OUT')}",
    ),
    "lanes-that-meet-before-they-load": (
        "x.flip(1)",
        f"tl.store(s + row + at, v)\ntl.debug_barrier()\n{STORE.format('tl.load(s + row + 63 - at)')}",
    ),
    "lanes-that-store-to-one-place-nobody-looks-at": (
        "x * 2",
        f"tl.store(s + row + at * 0, v)\n{STORE.format('v * 2')}",
    ),
    "a-view-that-is-summed": (
        SUM,
        STORE.format("v * 0 + tl.sum(tl.view(v, (8, 8)))"),
    ),
    "rows-that-wrap-round-and-are-said-to-run-on": (
        "x * 2",
        "i = tl.max_contiguous(tl.multiple_of((at + 32) % 50, 1), 32)\n"
        f"w = tl.load(x + row + i)\n{STORE.format('tl.where(w > 99, w, v * 2)')}",
    ),
    "places-that-are-multiples-where-they-run-on": (
        "x * 2",
        "q = x + row + tl.arange(0, 8)[:, None] * 8 + tl.arange(0, 4)[None, :]\n"
        f"w = tl.load(tl.multiple_of(q, [16, 16]))\n{STORE.format('v * 2 + tl.sum(w) * 0')}",
    ),
    "a-promise-wider-than-any-access": (
        "x * 2",
        f"w = tl.load(tl.max_contiguous(tl.multiple_of(x + row + at, 1024), 64))\n{STORE.format('w * 2')}",
    ),
    "a-shift-that-nobody-uses": ("x * 2", STORE.format("tl.where(v < 99, v * 2, v << (v + 32))")),
}


@pytest.mark.parametrize("name", HONEST)
def test_what_a_device_does_too(judge: Judge, name: str) -> None:
    formula, body = HONEST[name]
    found = verdict(judge, "", spec=HEAD.replace("FORMULA", formula), kernel=written(body), targets=("sm_90",))
    accepted(found)


DESCRIBED = """
import torch
import triton
import triton.language as tl


def allocated(size, alignment, stream):
    return torch.empty(size, dtype=torch.int8, device="cuda")


@triton.jit
def doubled(x, y, n, BLOCK: tl.constexpr):
    here = tl.make_tensor_descriptor(x, shape=[n, 64], strides=[64, 1], block_shape=[1, BLOCK])
    there = tl.make_tensor_descriptor(y, shape=[n, 64], strides=[64, 1], block_shape=[1, BLOCK])
    row = tl.program_id(0)
    there.store([row, 0], here.load([row, 0]) * 2)


@triton.jit
def kernel(x, y, n, BLOCK: tl.constexpr):
    doubled(x, y, n, BLOCK)


def double(x):
    SETTING
    y = torch.empty_like(x)
    kernel[(x.shape[0],)](x, y, x.shape[0], BLOCK=64)
    return y
"""


@pytest.mark.parametrize(
    ("setting", "target", "cause"),
    [
        ("triton.set_allocator(allocated)", "sm_90", None),
        ("pass", "sm_90", Cause.RAISED),
        ("pass", "gfx942", None),
    ],
)
def test_memory_that_a_launch_asks_its_caller_for(judge: Judge, setting: str, target: str, cause: Cause | None) -> None:
    spec, kernel = HEAD.replace("FORMULA", "x * 2"), DESCRIBED.replace("SETTING", setting)
    found = verdict(judge, "", spec=spec, kernel=kernel, targets=(target,))
    accepted(found) if cause is None else refused(found, cause)


LOCK = """
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, y, s, BLOCK: tl.constexpr):
    v = tl.sum(tl.load(x + tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)))
    BODY


def double(x):
    y = torch.zeros(1, dtype=x.dtype, device=x.device)
    kernel[(x.shape[0],)](x, y, torch.zeros_like(y), BLOCK=64)
    return y
"""
TOTAL = HEAD.replace("FORMULA", "x.sum().reshape(1).to(torch.int32)").replace(
    'Tensor("N, 64", "int32"),', 'Tensor("1", "int32"),'
)
LOCKED = """while tl.atomic_cas(s, 0, 1, sem="{0}") == 1:
        pass
    tl.store(y, tl.load(y) + v)
    tl.atomic_xchg(s, 0, sem="{1}")"""
BY = {
    "a-lock": (LOCKED.format("acquire", "release"), None),
    "a-lock-that-orders-nothing": (LOCKED.format("relaxed", "relaxed"), Cause.RACE),
    "an-atomic": ('tl.atomic_add(y, v, sem="relaxed")', None),
    "an-atomic-of-one-program-alone": ('tl.atomic_add(y, v, scope="cta")', Cause.RACE),
}


@pytest.mark.parametrize("name", BY)
def test_programs_that_add_up_by(judge: Judge, name: str) -> None:
    body, cause = BY[name]
    found = verdict(judge, "", spec=TOTAL, kernel=LOCK.replace("BODY", body))
    accepted(found) if cause is None else refused(found, cause)


TWO_LAUNCHES = """
import torch
import triton
import triton.language as tl
from triton.language.extra import cuda


@triton.jit
def first(x, s, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(s + at, tl.load(x + at, mask=at < n), mask=at < n)
    cuda.gdc_launch_dependents()


@triton.jit
def second(x, s, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    BODY


def double(x):
    n, s, y = x.numel(), torch.empty_like(x), torch.empty_like(x)
    first[(triton.cdiv(n, 32),)](x, s, n, BLOCK=32)
    second[(triton.cdiv(n, 32),)](x, s, y, n, BLOCK=32, launch_pdl=True)
    return y
"""
V, W = "v = tl.load(x + at, mask=at < n)", "w = tl.load(s + at, mask=at < n)"
WAIT, SUM_OF_BOTH = "cuda.gdc_wait()", "tl.store(y + at, v + w, mask=at < n)"


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ((WAIT, V, W, SUM_OF_BOTH), None),
        ((V, WAIT, W, SUM_OF_BOTH), None),  # an input may be loaded meanwhile
        ((V, W, WAIT, SUM_OF_BOTH), Cause.RACE),
        ((V, "w = v", SUM_OF_BOTH), Cause.RACE),  # whose memory may be in use by what was launched before
        (("if tl.program_id(0) == 0:", f"    {WAIT}", V, "w = v", SUM_OF_BOTH), Cause.RACE),
    ],
)
def test_a_launch_that_depends_on_others_waits_for_them(
    judge: Judge, lines: tuple[str, ...], cause: Cause | None
) -> None:
    kernel = TWO_LAUNCHES.replace("BODY", "\n    ".join(lines))
    found = verdict(judge, "", kernel=kernel, targets=("sm_90",))
    accepted(found) if cause is None else refused(found, cause)
    assert cause is None or "before gdc_wait: with launch_pdl" in found.line()
