from pathlib import Path

import pytest
import torch
import triton
import triton.language as tl

from geak_evaluator import device
from geak_evaluator.device import OutOfBounds
from geak_evaluator.device.programs import numbered

pytestmark = pytest.mark.usefixtures("quick")


@triton.jit
def _copy(source, goal, n, shift, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(goal + i, tl.load(source + i + shift, mask=i < n), mask=i < n)


def test_a_load_past_the_end():
    source, goal = torch.zeros(1000), torch.zeros(1024)
    with pytest.raises(
        OutOfBounds,
        match=r"kernel _copy.*load out of bounds.* at element \d+ of argument 'source', whose memory holds \d+",
    ) as caught:
        _copy[(4,)](source, goal, 1024, 0, BLOCK=256)
    error = caught.value
    assert (error.kernel, error.action, error.argument) == ("_copy", "load", "source")
    assert (error.program, error.offset, error.lanes) == ((3, 0, 0), 1000, 24)
    assert "tl.load(source" in Path(__file__).read_text().splitlines()[error.line - 1]


def test_a_load_before_the_start():
    source, goal = torch.zeros(1024), torch.zeros(1024)
    with pytest.raises(OutOfBounds) as caught:
        _copy[(4,)](source, goal, 1024, -3, BLOCK=256)
    assert (caught.value.offset, caught.value.lanes, caught.value.program) == (-3, 3, (0, 0, 0))


def test_a_store_past_the_end_changes_nothing():
    source, goal = torch.ones(1024), torch.zeros(100)
    with pytest.raises(OutOfBounds) as caught:
        _copy[(1,)](source, goal, 256, 0, BLOCK=256)
    assert (caught.value.action, caught.value.argument, caught.value.lanes) == ("store", "goal", 156)
    assert goal.sum() == 0


@pytest.mark.parametrize("whole", [True, False])
def test_a_tensor_without_memory_holds_nothing(whole):
    source, goal = torch.zeros(256, device="meta"), torch.zeros(256)
    given = source if whole else triton.reinterpret(source, tl.int32)
    with pytest.raises(OutOfBounds) as caught:
        _copy[(1,)](given, goal, 256, 0, BLOCK=256)
    assert (caught.value.action, caught.value.lanes) == ("load", 256)


def test_lanes_that_are_masked_off_may_point_anywhere():
    source, goal = torch.ones(10), torch.zeros(10)
    _copy[(1,)](source, goal, 10, 0, BLOCK=256)
    assert goal.sum() == 10


def test_a_view_reaches_its_whole_storage_but_no_more():
    base = torch.arange(100.0)
    goal = torch.zeros(64)
    _copy[(1,)](base[36:], goal, 64, -36, BLOCK=64)
    assert goal.tolist() == list(range(64))
    with pytest.raises(OutOfBounds) as caught:
        _copy[(1,)](base[36:], goal, 64, -37, BLOCK=64)
    assert caught.value.offset == -1


@triton.jit
def _wild(source, goal, offset):
    tl.store(goal, tl.load(source + offset))


@pytest.mark.parametrize("offset", [2**40, -(2**40), 2**61, -1])
def test_far_away(offset):
    source, goal = torch.zeros(4), torch.zeros(1)
    with pytest.raises(OutOfBounds):
        _wild[(1,)](source, goal, offset)


def test_an_empty_tensor_has_no_memory():
    with pytest.raises(OutOfBounds):
        _wild[(1,)](torch.zeros(0), torch.zeros(1), 0)


@triton.jit
def _count(goal, offset):
    tl.atomic_add(goal + offset, 1.0)


@triton.jit
def _swap(goal, offset):
    tl.atomic_cas(goal + offset, 0, 1)


@pytest.mark.parametrize(("kernel", "dtype"), [(_count, torch.float32), (_count, torch.bfloat16), (_swap, torch.int32)])
def test_atomics(kernel, dtype):
    goal = torch.zeros(4, dtype=dtype)
    with pytest.raises(OutOfBounds, match="atomic out of bounds"):
        kernel[(1,)](goal, 4)
    assert goal.sum() == 0


@triton.jit
def _half(source, goal):
    tl.store(goal, tl.load(source.to(tl.pointer_type(tl.int64)) + 1))


def test_a_lane_may_not_reach_half_outside():
    with pytest.raises(OutOfBounds):
        _half[(1,)](torch.zeros(3, dtype=torch.int32), torch.zeros(1, dtype=torch.int64))


@triton.jit
def _grouped(table, goal, N: tl.constexpr):
    i = tl.arange(0, N)
    source = tl.load(table + tl.program_id(0)).to(tl.pointer_type(tl.float32))
    tl.store(goal + tl.program_id(0) * N + i, tl.load(source + i))


def test_a_table_of_pointers_reaches_living_tensors():
    parts = [torch.full((8,), float(i)) for i in range(3)]
    table = torch.tensor([part.data_ptr() for part in parts])
    goal = torch.zeros(3, 8)
    _grouped[(3,)](table, goal, 8)
    assert goal[:, 0].tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(OutOfBounds):
        _grouped[(3,)](torch.zeros(3, dtype=torch.int64), goal, 8)


@triton.jit
def _everyone(goal, same, own):
    pid = tl.program_id(0)
    tl.store(goal, pid)
    tl.store(same, 7)
    tl.store(own + pid, pid)


def test_programs_that_store_different_values_at_one_place_are_noted():
    goal, same, own = (torch.zeros(4, dtype=torch.int32) for _ in range(3))
    seen = []
    with device.activate("gfx942", compile=False, on_launch=seen.append):
        _everyone[(3,)](goal, same, own)
        _everyone[(1,)](goal, same, own)
    first, second = seen
    assert [(c.argument, c.offset, c.lanes, c.programs) for c in first.conflicts] == [
        ("goal", 0, 1, (0, 1)),
        ("goal", 0, 1, (1, 2)),
    ]
    assert second.conflicts == []


@triton.jit
def _added(goal, flag, LOCK: tl.constexpr):
    if LOCK:
        while tl.atomic_cas(flag, 0, 1) == 1:
            pass
    tl.store(goal, tl.load(goal) + 1)
    if LOCK:
        tl.atomic_xchg(flag, 0)


def test_an_update_of_what_another_program_stored_is_told_apart_unless_it_waited():
    seen = []
    with device.activate("gfx942", compile=False, on_launch=seen.append):
        for lock in (False, True):
            goal, flag = (torch.zeros(1, dtype=torch.int32) for _ in range(2))
            _added[(3,)](goal, flag, LOCK=lock)
            assert goal.item() == 3
    free, locked = seen
    assert [(c.programs, c.update) for c in free.conflicts] == [((0, 1), True), ((1, 2), True)]
    assert [(c.programs, c.update) for c in locked.conflicts] == [((0, 1), False), ((1, 2), False)]


def test_programs_come_in_the_order_that_is_asked_for():
    assert numbered(5) == [0, 1, 2, 3, 4]
    assert numbered(5, 1) == [4, 3, 2, 1, 0]
    assert numbered(5, 1, 2) == [1, 0, 3, 2, 4]
    drawn = numbered(50, 7)
    assert sorted(drawn) == list(range(50)) != drawn
    assert drawn == numbered(50, 7)
    near = numbered(50, 7, 8)
    assert sorted(near) == list(range(50)) != near
    assert all(number // 8 == place // 8 for place, number in enumerate(near))
    assert numbered(0, 1) == numbered(0, 7, 8) == []


def test_a_survey_leaves_stray_lanes_out_notes_them_and_goes_on():
    memory = bytearray(16384)  # in which neither is where the other's lanes stray to
    source = torch.frombuffer(memory, dtype=torch.float32, count=100).fill_(1.0)
    goal = torch.frombuffer(memory, dtype=torch.float32, count=256, offset=8192).fill_(7.0)
    launches: list = []
    with device.activate("gfx942", on_launch=launches.append, compile=False, strict=False):
        _copy[(2,)](source, goal, 512, 0, BLOCK=256)
    assert goal.tolist() == [1.0] * 100 + [0.0] * 156
    found = [(stray.action, stray.argument, stray.program, stray.lanes) for stray in launches[0].strays]
    assert found == [
        ("load", "source", (0, 0, 0), 156),
        ("load", "source", (1, 0, 0), 256),
        ("store", "goal", (1, 0, 0), 256),
    ]
