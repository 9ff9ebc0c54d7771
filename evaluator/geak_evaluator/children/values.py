"""Calls between children: nests of tensors and plain values, laid into shared memory and built up again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from geak_evaluator.children.tensors import Arena, format_of
from geak_evaluator.schema import layout
from geak_evaluator.schema.exchange import Argument
from geak_evaluator.schema.layout import Slot


class CannotCross(TypeError):
    """A value that has no place in a call between children."""


class Packer:
    """Turns values into arguments, and remembers which tensor goes to which slot."""

    def __init__(self) -> None:
        self.tensors: list[torch.Tensor] = []

    def pack(self, value: Any) -> Argument:
        """One value, with everything in it."""
        if value is None:
            return Argument("none")
        if isinstance(value, torch.Tensor):
            for index, known in enumerate(self.tensors):
                if known is value:
                    return Argument("tensor", slot=index)
            if format_of(value.dtype) is None:
                raise CannotCross(f"a tensor of {value.dtype} cannot be handed to a kernel here")
            self.tensors.append(value)
            return Argument("tensor", slot=len(self.tensors) - 1)
        if isinstance(value, torch.dtype):
            return Argument("dtype", value=str(value).removeprefix("torch."))
        if isinstance(value, torch.device):
            return Argument("device", value=str(value))
        if isinstance(value, bool | int | float | str):
            return Argument("value", value=value)
        if isinstance(value, tuple | list):
            items = tuple(self.pack(item) for item in value)
            return Argument("tuple", items=items) if isinstance(value, tuple) else Argument("list", items=items)
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return Argument("dict", items=tuple(self.pack(v) for v in value.values()), keys=tuple(value))
        raise CannotCross(f"a {type(value).__name__} cannot be handed to a kernel here")

    def lay(self, arena: Arena) -> tuple[Slot, ...]:
        """Copies every tensor into a memory, one behind another."""
        slots = []
        for index, tensor in enumerate(self.tensors):
            strides = tuple(tensor.stride())
            if any(stride == 0 and size > 1 for stride, size in zip(strides, tensor.shape, strict=True)):
                strides = layout.contiguous(tuple(tensor.shape))  # an expanded view cannot be written as one
            slots.append(Slot(str(index), format_of(tensor.dtype) or "", tuple(tensor.shape), strides))
        placed = layout.place(slots)
        if layout.extent(placed) > arena.size:
            raise CannotCross(f"a call with {layout.extent(placed)} bytes of tensors is too large here")
        for slot, tensor in zip(placed, self.tensors, strict=True):
            arena.tensor(slot).copy_(tensor.detach())
        return placed


def unpack(argument: Argument, tensors: Sequence[torch.Tensor]) -> Any:
    """The value that was packed."""
    if argument.kind == "tensor":
        return tensors[argument.slot]
    if argument.kind in ("tuple", "list", "dict"):
        items = [unpack(item, tensors) for item in argument.items]
        if argument.kind == "dict":
            return dict(zip(argument.keys, items, strict=True))
        return tuple(items) if argument.kind == "tuple" else items
    if argument.kind == "dtype":
        return getattr(torch, str(argument.value))
    if argument.kind == "device":
        return torch.device(str(argument.value))
    return argument.value
