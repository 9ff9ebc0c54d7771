"""The replay child: kernels and a plan, poisoned memory, inputs that the candidate never saw; no candidate's Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from geak_evaluator.children import jit_only, steps
from geak_evaluator.children.candidate import Mismatch, trouble
from geak_evaluator.children.tensors import Arena, dtype_of
from geak_evaluator.sandbox.channel import REFUSED, Channel
from geak_evaluator.sandbox.confine import FIRST_SHARED
from geak_evaluator.schema import codec, plan
from geak_evaluator.schema.dtypes import resolve
from geak_evaluator.schema.exchange import Replay, Replayed, Trouble
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.machine_code import Handed
from geak_evaluator.schema.target import find

if TYPE_CHECKING:
    from geak_evaluator.estimate.trace import Observer


def main(channel: Channel, job: dict[str, Any]) -> None:
    """The first request is the source; then plans to replay."""
    source = channel.receive()
    if source is None:
        return
    try:
        kernels = jit_only.take(source, "kernel", Path.cwd(), job["project"], find(job["target"]).backend)
    except jit_only.NotPlain as error:
        channel.reply(codec.dumps(Trouble("not_plain", str(error), error.line)).encode(), REFUSED)
        return
    channel.reply()
    while (body := channel.receive()) is not None:
        asked = codec.from_json(Replay, codec.loads(body))
        launches: list[Any] = []
        observers: list[Observer] = []
        wrong = None
        try:
            if asked.trace:
                trace(kernels, asked, launches.append, observers)
            else:
                replay(kernels, asked, launches.append)
        except Exception as error:
            wrong = trouble(error, "kernel")
        handed = Handed()
        if asked.lower:
            from geak_evaluator.machine_code import frontend

            handed = frontend.lower(launches, (asked.target, *asked.also), str(kernels.own.__file__))
        works = tuple(observer.work() for observer in observers)
        conflicts, lost = (_conflicts(launches, lost=lost) for lost in (False, True))
        lost = (*lost, *_early(launches))
        told = Replayed(wrong, handed, conflicts, lost, _waits(launches), _reordered(launches), works)
        channel.reply(codec.dumps(told).encode())


def _waits(launches: list[Any]) -> tuple[str, ...]:
    names = dict.fromkeys(launch.kernel for launch in launches if launch.waits)
    text = "waits for later ones, which ends only on a device that runs all of them at once"
    return tuple(f"kernel {name}: a program {text}" for name in names)[:4]


def _early(launches: list[Any]) -> tuple[str, ...]:
    found = dict.fromkeys((launch.kernel, launch.early) for launch in launches if launch.early)
    text = "before gdc_wait: with launch_pdl what was launched before it may still be at work"
    return tuple(f"kernel {name}: a program {what} {text}" for name, what in found)[:4]


def _reordered(launches: list[Any]) -> tuple[str, ...]:
    found = dict.fromkeys((launch.kernel, launch.reordered) for launch in launches if launch.reordered)
    return tuple(f"kernel {name}: {what} may put elements into another order" for name, what in found)[:4]


def _conflicts(launches: list[Any], *, lost: bool) -> tuple[str, ...]:
    """One for each argument of each kernel, the first that was seen: those that lose an update, or the others."""
    what = "read, change and store" if lost else "stored different values into"
    end = "of two that do so at once one is in vain" if lost else "which of them stays depends on their order"
    seen: dict[tuple[str, str], str] = {}
    for launch in launches:
        for found in launch.conflicts:
            if found.update != lost:
                continue
            first, then = found.programs
            place = f"{found.argument} at element {found.offset}"
            text = f"kernel {launch.kernel}: programs {first} and {then} {what} {place}, not atomically; {end}"
            if first == then:
                who = f"kernel {launch.kernel}: lanes of program {first}"
                text = f"{who} store different values into {place}; which of them stays is left to the device"
                if lost:
                    text = f"{who} load and store {place}, with no tl.debug_barrier between that they wait by"
            seen.setdefault((launch.kernel, found.argument), text)
    return tuple(seen.values())[:4]


def replay(kernels: jit_only.Kernels, asked: Replay, on_launch: Callable[[Any], None]) -> None:
    """Carries out a plan; its outputs are then where they are wanted."""
    from geak_evaluator import device
    from geak_evaluator.device.programs import numbered

    memory, kernels = _Memory(asked), kernels.under(asked.plan)
    with device.activate(asked.target, on_launch=on_launch, compile=False, execute=asked.execute) as driver:
        driver.tables = False
        driver.order = partial(numbered, order=asked.order, together=asked.together)
        for step, led in zip(asked.plan.steps, asked.plan.led, strict=True):
            driver.led = memory.whole(led)
            if isinstance(step, plan.Allocate):
                memory.allocate(step)
                continue
            steps.carry_out(step, memory, kernels)
            if not isinstance(step, plan.Launch):
                driver.written |= {memory.tensor(view).untyped_storage().data_ptr() for view in _changed(step)}
    outputs = Arena(FIRST_SHARED + 1)
    for output, slot in zip(asked.plan.outputs, asked.outputs, strict=True):
        check(output, slot)
        outputs.tensor(slot).copy_(memory.tensor(output.view))


def trace(
    kernels: jit_only.Kernels, asked: Replay, on_launch: Callable[[Any], None], observers: list[Observer]
) -> None:
    """Counts what each launch of a plan asks for; memory is there, and of values only those that may steer."""
    from geak_evaluator import device
    from geak_evaluator.estimate.trace import Observer

    memory, kernels = _Memory(asked), kernels.under(asked.plan)

    def observe(launch: Any) -> Observer:
        observers.append(Observer(launch.kernel, launch.grid))
        return observers[-1]

    with device.activate(asked.target, on_launch=on_launch, compile=False, observe=observe) as driver:
        driver.tables = False
        for step, led in zip(asked.plan.steps, asked.plan.led, strict=True):
            driver.led = memory.whole(led)
            if isinstance(step, plan.Allocate):
                memory.reserve(step)
            elif isinstance(step, plan.Launch):
                before = len(observers)
                try:
                    steps.carry_out(step, memory, kernels)
                except Exception as error:
                    if len(observers) == before:
                        raise
                    observers[-1].stopped(trouble(error, "kernel").message)
            elif any(_steers(view) for view in _changed(step)):
                steps.carry_out(step, memory, kernels)


def _changed(step: plan.Fill | plan.Copy | plan.Library) -> tuple[plan.View, ...]:
    if isinstance(step, plan.Library):
        return step.results
    return (step.view if isinstance(step, plan.Fill) else step.target,)


def _steers(view: plan.View) -> bool:
    return resolve(view.format).kind != "float"


def check(output: plan.Output, slot: Slot) -> None:
    """The candidate's own process has seen to this, if it was honest."""
    view = output.view
    if view.shape != slot.shape:
        raise Mismatch("wrong_shape", f"output {slot.path} has shape {view.shape}; {slot.shape} is expected")
    if view.format != slot.format:
        raise Mismatch("wrong_dtype", f"output {slot.path} is {view.format}; {slot.format} is expected")


class _Memory:
    """Every storage of a plan: the inputs, laid out by the judge, and what the plan allocates."""

    def __init__(self, asked: Replay) -> None:
        self._poison = asked.poison
        arena = Arena(FIRST_SHARED)
        second = Arena(FIRST_SHARED + 1)
        given = [arena.tensor(slot) for slot in asked.slots] + [second.tensor(slot) for slot in asked.destination]
        self._storages = {number: tensor.untyped_storage() for number, tensor in enumerate(given)}

    def allocate(self, step: plan.Allocate) -> None:
        """New memory, holding NaN in every float format."""
        storage = torch.UntypedStorage(step.bytes)  # type: ignore[no-untyped-call]
        torch.empty(0, dtype=torch.uint8).set_(storage).fill_(self._poison)
        self._storages[step.storage] = storage

    def reserve(self, step: plan.Allocate) -> None:
        """New memory of zeros, whose pages are none until they are written."""
        # By way of numpy, whose zeros are the system's; torch would write them.
        self._storages[step.storage] = torch.from_numpy(np.zeros(step.bytes, dtype=np.uint8)).untyped_storage()

    def whole(self, numbers: Iterable[int]) -> list[torch.Tensor]:
        """All of these storages, byte by byte."""
        return [torch.empty(0, dtype=torch.uint8).set_(self._storages[number]) for number in sorted(numbers)]

    def tensor(self, view: plan.View) -> torch.Tensor:
        """A view as a tensor; torch would let a storage grow under one that reaches past it."""
        storage, empty = self._storages[view.storage], torch.empty(0, dtype=dtype_of(view.format))
        last = sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
        if 0 not in view.shape and (view.offset + last + 1) * empty.element_size() > storage.nbytes():
            raise ValueError(f"a view reaches past the end of storage {view.storage}")
        return empty.set_(storage, view.offset, view.shape, view.strides)

    def take(self, view: plan.View, value: torch.Tensor) -> None:
        """Copied to where the plan has it."""
        self.tensor(view).copy_(value)
