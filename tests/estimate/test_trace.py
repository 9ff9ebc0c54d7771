"""What is counted, against counting by hand."""

from __future__ import annotations

import pytest
import torch
from estimating import chase, copy, count, exponential, forever, matmul, row_sum, strided_copy, watched

from geak_evaluator import device
from geak_evaluator.estimate.trace import TooLong

FLOAT = 4


def test_a_copy_moves_each_byte_once() -> None:
    x, y = torch.zeros(8192), torch.zeros(8192)
    work = watched(lambda: copy[(8,)](x, y, 8192, BLOCK=1024))
    assert (work.programs, work.traced) == (8, 8)
    for traffic in (work.read, work.written):
        assert traffic.asked == traffic.own == traffic.unique == 8192 * FLOAT
        assert traffic.sectors == 8192 * FLOAT / 32
        assert traffic.lines == 8192 * FLOAT / 128
        assert traffic.coalescing == traffic.reuse == 1
    assert (work.lanes, work.masked, work.turns) == (2 * 8192, 0, 1)
    assert not work.dots
    assert work.vector == work.special == work.atomics == 0


def test_lanes_that_a_mask_switches_off_move_nothing() -> None:
    x, y = torch.zeros(8192), torch.zeros(8192)
    work = watched(lambda: copy[(8,)](x, y, 7424, BLOCK=1024))
    assert (work.lanes, work.masked) == (2 * 8192, 2 * 768)
    assert work.read.asked == work.read.unique == 7424 * FLOAT


@pytest.mark.parametrize("step", [1, 2, 4, 8])
def test_a_strided_copy_moves_whole_sectors(step: int) -> None:
    x, y = torch.zeros(4096 * step), torch.zeros(4096)
    work = watched(lambda: strided_copy[(4,)](x, y, STEP=step, BLOCK=1024))
    assert work.read.asked == 4096 * FLOAT
    assert work.read.unique == 32 * work.read.sectors == 4096 * FLOAT * step
    assert work.read.coalescing == 1 / step
    assert work.written.coalescing == 1


def test_a_row_sum_reads_once_adds_once_and_waits_once_a_turn() -> None:
    x, y = torch.zeros(6, 4096), torch.zeros(6)
    work = watched(lambda: row_sum[(6,)](x, y, 4096, BLOCK=1024))
    assert work.read.asked == work.read.unique == 6 * 4096 * FLOAT
    assert work.written.asked == 6 * FLOAT
    assert work.written.own == 6 * 32, "each program touches a sector"
    assert work.written.unique == 32, "and it is the same one"
    assert work.vector == 6 * (4096 + 1024), "four additions of a block, then all of its elements"
    assert (work.turns, work.steps) == (4, 1)


def test_a_matmul_reads_each_operand_once_for_every_tile_beside_it() -> None:
    m, n, k, tile = 256, 384, 128, 64
    a, b, c = (torch.zeros(shape, dtype=torch.float16) for shape in ((m, k), (k, n), (m, n)))
    grid = (m // tile, n // tile)
    work = watched(lambda: matmul[grid](a, b, c, n, k, BM=tile, BN=tile, BK=32), most=24, enough=1 << 40)
    assert work.traced == work.programs == 24
    assert (work.products, work.tile) == (k // 32, tile * tile)
    assert work.dots == {"fp16": 2 * m * n * k}
    assert work.read.asked == 2 * (m * k * (n // tile) + k * n * (m // tile))
    assert work.read.unique == 2 * (m * k + k * n)
    assert work.read.own == work.read.asked
    assert work.read.reuse == work.read.asked / work.read.unique
    assert work.written.asked == work.written.unique == 2 * m * n
    assert (work.turns, work.steps) == (k // 32, k // 32)


def test_an_exponential_is_special_and_the_rest_is_not() -> None:
    x, y = torch.zeros(1024), torch.zeros(1024)
    work = watched(lambda: exponential[(4,)](x, y, BLOCK=256))
    assert (work.special, work.vector) == (1024, 2 * 1024)


def test_an_address_that_was_loaded_is_waited_for() -> None:
    table, x, y = torch.arange(1024).flip(0), torch.zeros(1024), torch.zeros(1024)
    work = watched(lambda: chase[(4,)](table, x, y, BLOCK=256))
    assert work.turns == 2
    assert work.read.asked == 1024 * (8 + FLOAT)


def test_atomics_are_lanes_and_touch_what_values_say() -> None:
    x, bins = torch.arange(1024, dtype=torch.int32) % 8, torch.zeros(8, dtype=torch.int32)
    work = watched(lambda: count[(4,)](x, bins, BLOCK=256))
    assert work.atomics == 1024
    assert work.written.unique == 32
    assert bins.tolist() == [128] * 8, "what steers later launches is carried out"


def test_a_few_programs_of_a_uniform_grid_tell_as_much_as_all() -> None:
    x, y = torch.zeros(64, 2048), torch.zeros(64)
    few, every = (watched(lambda: row_sum[(64,)](x, y, 2048, BLOCK=512), most, enough=1 << 40) for most in (16, 64))
    assert (few.traced, every.traced) == (16, 64)
    alike = ("read", "vector", "integer", "lanes", "masked", "turns", "steps", "longest")
    assert {name: getattr(few, name) for name in alike} == {name: getattr(every, name) for name in alike}
    assert few.written.asked == every.written.asked


def test_a_few_programs_of_a_matmul_tell_what_is_shared() -> None:
    m, tile = 256, 32
    a, b, c = (torch.zeros((m, m), dtype=torch.float16) for _ in range(3))
    few, every = (
        watched(lambda: matmul[(8, 8)](a, b, c, m, m, BM=tile, BN=tile, BK=256), most, enough=1 << 40)
        for most in (16, 64)
    )
    assert (few.traced, every.traced) == (16, 64)
    assert few.dots == every.dots
    assert few.read.asked == every.read.asked
    assert few.read.unique == pytest.approx(every.read.unique, rel=0.1)


def test_a_program_without_end_is_given_up() -> None:
    x, y = torch.zeros(1, dtype=torch.int32), torch.zeros(1, dtype=torch.int32)
    with pytest.raises(device.Unsupported, match=TooLong.__name__):
        watched(lambda: forever[(1,)](x, y), too_many=1_000_000)
