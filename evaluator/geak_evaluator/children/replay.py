"""The replay child: kernels and a plan, poisoned memory, inputs that the candidate never saw; no candidate's Python."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import torch

from geak_evaluator.children import jit_only
from geak_evaluator.children.tensors import Arena, dtype_of
from geak_evaluator.sandbox.channel import RAISED, REFUSED, Channel
from geak_evaluator.sandbox.confine import FIRST_SHARED
from geak_evaluator.schema import codec, plan
from geak_evaluator.schema.exchange import Replay, Trouble


def main(channel: Channel, job: dict[str, Any]) -> None:
    """The first request is the source; then plans to replay."""
    from geak_evaluator.children.candidate import trouble

    source = channel.receive()
    if source is None:
        return
    try:
        kernels = jit_only.take(source, "kernel", Path.cwd(), job.get("project", ""))
    except jit_only.NotPlain as error:
        channel.reply(codec.dumps(Trouble("not_plain", str(error), error.line)).encode(), REFUSED)
        return
    channel.reply()
    while (body := channel.receive()) is not None:
        try:
            replay(kernels, codec.from_json(Replay, codec.loads(body)))
            channel.reply()
        except Exception as error:
            channel.reply(codec.dumps(trouble(error, "kernel")).encode(), RAISED)


def replay(kernels: jit_only.Kernels, asked: Replay) -> None:
    """Carries out a plan; its outputs are then where they are wanted."""
    from geak_evaluator import device

    memory = _Memory(asked)
    with device.activate(asked.target, compile=asked.compile):
        for step in asked.plan.steps:
            if isinstance(step, plan.Allocate):
                memory.allocate(step)
            elif isinstance(step, plan.Fill):
                memory.tensor(step.view).fill_(step.value)
            elif isinstance(step, plan.Copy):
                memory.tensor(step.target).copy_(memory.tensor(step.source))
            else:
                kernel = kernels.find(step.kernel, step.module)
                arguments = [_argument(item, memory, kernels) for item in step.arguments]
                options = {k: v for k, v in step.options.items() if k not in kernel.arg_names}
                kernel[step.grid](*arguments, **options)
    outputs = Arena(FIRST_SHARED + 1)
    for output, slot in zip(asked.plan.outputs, asked.outputs, strict=True):
        outputs.tensor(slot).copy_(memory.tensor(output.view))


class _Memory:
    """Every storage of a plan: the inputs, laid out by the judge, and what the plan allocates."""

    def __init__(self, asked: Replay) -> None:
        arena = Arena(FIRST_SHARED)
        second = Arena(FIRST_SHARED + 1)
        given = [arena.tensor(slot) for slot in asked.slots] + [second.tensor(slot) for slot in asked.destination]
        self._storages = {number: tensor.untyped_storage() for number, tensor in enumerate(given)}

    def allocate(self, step: plan.Allocate) -> None:
        """New memory, holding NaN in every float format."""
        storage = torch.UntypedStorage(step.bytes)  # type: ignore[no-untyped-call]
        torch.empty(0, dtype=torch.uint8).set_(storage).fill_(0xFF)
        self._storages[step.storage] = storage

    def tensor(self, view: plan.View) -> torch.Tensor:
        """A view as a tensor; one that reaches past its storage is an error of torch's own."""
        empty = torch.empty(0, dtype=dtype_of(view.format))
        return empty.set_(self._storages[view.storage], view.offset, view.shape, view.strides)


def _argument(item: plan.Argument, memory: _Memory, kernels: jit_only.Kernels) -> Any:
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
    if item.kind == "function":
        return kernels.find(item.text, item.module)
    return {"none": None, "text": item.text}.get(item.kind, item.number)
