"""Between two events there is Triton's launch and no lookup of ours: what Python does there counts as the kernel's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from triton.runtime.jit import JITFunction
from triton.tools.tensor_descriptor import TensorDescriptor

from geak_evaluator.children import jit_only, steps
from geak_evaluator.children.fingerprints import fingerprint
from geak_evaluator.measure import replaying
from geak_evaluator.measure.metal.runner import Place, PlanWork
from geak_evaluator.measure.metal.simulated import World
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.measuring import Prepare
from geak_evaluator.schema.plan import Allocate, Argument, Copy, Fill, Launch, Library, Output, Plan, Step, View
from tests.measure.sides import Bare

SOURCE = b"""import triton
import triton.language as tl

@triton.jit
def _double(value):
    return value * 2

@triton.jit
def _twice(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, _double(tl.load(x + at, mask=at < n)), mask=at < n)
"""
X, Y, Z = (View(number, "fp32", 0, (8, 16), (16, 1)) for number in range(3))
SLOT = Slot("x", "fp32", (8, 16), (16, 1), 0)
Launched = list[tuple[Any, ...]]


@pytest.fixture
def kernels(tmp_path: Path) -> jit_only.Kernels:
    return jit_only.take(SOURCE, "kernel", tmp_path, "", "hip")


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Launched:
    """What Triton is asked for, and nothing is launched."""
    asked: Launched = []
    monkeypatch.setattr(JITFunction, "run", lambda self, *args, **options: asked.append(args))
    return asked


def launch(kernels: jit_only.Kernels, *first: Argument) -> Launch:
    numbers = (Argument("number", number=128), Argument("number", number=64))
    text = fingerprint(kernels.find("_twice"))
    return Launch("_twice", "", (2, 1, 1), (*first, *numbers), {"num_warps": 4}, text)


def placed(*steps: Step, out: View = Y) -> tuple[Bare, Place, Prepare]:
    metal = Bare(world=World())
    asked = Prepare((SLOT,), (SLOT,), plan=Plan(steps, (Output("out", out),)))
    return metal, Place(metal, asked), asked


def everything(kernels: jit_only.Kernels) -> tuple[Step, ...]:
    block = Argument("descriptor", X, block=(4, 16))
    items = Argument("tuple", items=(Argument("tensor", X), Argument("function", text="_double")))
    launches = launch(kernels, block, Argument("tensor", Y)), launch(kernels, items, Argument("tensor", Y))
    return Allocate(1, 512), Fill(Y, 1.0), *launches, Copy(X, Y)


def nothing_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_up(*args: object) -> None:
        raise AssertionError("it was looked up while the clock was running")

    for owner, name in ((jit_only.Kernels, "find"), (Place, "tensor"), (TensorDescriptor, "__post_init__")):
        monkeypatch.setattr(owner, name, looked_up)
    monkeypatch.setattr(steps, "fingerprint", looked_up)


def test_a_plan_is_looked_up_once_for_a_place(
    kernels: jit_only.Kernels, launched: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    metal, place, asked = placed(*everything(kernels))
    work = PlanWork(metal, place, asked, kernels)
    place.input(0).fill_(3.0)
    nothing_is_looked_up(monkeypatch)
    work.run()
    work.run()
    assert len(launched) == 4
    assert all(a is b for a, b in zip(launched[0], launched[2], strict=True))
    assert isinstance(launched[0][0], TensorDescriptor)
    monkeypatch.undo()
    assert place.tensor(Y).eq(3.0).all()


def test_so_is_one_that_is_replayed_under_a_profiler(
    kernels: jit_only.Kernels, launched: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, place, asked = placed(*everything(kernels))
    assert asked.plan is not None
    once = replaying._carrying_out(asked.plan, place, kernels)
    nothing_is_looked_up(monkeypatch)
    once()
    scopes: list[str] = []

    def scope(name: str) -> nullcontext[None]:
        scopes.append(name)
        return nullcontext()

    once(scope)
    assert len(launched) == 4
    assert scopes == [f"{replaying.SCOPE}0", f"{replaying.SCOPE}1"]


def test_what_an_operations_value_takes_the_place_of_is_looked_up_at_each_call(
    kernels: jit_only.Kernels, launched: Launched
) -> None:
    """Its memory is another each time; before the operation it is the plan's own."""
    negated = Library("aten.neg.default", (Argument("tensor", X),), {}, (Y,))
    tupled = Argument("tuple", items=(Argument("tensor", Y),))
    metal, place, asked = placed(
        Allocate(1, 512),
        Allocate(2, 512),
        Fill(Y, 5.0),
        Copy(Y, Z),
        negated,
        launch(kernels, tupled, Argument("tensor", Z)),
        out=Y,
    )
    work = PlanWork(metal, place, asked, kernels)
    for value in (2.0, 3.0):
        place.input(0).fill_(value)
        place.poison()
        work.run()
        assert place.tensor(Z).eq(5.0).all()
        (read,), written = launched[-1][:2]
        assert read.eq(-value).all()
        assert work.outputs()[0].eq(-value).all()
    assert launched[0][1] is written  # which stays where it is


def test_a_kernels_names_are_checked_once(kernels: jit_only.Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse: Callable[[JITFunction[Any]], Any] = JITFunction.parse

    def counted(self: JITFunction[Any]) -> Any:
        parsed.append(self.__name__)
        return parse(self)

    monkeypatch.setattr(JITFunction, "parse", counted)
    assert kernels.find("_twice") is kernels.find("_twice")
    assert parsed == ["_twice", "_double"]


def test_a_view_beyond_its_storage_is_refused_before_anything_runs(kernels: jit_only.Kernels) -> None:
    metal, place, asked = placed(Allocate(1, 256), Fill(Y, 1.0), out=X)
    with pytest.raises(ValueError, match="reaches past the end of storage 1"):
        PlanWork(metal, place, asked, kernels)
    assert torch.isnan(place.tensor(View(1, "fp32", 0, (64,), (1,)))).all()
