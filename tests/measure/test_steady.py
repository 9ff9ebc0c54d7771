"""The energy of a side: calls without a pause, for as long as a sensor needs, and each timed case has its own."""

from __future__ import annotations

from typing import Any

import pytest

from geak_evaluator.measure import steady
from geak_evaluator.measure.energy import Counted, NoSensor
from geak_evaluator.measure.metal.simulated import World
from geak_evaluator.measure.rules import Unmeasured
from geak_evaluator.measuring import Measuring, Stopwatch, wanted
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.schema.measuring import Block, Timed
from geak_evaluator.schema.timing import State
from geak_evaluator.schema.verdict import Policy
from tests.measure import scene
from tests.measure.sides import Near


class Board:
    """A device whose calls take 1 ms and 0.4 J each, and a counter of its joules with its own clock."""

    source, period_s, step = "a counter", 0.1, 1e-3
    rotations = pools = steps = 1

    def __init__(self, breaks_after: int = 10**9) -> None:
        self.calls, self._breaks_after = 0, breaks_after
        self.asked: list[Block] = []

    def joules(self) -> float:
        return 1e6 + 0.4 * self.calls

    def block(self, asked: Block) -> tuple[Timed, float]:
        self.asked.append(asked)
        self.calls += len(asked.order)
        if self.calls > self._breaks_after:
            raise Unmeasured(State.FAILED, "on the device: it did not finish in the time it has")
        return Timed(), 1e-3 * len(asked.order)

    def check(self, asked: Block) -> str:
        return ""

    def unseen(self, *, graph: bool = False) -> float | None:
        return None

    def clock(self) -> float:
        return 1e-3 * self.calls


def test_calls_go_on_as_long_as_the_sensor_needs() -> None:
    board = Board()
    assert steady.joules(board, 1000.0, Counted(board, board.clock)) == pytest.approx(0.4)
    assert 2200 <= board.calls <= 2300  # twice the period over a tenth, and a little for its steps
    assert all(one.steady and not one.timed for one in board.asked)
    board = Board()
    board.period_s = 0.5
    assert steady.joules(board, 1000.0, Counted(board, board.clock)) == pytest.approx(0.4)
    assert 11_000 <= board.calls <= 11_100


def test_a_plan_that_was_timed_as_a_graph_is_one_here_too() -> None:
    board = Board()
    steady.joules(board, 10.0, Counted(board, board.clock), graph=True)
    assert all(one.graph for one in board.asked)


def test_a_device_that_breaks_meanwhile_gives_no_figure_and_the_sensor_is_let_go() -> None:
    board, stopped = Board(breaks_after=300), []

    class Kept(Counted):
        def stop(self, calls: int) -> dict[str, float]:
            stopped.append(calls)
            return super().stop(calls)

    with pytest.raises(steady.Unknown, match="it did not finish in the time it has"):
        steady.joules(board, 1000.0, Kept(board, board.clock))
    assert stopped == [300]


def test_a_simulated_device_tells_what_it_draws() -> None:
    side = Near(World(noise=0.0, wander=0.0), "work", 1000.0, watts=300.0)
    told = steady.joules(side, 1000.0, None)
    assert told == pytest.approx(300.0 * 0.7e-3, rel=0.05)  # on warm caches
    assert steady.joules(Near(World(), "work", 1000.0), 1000.0, None) is None


TWO = scene.SPEC.replace('bench=[{"M": 64, "N": 256}]', 'bench=[{"M": 64, "N": 256}, {"M": 3, "N": 256}]')


def measured(box: Sandbox, sensor: Any, **settings: Any) -> Measuring:
    """A kernel's bench cases, with all that is said of them."""
    device = scene.lent(box, **settings)
    judge = scene.measuring_judge(box)
    with judge.oracle(scene.file(TWO)) as oracle:
        candidate = judge.candidate(oracle, scene.KERNEL.encode(), "gfx942", Policy.PURE)
        measuring = Measuring(Stopwatch(device, scene.QUICK, sensor=sensor), oracle, candidate, None)
        measuring.found = measuring.timings(wanted(oracle.about.spec, (), "gfx942"))  # type: ignore[attr-defined]
    return measuring


def test_each_timed_case_has_its_own_joules_and_its_baselines(box: Sandbox) -> None:
    found = measured(box, None, watts=500.0).found  # type: ignore[attr-defined]
    assert [str(one.case) for one in found] == ["M=64, N=256", "M=3, N=256"]
    for one in found:
        assert one.joules == pytest.approx(500.0 * 14e-6, rel=0.3)  # 20 us, less what caches save
        assert one.baseline_joules == pytest.approx(500.0 * 21e-6, rel=0.3)
        assert " mJ a call" in one.brief


def test_a_sensor_that_is_not_there_costs_no_time(box: Sandbox) -> None:
    def none() -> Counted:
        raise NoSensor("energy cannot be measured on a board: it has no sensor")

    measuring = measured(box, none)
    assert [(one.state, one.joules) for one in measuring.found] == [(State.MEASURED, None)] * 2  # type: ignore[attr-defined]
    assert "energy is not known at [M=3, N=256]: energy cannot be measured on a board: it has no sensor" in (
        measuring.remarks
    )
