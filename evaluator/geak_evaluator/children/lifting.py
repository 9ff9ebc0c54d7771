"""Running a reference in float64 although its author wrote casts to narrower floats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from geak_evaluator.children.modes import Mode

_NARROW = {
    getattr(torch, name)
    for name in ("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")
}
_CASTS = {torch.Tensor.float, torch.Tensor.half, torch.Tensor.bfloat16}


class Lift(TorchFunctionMode):
    """Replaces every narrower float type that is asked for by float64."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Called by torch for each of its functions."""
        if func in _CASTS:
            return args[0].double()
        if func is torch.Tensor.view:
            return func(*args, **(kwargs or {}))  # with a type it reads bits anew, and must keep their number
        return func(*tree_map(_lifted, args), **tree_map(_lifted, kwargs or {}))


def _lifted(value: Any) -> Any:
    return torch.float64 if isinstance(value, torch.dtype) and value in _NARROW else value


_HALVES = (torch.float16, torch.bfloat16)
_PRODUCTS = {
    getattr(torch.ops.aten, name).default
    for name in ("mm", "bmm", "addmm", "baddbmm", "addbmm", "mv", "addmv", "dot", "convolution", "convolution_backward")
}


class WideProducts(Mode):
    """Products of halves by way of float32, and rounded: what a GPU does, and what many a processor is too slow for."""

    def __torch_dispatch__(self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch for each operation that it performs."""
        told = args, kwargs or {}
        half = next((value.dtype for value in tree_leaves(told) if _is_half(value)), None)
        if func not in _PRODUCTS or half is None:
            return func(*told[0], **told[1])
        args, kwargs = tree_map(lambda value: value.float() if _is_half(value) else value, told)
        return tree_map(lambda v: v.to(half) if isinstance(v, torch.Tensor) else v, func(*args, **kwargs))


def _is_half(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype in _HALVES


class NarrowWatch(Mode):
    """Notes the operations that computed in a narrower float all the same."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: dict[str, None] = {}

    def __torch_dispatch__(self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch for each operation that it performs."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and leaf.dtype in _NARROW and leaf.numel() > 1:
                self.seen[str(func)] = None
        return result


@contextmanager
def float64() -> Iterator[NarrowWatch]:
    """Everything inside computes in float64; what did not is told by the watch."""
    before = torch.get_default_dtype()
    watch = NarrowWatch()
    torch.set_default_dtype(torch.float64)
    try:
        with Lift(), watch:
            yield watch
    finally:
        torch.set_default_dtype(before)
