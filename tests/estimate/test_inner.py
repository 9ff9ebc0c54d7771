"""A launch by its inner loop: turns, rounds and what holds a unit up, on numbers that can be followed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from geak_evaluator.estimate.devices import DEVICES, Reached
from geak_evaluator.estimate.inner import inner
from geak_evaluator.estimate.model import launch, total
from geak_evaluator.schema.estimate import Estimate, Inner, Traffic, Work, surely_faster
from geak_evaluator.schema.machine_code import Counts, Figures, Loop
from geak_evaluator.schema.spec import Case

DEVICE = DEVICES["gfx942"]
BARE = Reached(begin=0.0, blend=8.0)
LOOP = Loop(
    counts=Counts(matrix_instructions={"v_mfma_f32_32x32x8_f16": 32}),
    vector=10,
    special=0,
    scalar=4,
    waits=2,
    operations=32 * 16384,
    area=1024,
    span=1500.0,
    busy={"issue": 200.0, "vector": 40.0, "matrix": 1024.0, "shared": 100.0, "memory": 150.0},
)
CODE = Figures(
    target="gfx942",
    kernel="k",
    num_warps=4,
    num_stages=2,
    shared_bytes=0,
    scratch_bytes=0,
    occupancy=2,
    occupancy_limit=8,
    limited_by=("registers",),
    code_bytes=1,
    counts=LOOP.counts,
    products=1,
    loops=(LOOP,),
)
TILE = 128 * 128
WORK = Work("k", (DEVICE.units, 1, 1), 8, dots={"fp16": 2.0 * TILE * 64 * 56 * DEVICE.units}, products=56, tile=TILE)


def played(work: Work = WORK, code: Figures | None = CODE, held: float = 2.0, others: float = 0.0) -> Inner | None:
    return inner(DEVICE, work, code, held, others, BARE)


def us(cycles: float) -> float:
    return cycles / (1e3 * DEVICE.clock)


def test_one_program_on_each_unit_waits_as_one_wave_does() -> None:
    found = played()
    assert found is not None
    assert (found.turns, found.cycles, found.alone, found.held_by) == (56, 1500, 1500, "waits")
    assert found.us == pytest.approx(us(56 * 1500))


def test_two_at_once_hide_each_other_s_waits_until_a_unit_is_busy() -> None:
    found = played(replace(WORK, grid=(2 * DEVICE.units, 1, 1), dots={"fp16": 2 * WORK.dots["fp16"]}))
    assert found is not None
    assert (found.cycles, found.held_by) == (2 * 1024, "matrix"), "two waves on each SIMD"
    assert found.us == pytest.approx(us(56 * 2 * 1024))


def test_what_does_not_fit_comes_in_another_round() -> None:
    three = replace(WORK, grid=(3 * DEVICE.units, 1, 1), dots={"fp16": 3 * WORK.dots["fp16"]})
    found = played(three)
    assert found is not None
    assert found.us == pytest.approx(us(56 * (2 * 1024 + 1500)))
    begun = inner(DEVICE, three, CODE, 2.0, 0.0, replace(BARE, begin=1.0))
    assert begun is not None
    assert begun.us == pytest.approx(found.us + 2)


def test_memory_binds_where_it_asks_for_more() -> None:
    found = played(others=1000.0)
    assert found is not None
    assert found.us == pytest.approx(1000.0, rel=0.01)


def test_a_turn_does_no_more_products_than_stand_in_the_text() -> None:
    twice = replace(LOOP, operations=2 * LOOP.operations)
    assert played(code=replace(CODE, loops=(twice,))).turns == 56  # type: ignore[union-attr]
    assert played(code=replace(CODE, loops=(twice,), products=2)).turns == 28  # type: ignore[union-attr]
    small = replace(WORK, tile=1024, dots={"fp16": WORK.dots["fp16"] / 16})
    alike = replace(CODE, products=0, loops=(replace(LOOP, operations=LOOP.operations // 4),))
    assert played(small, alike).turns == 56, "all four warps do the same tile"  # type: ignore[union-attr]


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert played(code=None) is None
    assert played(code=replace(CODE, loops=())) is None
    assert played(code=replace(CODE, loops=(replace(LOOP, operations=0),))) is None
    assert played(replace(WORK, products=0.0)) is None


def test_tiles_and_stages_differ_by_their_loops_and_decide_nothing() -> None:
    read = Traffic(1e6, 1e6 / 32, 1e6 / 128, 1e6, 1e6)
    slow = replace(CODE, loops=(replace(LOOP, span=9000.0),))
    made: list[Estimate] = [
        total("gfx942", Case({"N": 1}), [launch("gfx942", replace(WORK, read=read), code)]) for code in (CODE, slow)
    ]
    assert made[0].us == made[1].us, "the estimate itself is what was calibrated"
    inners = [one.parts[0].inner for one in made]
    assert inners[0] is not None
    assert inners[1] is not None
    assert inners[1].us > 3 * inners[0].us
    assert not surely_faster(*made)
    assert "not validated by measurement" in made[0].brief
    assert made[0].brief != made[1].brief
