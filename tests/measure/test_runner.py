"""The runner on a device whose graphs are real ones: what was recorded is done again, and nobody is asked anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from geak_evaluator.children.tensors import Arena
from geak_evaluator.kernel_child import SPACE
from geak_evaluator.measure.lease import suspicion
from geak_evaluator.measure.lent import DeviceLost, Lent
from geak_evaluator.measure.metal import reference
from geak_evaluator.measure.metal.runner import PlanWork, Runner
from geak_evaluator.measure.metal.simulated import World
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.measuring import Block, Draw, Metal, Prepare
from geak_evaluator.schema.plan import Allocate, Argument, Fill, Library, Output, Plan, View
from geak_evaluator.schema.timing import State
from tests.measure import scene
from tests.measure.sides import Bare, Recording


class Graphs(Bare):
    """Work is recorded as a real graph does: the same operations on the same memories, over and over."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        with Recording() as recorded:
            work()
        return recorded.repeat


def test_a_librarys_result_is_found_after_a_graph_as_well() -> None:
    """What it returned lies where the recording put it, not where the plan would have it."""
    shape, strides = (4, 8), (8, 1)
    one, middle, last = (View(number, "fp32", 0, shape, strides) for number in range(3))
    plan = Plan(
        steps=(
            Allocate(1, 128),
            Fill(middle, 5.0),  # what is done before the operation is done to memory of this run
            Library("aten.neg.default", (Argument("tensor", one),), {}, (middle,)),
            Allocate(2, 128),
            Library("aten.neg.default", (Argument("tensor", middle),), {}, (last,)),
        ),
        outputs=(Output("out", last),),
    )
    slot = Slot("x", "fp32", shape, strides, 0)
    metal = Graphs(world=World())
    asked = Prepare((slot,), (Slot("out", "fp32", shape, strides, 0),), plan=plan, pools=2, rotations=2)
    with SharedMemory(SPACE) as given, SharedMemory(SPACE) as got:
        inside, outside = Arena(given.fd), Arena(got.fd)
        runner = Runner(metal, asked, lambda place, asked: PlanWork(metal, place, asked, kernels=None))  # type: ignore[arg-type]
        for pool in range(2):
            inside.tensor(slot).fill_(float(pool + 1))
            runner.draw(Draw(pool).pool, inside)
        for rotation, pool in ((0, 0), (0, 1), (1, 0), (1, 1), (0, 1)):
            runner.block(Block(((rotation, pool),), sampled=0, graph=True, probes=0), inside, outside)
            assert outside.tensor(asked.outputs[0]).tolist() == [[pool + 1.0] * 8] * 4


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules
def test_a_compiled_reference_starts_no_pool_of_processes() -> None:
    from torch._inductor import config
    from torch._inductor.async_compile import get_compile_threads

    with config.patch(compile_threads=8):
        assert reference.compiled(torch.neg, "eager") is torch.neg
        assert get_compile_threads() == 8
        reference.compiled(torch.neg, "max-autotune")
        assert get_compile_threads() == 1


def test_there_are_as_many_addresses_as_leave_room_for_the_values(box: Sandbox) -> None:
    """A second set of addresses would fit, and then the values would not."""
    (timing,) = scene.timings(box, memory=400 << 10)
    assert timing.state is State.MEASURED, timing.message


def test_a_device_that_is_suspect_is_tested_by_whoever_leases_it(
    box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEAK_LEASES", str(tmp_path / "leases"))
    one, other = (
        Lent(box, Metal("torch", "GPU-0000000000000001", uuid="GPU-0000000000000001"), Limits(60)) for _ in range(2)
    )
    with other.leased():
        pass
    one.doubt("it hung")
    with pytest.raises(DeviceLost, match=r"does not work: .*it hung"), other.leased():
        pass  # there is no such device, so that it cannot pass
    assert suspicion(one._named) == "it hung"
