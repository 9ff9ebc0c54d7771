"""Where tensors lie: storages by the numbers that a plan has for them, their views, and what a launch is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from geak_evaluator.children.tensors import dtype_of, format_of
from geak_evaluator.schema import plan

_LEAST, ADDRESS = 1 << 22, 1 << 32
"""No memory lies below the one, where programs that are not moved begin; what is above the other is hardly a number."""


_TRITON_FORMATS = {
    "int1": "bool",
    "fp8e4nv": "fp8_e4m3fn",
    "fp8e4b8": "fp8_e4m3fnuz",
    "fp8e5": "fp8_e5m2",
    "fp8e5b16": "fp8_e5m2fnuz",
    **{name: name for name in ("int8", "int16", "int32", "int64", "fp16", "bf16", "fp32", "fp64")},
    **{name: name for name in ("uint8", "uint16", "uint32", "uint64")},
}


class NoPlace(Exception):
    """What no plan can say; the message says what that is."""


class Places:
    """The storages that a call has met, in the order in which it did."""

    def __init__(self, inputs: Sequence[torch.Tensor]) -> None:
        self._known: dict[int, int] = {}
        self._kept: list[Any] = []
        self.strange: dict[int, None] = {}
        """Those that came from nobody knows where."""
        self.functions: dict[int, Any] = {}
        """The functions that launches were of, or were given."""
        for tensor in inputs:
            self.number(tensor, new=True)

    @property
    def count(self) -> int:
        """How many there are so far."""
        return len(self._known)

    def place(self, value: int) -> plan.View | None:
        """The memory whose address a number is."""
        if value >= _LEAST:
            for number, kept in enumerate(self._kept):
                if 0 <= (offset := value - kept.data_ptr()) < kept.nbytes():
                    return plan.View(number, "uint8", offset, (1,), (1,))
        return None

    def view(self, tensor: torch.Tensor) -> plan.View:
        """Where a tensor lies."""
        format = format_of(tensor.dtype)
        if format is None:
            raise NoPlace(f"{tensor.dtype} has no place in a plan")
        if tensor.layout != torch.strided or tensor.is_neg() or tensor.is_conj():
            raise NoPlace("a tensor that is no plain memory")
        return plan.View(
            self.number(tensor), format, int(tensor.storage_offset()), tuple(tensor.shape), tuple(tensor.stride())
        )

    def number(self, tensor: torch.Tensor, new: bool = False) -> int:
        """The number of its storage; one that was not met before is strange, unless it is said to be new."""
        if tensor.layout != torch.strided:
            raise NoPlace("a tensor that is no plain memory")
        storage = tensor.untyped_storage()
        number = self._known.get(storage._cdata)
        if number is None:
            number = self._known[storage._cdata] = len(self._known)
            self._kept.append(storage)  # its address must not come to mean another
            if not new:
                self.strange[number] = None
        return number

    def knows(self, tensor: torch.Tensor) -> bool:
        """Whether its storage has been met."""
        return tensor.untyped_storage()._cdata in self._known

    def argument(self, value: Any) -> plan.Argument:
        """What a launch is given."""
        import triton.language as tl

        base = getattr(value, "base", None)
        if isinstance(value, torch.Tensor):
            return plan.Argument("tensor", view=self.view(value))
        if type(value).__name__ == "TensorDescriptor" and isinstance(base, torch.Tensor):
            view = self.view(base)
            described = plan.View(view.storage, view.format, view.offset, tuple(value.shape), tuple(value.strides))
            return plan.Argument("descriptor", view=described, block=tuple(value.block_shape), text=str(value.padding))
        if type(value).__name__ == "TensorWrapper" and isinstance(base, torch.Tensor):
            return plan.Argument("tensor", view=self._reinterpreted(base, value.dtype))
        if value is None:
            return plan.Argument("none")
        if isinstance(value, bool | int | float):
            return plan.Argument("number", number=value)
        if isinstance(value, str):
            return plan.Argument("text", text=value)
        if isinstance(value, tl.constexpr):
            return self.argument(value.value)
        if isinstance(value, tl.dtype):
            return plan.Argument("type", text=value.name)
        if isinstance(value, torch.dtype):
            raise NoPlace("a torch dtype")
        if hasattr(value, "fn") and hasattr(value, "arg_names"):
            self.functions[id(value)] = value
            return plan.Argument("function", text=value.fn.__name__, module=value.fn.__module__)
        if isinstance(value, tuple):
            fields = tuple(getattr(value, "_fields", ()))
            return plan.Argument("tuple", items=tuple(self.argument(item) for item in value), fields=fields)
        if isinstance(getattr(value, "dtype", None), torch.dtype) and callable(getattr(value, "data_ptr", None)):
            return plan.Argument("tensor", view=self._pointed(value.data_ptr(), value.dtype))
        raise NoPlace(f"a {type(value).__name__}")

    def _pointed(self, address: int, dtype: torch.dtype) -> plan.View:
        """Where the memory lies that something with an address and a type stands for, as far as it reaches."""
        format, size, found = format_of(dtype), dtype.itemsize, self.place(address)
        if format is None or found is None or found.offset % size:
            raise NoPlace("an address of no tensor")
        within, whole = found.offset // size, self._kept[found.storage].nbytes() // size
        return plan.View(found.storage, format, within, (whole - within,), (1,))

    def _reinterpreted(self, base: torch.Tensor, kind: Any) -> plan.View:
        """What triton.reinterpret made of a tensor: the same elements, read as another type of their size."""
        format = _TRITON_FORMATS.get(str(kind))
        if format is None or dtype_of(format).itemsize != base.element_size():
            raise NoPlace(f"{base.dtype} reinterpreted as {kind}")
        return replace(self.view(base), format=format)

    def operand(self, value: Any) -> plan.Argument:
        """What an operation of a library's is given."""
        if isinstance(value, list | tuple):
            return plan.Argument("tuple", items=tuple(self.operand(item) for item in value))
        if isinstance(value, torch.dtype):
            format = format_of(value)
            if format is None:
                raise NoPlace(f"{value} has no place in a plan")
            return plan.Argument("format", text=format)
        if isinstance(value, torch.device | torch.layout | torch.memory_format):
            return plan.Argument("none")
        return self.argument(value)
