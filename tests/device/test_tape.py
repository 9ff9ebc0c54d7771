"""Statements that are done again from a tape: each must do for its own values what walking the source would."""

from pathlib import Path

import pytest
import torch
import triton
import triton.language as tl

from geak_evaluator.device import OutOfBounds

pytestmark = pytest.mark.usefixtures("quick")


@triton.jit
def _clipped(x, limit):
    if x > limit:
        x = limit
    return x


@triton.jit
def _branches(x, out, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    value = tl.load(x + pid)
    value = _clipped(value, 2.0)
    doubled = value * 2.0 if pid % 2 == 0 else value
    tl.store(out + pid * BLOCK + tl.arange(0, BLOCK), doubled + tl.arange(0, BLOCK))


def test_a_device_function_goes_its_own_way_for_each_value():
    x = torch.tensor([1.0, 1.0, 5.0, 5.0, 1.0, 0.0])
    out = torch.zeros(6, 4)
    _branches[(6,)](x, out, BLOCK=4)
    assert out[:, 0].tolist() == [2.0, 1.0, 4.0, 2.0, 2.0, 0.0]
    assert torch.equal(out - out[:, :1], torch.arange(4.0).expand(6, 4))


@triton.jit
def _counted(limit, x):
    total = 0.0
    for _ in range(limit):
        total += x
    return total


@triton.jit
def _loops(times, out):
    pid = tl.program_id(0)
    total = _counted(tl.load(times + pid), 1.5)
    tl.store(out + pid, total)


def test_a_device_function_loops_as_often_as_each_value_says():
    times, out = torch.tensor([3, 3, 0, 5, 1]), torch.zeros(5)
    _loops[(5,)](times, out)
    assert out.tolist() == [4.5, 4.5, 0.0, 7.5, 1.5]


@triton.jit
def _bump(x, n, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    v = tl.load(x + i, mask=i < n)
    tl.store(x + i, v * 2 + 1, mask=i < n)


def test_a_load_sees_what_an_earlier_program_stored_at_the_same_place():
    x = torch.zeros(5)
    _bump[(4,)](x, 5, BLOCK=8)
    assert x.tolist() == [15.0] * 5


@triton.jit
def _unrolled(out, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    total = tl.zeros((BLOCK,), tl.int32)
    for k in tl.static_range(5):
        weight = (k - 2) * 1.0
        total += (weight * 3).to(tl.int32) * (pid + 1) + k
        tl.store(out + pid * 5 * BLOCK + k * BLOCK + tl.arange(0, BLOCK), total)


def test_each_turn_of_an_unrolled_loop_has_its_own_constant():
    out = torch.zeros(3, 5, 2, dtype=torch.int32)
    _unrolled[(3,)](out, BLOCK=2)
    for pid in range(3):
        turns = torch.tensor([(k - 2) * 3 * (pid + 1) + k for k in range(5)]).cumsum(0)
        assert out[pid, :, 0].tolist() == turns.tolist()


@triton.jit
def _widening(x, out):
    pid = tl.program_id(0)
    value = tl.load(x + pid)
    for k in tl.static_range(3):
        if k == 1:
            value = value + 0.5
        value = value + value
    tl.store(out + pid, value)


def test_a_name_that_changes_its_type_between_turns():
    x, out = torch.tensor([1, 2, 3, 4], dtype=torch.int32), torch.zeros(4)
    _widening[(4,)](x, out)
    assert out.tolist() == [(2 * v + 0.5) * 4 for v in (1, 2, 3, 4)]


@triton.jit
def _running(x, out, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    v = tl.load(x + pid * BLOCK + tl.arange(0, BLOCK))
    tl.store(out + pid * 3, tl.sum(v, 0))
    tl.store(out + pid * 3 + 1, tl.max(v, 0))
    tl.store(out + pid * 3 + 2, tl.sum(tl.cumsum(v, 0), 0))


def test_reductions_and_scans_from_a_tape():
    x, out = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), torch.zeros(5, 3)
    _running[(5,)](x, out, BLOCK=8)
    torch.testing.assert_close(out, torch.stack([x.sum(1), x.amax(1), x.cumsum(1).sum(1)], 1))


@triton.jit
def _third(x, i):
    return tl.load(x + i)  # the line


@triton.jit
def _late(x, out):
    pid = tl.program_id(0)
    y = pid + 0
    tl.store(out + pid, _third(x, y))


def test_an_error_in_a_later_program_names_its_line():
    with pytest.raises(OutOfBounds) as caught:
        _late[(8,)](torch.zeros(5), torch.zeros(8))
    assert (caught.value.program, caught.value.offset) == ((5, 0, 0), 5)
    assert "# the line" in Path(__file__).read_text().splitlines()[caught.value.line - 1]


@triton.jit
def _pairs(x, out):
    pid = tl.program_id(0)
    pair = (tl.load(x + pid), pid)
    if pid > 1:
        pair = (pair[0] + 1, pair[1])
    swapped = (pair[1], pair[0])
    tl.store(out + pid, swapped[0] * 10 + swapped[1])


def test_tuples_from_a_tape():
    x, out = torch.arange(4, 8), torch.zeros(4, dtype=torch.int64)
    _pairs[(4,)](x, out)
    assert out.tolist() == [4, 15, 27, 38]
