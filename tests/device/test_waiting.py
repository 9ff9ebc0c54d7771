"""Programs that wait for one another: the interpreter runs them in turn, a device all at once."""

from __future__ import annotations

import pytest
import torch
import triton
import triton.language as tl

from geak_evaluator import device
from geak_evaluator.device.errors import DeviceError
from tests.judge.trial import IMPORTS, SPEC, accepted, verdict_on


@triton.jit
def after_the_next(flags, out, count, STRIDE: tl.constexpr):
    pid = tl.program_id(0)
    if pid % STRIDE == 0:
        for later in range(pid + 1, min(pid + STRIDE, count)):
            while tl.atomic_cas(flags + later, 1, 1) != 1:
                pass
            tl.store(out + pid, tl.load(out + pid) + tl.load(out + later))
    else:
        tl.store(out + pid, pid)
        tl.atomic_xchg(flags + pid, 1)


@triton.jit
def after_a_flag(flags, out):
    pid = tl.program_id(0)
    if pid == 0:
        while tl.load(flags, volatile=True) == 0:
            pass
        tl.store(out, 5)
    else:
        tl.store(flags, 1)


@triton.jit
def all_in_a_chain(flags, out, count):
    pid = tl.program_id(0)
    if pid + 1 < count:
        while tl.atomic_add(flags + pid + 1, 0) == 0:
            pass
    tl.store(out + pid, pid)
    tl.atomic_xchg(flags + pid, 1)


@triton.jit
def the_most(x, out):
    for _ in range(100):
        tl.atomic_max(out, tl.load(x))


def run(kernel, count: int, *args, **named) -> bool:
    """Whether a program waited for a later one."""
    seen = []
    with device.activate("gfx942", on_launch=seen.append, compile=False):
        kernel[(count,)](*args, **named)
    return seen[0].waits


def test_a_program_that_waits_lets_later_ones_run():
    flags, out = torch.zeros(8, dtype=torch.int32), torch.zeros(8, dtype=torch.int32)
    assert run(after_the_next, 8, flags, out, 8, STRIDE=3)
    assert out.tolist() == [3, 1, 2, 9, 4, 5, 7, 7]


def test_so_does_one_that_looks_at_memory_over_and_over():
    flags, out = torch.zeros(1, dtype=torch.int32), torch.zeros(1, dtype=torch.int32)
    assert run(after_a_flag, 2, flags, out)
    assert out.tolist() == [5]


def test_a_short_chain_ends_and_a_long_one_is_told():
    out = torch.zeros(64, dtype=torch.int32)
    assert run(all_in_a_chain, 6, torch.zeros(64, dtype=torch.int32), out, 6)
    assert out.tolist()[:6] == list(range(6))
    with pytest.raises(DeviceError, match="more than 8 programs wait for one another"):
        run(all_in_a_chain, 64, torch.zeros(64, dtype=torch.int32), out, 64)


def test_who_asks_the_same_often_and_reads_between_waits_for_nobody():
    x, out = torch.full((1,), 7, dtype=torch.int32), torch.zeros(1, dtype=torch.int32)
    assert not run(the_most, 2, x, out)
    assert out.tolist() == [7]


WAITING = f"""{IMPORTS}

@triton.jit
def _scale(x, y, flag, n, last, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    if pid == last:
        tl.atomic_xchg(flag, 1)
    if pid == 0:
        while tl.atomic_cas(flag, 1, 1) != 1:
            pass
    at = pid * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2 + 1, mask=at < n)


def scale(x):
    y, flag, n = torch.empty_like(x), torch.zeros(1, dtype=torch.int32, device=x.device), x.numel()
    _scale[(triton.cdiv(n, 64),)](x, y, flag, n, triton.cdiv(n, 64) - 1, BLOCK=64)
    return y
"""


def test_a_verdict_says_so(judge):
    verdict = verdict_on(judge, SPEC, WAITING)
    accepted(verdict)
    assert any("_scale: a program waits for later ones, which ends only on a device" in note for note in verdict.notes)
