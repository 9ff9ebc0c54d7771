"""Carrying out the steps of a plan on memories, whoever owns them: a replay on the CPU, or one on a device."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch.utils._pytree import tree_leaves

from geak_evaluator.children import jit_only
from geak_evaluator.children.fingerprints import fingerprint
from geak_evaluator.children.tensors import dtype_of
from geak_evaluator.schema import plan


class Memory(Protocol):
    """Every storage of a plan."""

    def tensor(self, view: plan.View) -> torch.Tensor:
        """A view as a tensor."""

    def take(self, view: plan.View, value: torch.Tensor) -> None:
        """What a library's operation returned is the value of a view from now on."""


Ready = Callable[[], object]
"""A step with all looked up that can be: a call of it asks the device, and does next to nothing else."""


def carry_out(step: plan.Step, memory: Memory, kernels: jit_only.Kernels) -> None:
    """One step that is no allocation, once."""
    ready(step, memory, kernels)()


def all_ready(asked: plan.Plan, memory: Memory, kernels: jit_only.Kernels) -> list[tuple[plan.Step, Ready]]:
    """Every step that is no allocation, to be carried out as often as is wanted on memory that is there already."""
    if asked.branches or asked.names:
        kernels = kernels.under(asked)
    moving = frozenset(view.storage for step in asked.library for view in step.results)
    steps = (step for step in asked.steps if not isinstance(step, plan.Allocate))
    return [(step, ready(step, memory, kernels, moving)) for step in steps]


def ready(step: plan.Step, memory: Memory, kernels: jit_only.Kernels, moving: Collection[int] = frozenset()) -> Ready:
    """One step that is no allocation, made ready.

    A storage is `moving` where the value of an operation may take its place: tensors there are made at each call.
    """
    find = _Finder(memory, kernels, moving)
    if isinstance(step, plan.Fill):
        target, value = find.tensor(step.view), step.value
        if step.of is not None:
            of = find.tensor(step.of)
            return lambda: target().fill_(of().data_ptr())
        return lambda: target().fill_(value)
    if isinstance(step, plan.Copy):
        target, source = find.tensor(step.target), find.tensor(step.source)
        return lambda: target().copy_(source())
    if isinstance(step, plan.Library):
        return _operation(step, memory, find)
    assert isinstance(step, plan.Launch)
    return _launch(step, kernels, find)


def _launch(step: plan.Launch, kernels: jit_only.Kernels, find: _Finder) -> Ready:
    """One kernel over its grid, by Triton's own path on whatever device is active."""
    kernel = kernels.find(step.kernel, step.module)
    if fingerprint(kernel) != step.text:
        raise jit_only.NotPlain(f"kernel {step.kernel} was launched with a text, or constants, that are not its file's")
    arguments = find.arguments(step.arguments)
    options = {k: v for k, v in step.options.items() if k not in kernel.arg_names}
    asked = kernel[step.grid]
    return lambda: asked(*arguments(), **options)


def _operation(step: plan.Library, memory: Memory, find: _Finder) -> Ready:
    """A library's operation, on the memories that the plan names; the judge has looked at its name."""
    _, packet, overload = step.operation.split(".")
    operation = getattr(getattr(torch.ops.aten, packet), overload)
    arguments, keywords = find.arguments(step.arguments), find.arguments(tuple(step.keywords.values()))

    def operate() -> None:
        returned = operation(*arguments(), **dict(zip(step.keywords, keywords(), strict=True)))
        found = [leaf for leaf in tree_leaves(returned) if isinstance(leaf, torch.Tensor)]
        for value, view in zip(found, step.results, strict=True):
            memory.take(view, value)

    return operate


@dataclass(frozen=True)
class _Finder:
    """What a step names: found once where it stays, at each call where it moves."""

    memory: Memory
    kernels: jit_only.Kernels
    moving: Collection[int]

    def tensor(self, view: plan.View) -> Callable[[], torch.Tensor]:
        if view.storage in self.moving:
            return lambda: self.memory.tensor(view)
        known = self.memory.tensor(view)
        return lambda: known

    def arguments(self, items: Sequence[plan.Argument]) -> Callable[[], list[Any]]:
        known = [None if self._moves(item) else self._value(item) for item in items]
        moving = [(number, item) for number, item in enumerate(items) if self._moves(item)]
        if not moving:
            return lambda: known

        def found() -> list[Any]:
            values = list(known)  # what was found is kept by nobody: its memory is given back
            for number, item in moving:
                values[number] = self._value(item)
            return values

        return found

    def _moves(self, item: plan.Argument) -> bool:
        here = item.view is not None and item.view.storage in self.moving
        return here or any(map(self._moves, item.items))

    def _value(self, item: plan.Argument) -> Any:
        import triton.language as tl

        if item.kind == "tensor":
            assert item.view is not None
            return self.memory.tensor(item.view)
        if item.kind == "descriptor":
            from triton.tools.tensor_descriptor import TensorDescriptor

            assert item.view is not None
            tensor = self.memory.tensor(item.view)
            made = TensorDescriptor(tensor, list(item.view.shape), list(item.view.strides), list(item.block))
            made.padding = item.text or made.padding
            return made
        if item.kind == "tuple":
            items = [self._value(part) for part in item.items]
            return namedtuple("Items", item.fields)(*items) if item.fields else tuple(items)
        if item.kind == "type":
            return tl.dtype(item.text)
        if item.kind == "format":
            return dtype_of(item.text)
        if item.kind == "function":
            return self.kernels.find(item.text, item.module)
        return {"none": None, "text": item.text}.get(item.kind, item.number)
