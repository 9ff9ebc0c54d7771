"""The model: what bounds a launch, the interval, the speed of light, and when two estimates differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from geak_evaluator.estimate.devices import DEVICES
from geak_evaluator.estimate.model import estimate, launch, total
from geak_evaluator.schema import codec
from geak_evaluator.schema.estimate import APART, Estimate, Traffic, Work, surely_faster
from geak_evaluator.schema.plan import Allocate, Argument, Copy, Fill, Launch, Library, Plan, View
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.target import TARGETS

CASE = Case({"N": 1})
GIB = 1 << 30


def moved(count: float) -> Traffic:
    return Traffic(count, count / 32, count / 128, count, count)


def work(**changed: object) -> Work:
    return replace(Work("k", (1024, 1, 1), 16, moved(GIB), moved(GIB), turns=1, longest=1), **changed)  # type: ignore[arg-type]


def test_every_target_is_described() -> None:
    assert DEVICES.keys() == TARGETS.keys()
    for name, device in DEVICES.items():
        assert device.source, name
        assert {"fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8"} <= device.matrix.keys(), name


@pytest.mark.parametrize("target", TARGETS)
def test_a_large_copy_is_bound_by_memory_and_never_faster_than_its_bytes(target: str) -> None:
    part = launch(target, work(), None)
    assert part.bound == "memory"
    assert part.sol == pytest.approx(2 * GIB / (DEVICES[target].memory * 1e3))
    assert part.sol < part.us < 2 * part.sol


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"read": moved(64), "written": moved(64), "grid": (1, 1, 1)},
        {"dots": {"fp16": 1e15}},
        {"vector": 1e13},
        {"turns": 1e6, "longest": 1e6},
        {"atomics": 1e9},
    ],
)
def test_the_interval_holds_the_point_and_nothing_is_faster_than_light(target: str, changed: dict[str, object]) -> None:
    made = total(target, CASE, [launch(target, work(**changed), None)] * 3)
    assert 0 < made.sol <= made.low <= made.us <= made.high


def test_each_bound_can_be_what_binds() -> None:
    asked = {
        "memory": work(),
        "matrix": work(dots={"fp16": 1e14}),
        "vector": work(vector=1e12),
        "latency": work(turns=1e5, longest=1e5),
        "atomics": work(atomics=1e9),
        "cache": work(read=replace(moved(GIB), own=64 * GIB, sectors=2 * GIB)),
    }
    assert {name: launch("sm_80", one, None).bound for name, one in asked.items()} == {name: name for name in asked}


def test_a_product_in_a_narrower_format_is_faster() -> None:
    times = [launch("gfx942", work(dots={name: 1e15}), None).us for name in ("fp32", "tf32", "fp16", "fp8")]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 4


def test_every_step_of_a_plan_takes_its_time() -> None:
    view = View(0, "fp32", 0, (1 << 20,), (1,))
    square = View(0, "fp16", 0, (512, 512), (512, 1))
    matrix = Argument("tensor", view=square)
    steps = (
        Allocate(0, 1 << 22),
        Fill(view, 0),
        Copy(view, view),
        Launch("k", "kernel", (1024, 1, 1), (), {}),
        Library("aten.mm.default", (matrix, matrix), {}, (square,)),
    )
    made = estimate("sm_90", CASE, Plan(steps), [work()], ())
    assert [part.step for part in made.parts] == ["fill", "copy", "k", "aten.mm.default"]
    assert made.parts[3].work is not None
    assert made.parts[3].work.dots == {"fp16": 2 * 512**3}
    alone = estimate("sm_90", CASE, Plan(steps[3:4]), [work()], ())
    assert made.us > alone.us
    assert codec.from_json(Estimate, codec.loads(codec.dumps(made))) == made


def test_a_launch_that_could_not_be_counted_leaves_no_estimate() -> None:
    steps = (Launch("k", "kernel", (1, 1, 1), (), {}),)
    made = estimate("sm_90", CASE, Plan(steps), [Work("k", trouble="it has no end")], ())
    assert made.trouble == "kernel k: it has no end"
    assert made.brief == "sm_90: no estimate: kernel k: it has no end"
    assert estimate("sm_90", CASE, Plan(()), (), ()).trouble


def test_an_estimate_is_called_one() -> None:
    assert total("sm_90", CASE, [launch("sm_90", work(), None)]).brief.startswith("sm_90 estimated ")


def test_only_what_lies_far_apart_is_told_apart() -> None:
    slow = total("sm_90", CASE, [launch("sm_90", work(), None)])
    fast = replace(slow, us=slow.us / (APART * 1.01))
    near = replace(slow, us=slow.us / (APART * 0.99))
    assert surely_faster(fast, slow)
    assert not any([surely_faster(slow, fast), surely_faster(near, slow), surely_faster(slow, near)])
    assert not surely_faster(replace(fast, bound="latency"), slow), "another thing binds it"
    assert surely_faster(replace(fast, bound="latency", us=slow.us / 1.5), slow)
    assert not surely_faster(replace(fast, target="sm_80"), slow), "another device"
    assert not surely_faster(replace(fast, case=Case({"N": 2})), slow), "another case"
    assert not surely_faster(replace(fast, trouble="none"), slow)
