"""One case of a plan, or of a reference, on a device: its memories, its values, and timed calls of it.

This is all of what runs while something is timed. It is our own code: of the candidate there is the plan, which is
data, and kernels, which run on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Protocol

import torch

from geak_evaluator.children import jit_only, steps
from geak_evaluator.children.replay import check
from geak_evaluator.children.tensors import Arena, dtype_of
from geak_evaluator.measure.metal import Event, Metal
from geak_evaluator.schema import plan
from geak_evaluator.schema.dtypes import resolve
from geak_evaluator.schema.measuring import GUARD, Block, Prepare, Timed
from geak_evaluator.schema.timing import Conditions

_SETTLE = 2
"""Untimed calls at the beginning of each block: whoever had the device before has left it by then."""


class Work(Protocol):
    """What is timed, in each of its places."""

    def run(self) -> None:
        """Asks the device for all of it, once; waits for nothing."""

    def outputs(self) -> list[torch.Tensor]:
        """What the last run left, in the order of the outputs that were asked for."""


class Place:
    """One set of addresses: inputs, and whatever the work writes."""

    def __init__(self, metal: Metal, asked: Prepare) -> None:
        self._metal, self._poison = metal, asked.poison
        self._raw: list[tuple[str, torch.Tensor]] = []
        given = (*asked.slots, *asked.destination)
        self.given = [(slot, self._new(slot.path, slot.bytes)) for slot in given]
        self._storages = dict(enumerate(memory for _, memory in self.given))
        self._own: list[torch.Tensor] = [memory for _, memory in self.given[len(asked.slots) :]]
        self._bound: dict[int, torch.Tensor] = {}
        self._operated: dict[int, int] = {}
        for step in asked.plan.steps if asked.plan else ():
            if isinstance(step, plan.Allocate):
                self._storages[step.storage] = self._new(f"memory {step.storage} of its wrapper", step.bytes)
                self._own.append(self._storages[step.storage])

    def _new(self, name: str, count: int) -> torch.Tensor:
        raw = self._metal.allocate(count + 2 * GUARD)
        raw.fill_(self._poison)
        self._raw.append((name, raw))
        return raw[GUARD : GUARD + count]

    def poison(self) -> None:
        """What the work allocates holds nothing that can be relied upon."""
        self._bound.clear()
        for memory in self._own:
            memory.fill_(self._poison)

    def bound(self) -> dict[int, torch.Tensor]:
        """Which memories the values of library operations have taken the place of."""
        return dict(self._bound)

    def bind(self, bound: dict[int, torch.Tensor]) -> None:
        """Takes them for these: a graph writes where it was recorded, and is not asked again."""
        self._bound = dict(bound)

    def spilled(self) -> str:
        """The memory beside which something was written, if any."""
        for name, raw in self._raw:
            beside = torch.cat((raw[:GUARD], raw[-GUARD:]))
            if bool((beside != self._poison).any()):
                return name
        return ""

    def input(self, number: int) -> torch.Tensor:
        """An input as the tensor that a caller hands over."""
        slot, _ = self.given[number]
        return self.tensor(plan.View(number, slot.format, 0, slot.shape, slot.strides))

    def tensor(self, view: plan.View) -> torch.Tensor:
        """A view as a tensor; one that reaches past its storage is refused."""
        dtype = dtype_of(view.format)
        memory = self._bound.get(view.storage, self._storages[view.storage])
        if 0 in view.shape:
            return torch.empty_strided(view.shape, view.strides, dtype=dtype, device=memory.device)
        last = sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
        if (view.offset + last + 1) * dtype.itemsize > memory.numel():
            raise ValueError(f"a view reaches past the end of storage {view.storage}")
        start = memory.storage_offset() // dtype.itemsize + view.offset
        return torch.empty(0, dtype=dtype, device=memory.device).set_(
            memory.untyped_storage(), start, view.shape, view.strides
        )

    def take(self, view: plan.View, value: torch.Tensor) -> None:
        """The value itself takes the place of a memory that it fills; else it is copied there."""
        memory = self._storages[view.storage]
        whole = (tuple(value.shape), value.stride(), view.offset) == (view.shape, view.strides, 0)
        flat = value.untyped_storage()
        if (
            whole
            and value.dtype == dtype_of(view.format)
            and value.storage_offset() == 0 == flat.nbytes() - memory.numel()
        ):
            self._bound[view.storage] = torch.empty(0, dtype=torch.uint8, device=memory.device).set_(flat)
        else:
            self.tensor(view).copy_(value)


class PlanWork:
    """A plan's steps in one place."""

    def __init__(self, metal: Metal, place: Place, asked: Prepare, kernels: jit_only.Kernels) -> None:
        assert asked.plan is not None
        self._metal, self._place, self._plan = metal, place, asked.plan
        # All is looked up here: what Python does between the two events is taken for the kernel's own time.
        self._steps = [(_about(step), run) for step, run in steps.all_ready(asked.plan, place, kernels)]
        self._slots = [slot for slot in asked.outputs if not slot.path.startswith("changed.")]

    def run(self) -> None:
        """All steps, in order."""
        for about, run in self._steps:
            if about is not None:
                self._metal.step(*about)
            run()

    def outputs(self) -> list[torch.Tensor]:
        """Where the plan says that its outputs lie."""
        found = []
        for output, slot in zip(self._plan.outputs, self._slots, strict=True):
            check(output, slot)
            found.append(self._place.tensor(output.view))
        return found


def _about(step: plan.Step) -> tuple[str, int] | None:
    """What a device is told of a step that is no launch."""
    if isinstance(step, plan.Library):
        return step.operation, 0
    if isinstance(step, plan.Fill):
        return "fill", _bytes(step.view)
    return ("copy", _bytes(step.target)) if isinstance(step, plan.Copy) else None


def _bytes(view: plan.View) -> int:
    return prod(view.shape) * resolve(view.format).bytes


Make = Callable[[Place, Prepare], Work]


class Runner:
    """A case made ready, and timed."""

    def __init__(self, metal: Metal, asked: Prepare, make: Make) -> None:
        self._metal, self._asked = metal, asked
        self._pools: dict[int, list[torch.Tensor]] = {}
        self.places: list[Place] = []
        self._works: list[Work] = []
        self._graphs: dict[int, Callable[[], None]] = {}
        for _ in range(max(asked.rotations, 1)):
            try:
                place = Place(metal, asked)
            except MemoryError:
                break
            self.places.append(place)
            self._works.append(make(place, asked))

    def draw(self, pool: int, given: Arena) -> None:
        """Takes the values in the first memory as those of a pool, onto the device."""
        kept = self._pools.get(pool)
        if kept is None:
            kept = self._pools[pool] = [self._metal.allocate(slot.bytes) for slot in self._asked.slots]
        for slot, memory in zip(self._asked.slots, kept, strict=True):
            if slot.bytes:
                memory[: slot.bytes].copy_(given.bytes_of(slot))

    def block(self, asked: Block, given: Arena, got: Arena) -> Timed:
        """Calls in the order that the judge drew; what the sampled one computed is put into the memories."""
        metal = self._metal
        with metal.launching():
            runs = self._runs(asked)
            if asked.steady:
                return self._steady(asked, runs)
            if not asked.timed:
                return self._prove(asked, runs, given, got)
            metal.synchronize()
            before, began = metal.reading(), metal.seconds()
            for rotation, pool in () if asked.unseen else asked.order[:_SETTLE]:
                self._ready(rotation, pool)
                runs[rotation]()
            metal.synchronize()
            probes = self._probes(asked.probes)
            cold: list[tuple[Event, Event]] = []
            warm: list[tuple[Event, Event]] = []
            kept: list[torch.Tensor] = []
            for number, (rotation, pool) in enumerate(asked.order):
                self._ready(rotation, pool)
                metal.flush()
                cold.append(self._between(runs[rotation]))
                if number == asked.sampled:  # by the device, in its order: before anything else can happen to them
                    kept = [value.clone() for value in self._left(rotation)]
                if asked.warm:
                    warm.append(self._between(runs[rotation]))
            metal.synchronize()
            probes += self._probes(asked.probes)
            after, seconds = metal.reading(), metal.seconds() - began
            spilled = "" if asked.empty else next(filter(None, (place.spilled() for place in self.places)), "")
            if kept:
                self._hand_over(kept, given, got)
        return Timed(
            cold=tuple(metal.elapsed(*pair) for pair in cold),
            warm=tuple(metal.elapsed(*pair) for pair in warm),
            probes=tuple(probes),
            seconds=seconds,
            conditions=_both(before, after),
            spilled=spilled,
        )

    def _prove(self, asked: Block, runs: Sequence[Callable[[], None]], given: Arena, got: Arena) -> Timed:
        began = self._metal.seconds()
        for rotation, pool in asked.order:
            self._ready(rotation, pool)
            runs[rotation]()
        rotation = asked.order[-1][0]
        kept = [value.clone() for value in self._left(rotation)] if asked.sampled >= 0 else []
        self._metal.synchronize()
        seconds = self._metal.seconds() - began
        if kept:
            self._hand_over(kept, given, got)
        return Timed(seconds=seconds, spilled="" if asked.empty else self.places[rotation].spilled())

    def _steady(self, asked: Block, runs: Sequence[Callable[[], None]]) -> Timed:
        """Calls without a pause: what is cleared or copied between them would draw more than most kernels do."""
        metal, (rotation, pool) = self._metal, asked.order[0]
        self._ready(rotation, pool)
        metal.synchronize()
        began = metal.seconds()
        observed: dict[str, float] = {}
        for observer in metal.observers:
            observer.start()
        for _ in asked.order:
            runs[rotation]()
        metal.synchronize()
        for observer in metal.observers:
            observed |= observer.stop(len(asked.order))
        return Timed(seconds=metal.seconds() - began, observed=observed)

    def _runs(self, asked: Block) -> list[Callable[[], None]]:
        if asked.empty:
            return [lambda: None for _ in self._works]
        if not asked.graph:
            return [work.run for work in self._works]
        for number, work in enumerate(self._works):
            if number not in self._graphs:
                self._ready(number, min(self._pools))
                work.run()  # whatever has to be compiled is compiled now
                self._metal.synchronize()
                self._ready(number, min(self._pools))  # nothing is recorded on memory of the run before
                self._graphs[number] = self._recorded(number, work)
        return [self._graphs[number] for number in range(len(self._works))]

    def _recorded(self, number: int, work: Work) -> Callable[[], None]:
        replay = self._metal.record(work.run)
        place = self.places[number]
        bound = place.bound()

        def again() -> None:
            replay()
            place.bind({**bound, **place.bound()})

        return again

    def _ready(self, rotation: int, pool: int) -> None:
        """The values of a pool at these addresses, and nothing where outputs will be."""
        place = self.places[rotation]
        for (slot, memory), values in zip(place.given, self._pools[pool], strict=False):
            if slot.bytes:
                memory.copy_(values[: slot.bytes])
        place.poison()

    def _between(self, run: Callable[[], None]) -> tuple[Event, Event]:
        first, last = self._metal.event(), self._metal.event()
        first.record()
        run()
        last.record()
        return first, last

    def _probes(self, count: int) -> list[float]:
        pairs = [self._between(self._metal.probe) for _ in range(count)]
        self._metal.synchronize()
        return [self._metal.elapsed(*pair) for pair in pairs]

    def _left(self, rotation: int) -> list[torch.Tensor]:
        """Inputs, for some may not change and some must, then outputs."""
        place = self.places[rotation]
        count = len(self._asked.slots)
        return [memory for _, memory in place.given[:count]] + self._works[rotation].outputs()

    def _hand_over(self, kept: list[torch.Tensor], given: Arena, got: Arena) -> None:
        slots = self._asked.slots
        for slot, memory in zip(slots, kept, strict=False):
            if slot.bytes:
                given.bytes_of(slot).copy_(memory[: slot.bytes])
        outputs = [slot for slot in self._asked.outputs if not slot.path.startswith("changed.")]
        for slot, value in zip(outputs, kept[len(slots) :], strict=False):
            got.tensor(slot).copy_(value)


def _both(before: Conditions, after: Conditions) -> Conditions:
    degrees = [value for value in (before.celsius, after.celsius) if value is not None]
    return Conditions(
        first_mhz=before.first_mhz,
        last_mhz=after.last_mhz,
        memory_mhz=after.memory_mhz,
        watts=after.watts,
        celsius=max(degrees, default=None),
    )


def needed(asked: Prepare) -> int:
    """Bytes that one place and its values take."""
    given = sum(slot.bytes + 2 * GUARD for slot in (*asked.slots, *asked.destination))
    own = (
        sum(step.bytes + 2 * GUARD for step in asked.plan.steps if isinstance(step, plan.Allocate)) if asked.plan else 0
    )
    return given + own + asked.pools * sum(slot.bytes for slot in asked.slots)
