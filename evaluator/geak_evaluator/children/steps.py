"""Carrying out the steps of a plan on memories, whoever owns them: a replay on the CPU, or one on a device."""

from __future__ import annotations

from collections import namedtuple
from typing import Any, Protocol

import torch
from torch.utils._pytree import tree_leaves

from geak_evaluator.children import jit_only
from geak_evaluator.children.tensors import dtype_of
from geak_evaluator.schema import plan


class Memory(Protocol):
    """Every storage of a plan."""

    def tensor(self, view: plan.View) -> torch.Tensor:
        """A view as a tensor."""

    def take(self, view: plan.View, value: torch.Tensor) -> None:
        """What a library's operation returned is the value of a view from now on."""


def carry_out(step: plan.Step, memory: Memory, kernels: jit_only.Kernels) -> None:
    """One step that is no allocation."""
    if isinstance(step, plan.Fill):
        memory.tensor(step.view).fill_(step.value)
    elif isinstance(step, plan.Copy):
        memory.tensor(step.target).copy_(memory.tensor(step.source))
    elif isinstance(step, plan.Library):
        operate(step, memory)
    elif isinstance(step, plan.Launch):
        launch(step, memory, kernels)


def launch(step: plan.Launch, memory: Memory, kernels: jit_only.Kernels) -> None:
    """One kernel over its grid, by Triton's own path on whatever device is active."""
    kernel = kernels.find(step.kernel, step.module)
    if jit_only.fingerprint(kernel.src) != step.text:
        raise jit_only.NotPlain(f"kernel {step.kernel} was launched with a text that is not its file's")
    arguments = [_argument(item, memory, kernels) for item in step.arguments]
    options = {k: v for k, v in step.options.items() if k not in kernel.arg_names}
    kernel[step.grid](*arguments, **options)


def operate(step: plan.Library, memory: Memory) -> None:
    """A library's operation, on the memories that the plan names; the judge has looked at its name."""
    _, packet, overload = step.operation.split(".")
    operation = getattr(getattr(torch.ops.aten, packet), overload)
    arguments = [_operand(item, memory) for item in step.arguments]
    returned = operation(*arguments, **{name: _operand(item, memory) for name, item in step.keywords.items()})
    found = [leaf for leaf in tree_leaves(returned) if isinstance(leaf, torch.Tensor)]
    for value, view in zip(found, step.results, strict=True):
        memory.take(view, value)


def _operand(item: plan.Argument, memory: Memory) -> Any:
    if item.kind == "tuple":
        return [_operand(part, memory) for part in item.items]
    if item.kind == "format":
        return dtype_of(item.text)
    return _argument(item, memory, None)


def _argument(item: plan.Argument, memory: Memory, kernels: jit_only.Kernels | None) -> Any:
    import triton.language as tl

    if item.kind == "tensor":
        assert item.view is not None
        return memory.tensor(item.view)
    if item.kind == "descriptor":
        from triton.tools.tensor_descriptor import TensorDescriptor

        assert item.view is not None
        tensor = memory.tensor(item.view)
        made = TensorDescriptor(tensor, list(item.view.shape), list(item.view.strides), list(item.block))
        made.padding = item.text or made.padding
        return made
    if item.kind == "tuple":
        items = [_argument(part, memory, kernels) for part in item.items]
        return namedtuple("Items", item.fields)(*items) if item.fields else tuple(items)
    if item.kind == "type":
        return tl.dtype(item.text)
    if item.kind == "function" and kernels is not None:
        return kernels.find(item.text, item.module)
    return {"none": None, "text": item.text}.get(item.kind, item.number)
