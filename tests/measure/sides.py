"""Sides on a simulated device in this process: the real clock and the real runner, with work that is but a number."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from geak_evaluator.measure.clock import Clock
from geak_evaluator.measure.comparison import compare
from geak_evaluator.measure.metal import NoGraph as Unrecorded
from geak_evaluator.measure.metal.runner import Place, Runner
from geak_evaluator.measure.metal.simulated import SimulatedMetal, World
from geak_evaluator.measure.rules import Alone, NoGraph, Outcome, Rules, Unmeasured
from geak_evaluator.schema.measuring import Block, Prepare, Timed

QUICK = Rules(seconds=60, most_calls=5)


class Recording(TorchDispatchMode):
    """Operations as a graph records them: to be repeated on the same memories, over and over."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, found))
        return found

    def repeat(self) -> None:
        for func, args, kwargs, kept in self.calls:
            found = func(*args, **kwargs)
            if isinstance(found, torch.Tensor) and found.data_ptr() != kept.data_ptr() and found.numel():
                kept.copy_(found)


class Bare(SimulatedMetal):
    """A device without launches: nothing has to be put in Triton's way."""

    def launching(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


class Steps:
    """So many steps of one name."""

    def __init__(self, metal: SimulatedMetal, name: str, count: int) -> None:
        self._metal, self._name, self._count = metal, name, count

    def run(self) -> None:
        for _ in range(self._count):
            self._metal.step(self._name, 0)

    def outputs(self) -> list[torch.Tensor]:
        return []


class Near:
    """One side, by name; what it costs is among the costs of its device."""

    rotations = pools = 1

    def __init__(
        self,
        world: World,
        name: str,
        us: float,
        *,
        steps: int = 1,
        **behaviour: Any,
    ) -> None:
        self.metal = Bare(world=world, costs=f"{name}={us}", **behaviour)
        self.steps, self._name = steps, name
        self._runner = Runner(self.metal, Prepare(), self._make)
        nowhere: Any = None
        self._runner.draw(0, nowhere)

    def _make(self, place: Place, asked: Prepare) -> Steps:
        return Steps(self.metal, self._name, self.steps)

    def block(self, asked: Block) -> tuple[Timed, float]:
        nowhere: Any = None
        try:
            timed = self._runner.block(asked, nowhere, nowhere)
        except Unrecorded as error:
            raise NoGraph(str(error)) from None
        return timed, timed.seconds

    def check(self, asked: Block) -> str:
        return ""

    def unseen(self, *, graph: bool = False) -> float | None:
        return None


def measured(
    candidate_us: float = 80.0,
    baseline_us: float = 100.0,
    *,
    seed: int = 0,
    rules: Rules = QUICK,
    candidate: dict[str, Any] | None = None,
    steps: int = 1,
    **world: Any,
) -> Outcome:
    """A candidate beside a baseline on one simulated device, as a judge would time them."""
    shared = World(seed=seed, **world)
    clock = Clock(rules, random.Random(seed), now=lambda: shared.now / 1e6)
    base = Near(shared, "baseline", baseline_us, steps=steps)
    try:
        solo = clock.alone(base)
        side = Near(shared, "candidate", candidate_us, steps=steps, **(candidate or {}))
        every: list[Alone] = [clock.alone(side), solo]
        graph, every = clock.graphs([side, base], every)
        return compare(clock, side, base, every, graph=graph)
    except Unmeasured as error:
        return Outcome(error.state, str(error))
