"""Kernels that are right only where unwritten memory holds a certain value, or programs come one after another."""

from __future__ import annotations

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.schema.verdict import Cause
from tests.cheats.scene import accepted, refused, verdict

WORDS = """
import torch
import triton
import triton.language as tl
"""


def a_spec(output: str, body: str) -> str:
    return f'''"""Of a vector."""

from geak_evaluator import Axis, Spec, Tensor
import torch

spec = Spec(
    axes={{"N": Axis(1, 4096)}},
    inputs={{"x": Tensor("N")}},
    outputs={output},
    cases=[{{"N": 70}}, {{"N": 1000}}],
)


def reference(x):
    return {body}
'''


LARGEST = a_spec('Tensor("1")', "x.amax(0, keepdim=True)")
TOTAL = a_spec('Tensor("1")', "x.sum(0, keepdim=True)")
ABOVE = a_spec('Tensor("1", "int32")', "(x > 0).sum().to(torch.int32)[None]")
RUNNING = a_spec('Tensor("N")', "x.cumsum(0)")

EACH = (
    WORDS
    + """

@triton.jit
def each(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + at, mask=at < n, other=%s)
    %s


def of(x):
    y = torch.empty(1, device=x.device, dtype=torch.%s)
    each[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), BLOCK=64)
    return y
"""
)

ZERO = "old = tl.load(y)\n    tl.store(y, tl.where(old == old, old, 0.0) + tl.sum(v, 0))"
ONE_PROGRAM = (EACH % ("0.0", ZERO, "float32")).replace("triton.cdiv(x.numel(), 64),", "1,").replace("64)", "4096)")
FROM_MINUS_ONE = "tl.atomic_add(y, tl.sum((v > 0).to(tl.int32), 0) + (tl.program_id(0) == 0).to(tl.int32))"


@pytest.mark.parametrize(
    ("spec", "kernel"),
    [
        (LARGEST, EACH % ("float('-inf')", "tl.atomic_max(y, tl.max(v, 0))", "float32")),
        (TOTAL, ONE_PROGRAM),
        (ABOVE, EACH % ("0.0", FROM_MINUS_ONE, "int32")),
    ],
    ids=["NaN loses to any number", "NaN is taken for zero", "a whole number is -1"],
)
def test_what_is_read_before_it_is_written_has_no_value_to_rely_on(judge: Judge, spec: str, kernel: str) -> None:
    found = verdict(judge, "", spec=spec, kernel=kernel, name="of")
    refused(found, Cause.WRONG_VALUES)
    assert "right only where memory that was never written holds certain values" in found.line()


UPDATES = EACH.replace("torch.empty", "torch.zeros") % ("0.0", "tl.store(y, tl.load(y) + tl.sum(v, 0))", "float32")
HELPER = """
@triton.jit
def unused(y):
    tl.atomic_add(y, 1.0)


"""


def test_K49_an_atomic_that_nobody_calls_excuses_no_race(judge: Judge) -> None:
    found = verdict(judge, "", spec=TOTAL, kernel=UPDATES + HELPER, name="of")
    refused(found, Cause.RACE)
    assert "read, change and store y at element 0, not atomically" in found.line()


def test_nor_does_one_that_is_done_before_anything_is_stored(judge: Judge) -> None:
    counted = UPDATES.replace("    v = tl.load(x", "    tl.atomic_add(y + 1, 1.0)\n    v = tl.load(x")
    counted = counted.replace("torch.zeros(1,", "torch.zeros(2,").replace("return y", "return y[:1]")
    refused(verdict(judge, "", spec=TOTAL, kernel=counted, name="of"), Cause.RACE)


SCAN = """

@triton.jit
def scan(x, y, carry, flag, n, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    at = pid * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + at, mask=at < n, other=0.0)
    before = 0.0
    if pid > 0:
        %s
        before = tl.load(carry + pid - 1, volatile=True)
    tl.store(carry + pid, before + tl.sum(v, 0))
    tl.debug_barrier()
    tl.atomic_xchg(flag + pid, 1, sem="release")
    tl.store(y + at, tl.cumsum(v, 0) + before, mask=at < n)


def of(x):
    n = x.numel()
    blocks = triton.cdiv(n, 64)
    y = torch.empty_like(x)
    carry, flag = torch.zeros(blocks, device=x.device), torch.zeros(blocks, dtype=torch.int32, device=x.device)
    scan[(blocks,)](x, y, carry, flag, n, BLOCK=64)
    return y
"""
WAITS = "while tl.atomic_add(flag + pid - 1, 0, sem='acquire') == 0:\n            pass"


def test_a_program_that_reads_what_another_stores_has_to_wait_for_it(judge: Judge) -> None:
    accepted(verdict(judge, "", spec=RUNNING, kernel=WORDS + SCAN % WAITS, name="of"))
    found = verdict(judge, "", spec=RUNNING, kernel=WORDS + SCAN % "pass", name="of")
    refused(found, Cause.RACE)
    assert "it relies on an order that no device promises: in another one it is wrong at [" in found.line()


ASIDE = """

@triton.jit
def positive(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + at, mask=at < n, other=0.0)
    tl.store(y + tl.where((v > 0) & (at < n), at, n), v)


def of(x):
    y = torch.zeros(x.numel() + 1, device=x.device)
    positive[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), BLOCK=64)
    return y[:%s]
"""


def test_what_nobody_reads_may_be_stored_in_any_order(judge: Judge) -> None:
    """One element behind the output takes all that is not wanted."""
    spec = a_spec('Tensor("N")', "x.clamp(min=0)")
    found = verdict(judge, "", spec=spec, kernel=WORDS + ASIDE % "-1", name="of")
    accepted(found)
    (note,) = [note for note in found.notes if "different values into y" in note]
    assert "into y at element 70; which of them stays is left to the device" in note
    shown = a_spec('Tensor("N + 1")', "torch.cat((x.clamp(min=0), x[-1:].clamp(max=0)))")
    refused(verdict(judge, "", spec=shown, kernel=WORDS + ASIDE % "", name="of"), Cause.RACE, Cause.WRONG_VALUES)
