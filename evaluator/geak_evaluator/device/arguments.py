"""From what Triton launches with to what a kernel sees: typed scalars, pointers, descriptors, tuples, constants."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import triton.language as tl
from triton.runtime import interpreter as upstream

from geak_evaluator.device.arithmetic import handle_of, np_dtype
from geak_evaluator.device.errors import beyond
from geak_evaluator.device.reductions import Semantic


@dataclass(frozen=True)
class Code:
    """What is to be run: a kernel and how Triton specialised it for these arguments."""

    function: Any  # triton's JITFunction
    signature: dict[str, Any]
    constants: dict[tuple[int, ...], Any]
    options: Any
    module_map: dict[str, ModuleType]


def argument(value: Any, kind: Any, path: tuple[int, ...], code: Code, semantic: Semantic) -> Any:
    """One argument as the kernel sees it: of the type that Triton specialised it to."""
    if isinstance(kind, tuple):
        items = [argument(v, k, (*path, i), code, semantic) for i, (v, k) in enumerate(zip(value, kind, strict=True))]
        return tl.tuple(items, tl.core.tuple_type([item.type for item in items], getattr(value, "_fields", None)))
    if kind == "constexpr":
        return tl.constexpr(code.constants.get(path, value))
    if kind.startswith("tensordesc"):
        return _descriptor(value, semantic)
    if kind.startswith("nvTmaDesc"):
        raise beyond("a raw TMA descriptor", "tensor descriptors can be judged")
    scalar = tl.str_to_ty(kind, None)
    if scalar.is_ptr():
        address = value.data_ptr() if hasattr(value, "data_ptr") else int(value)
        return tl.tensor(upstream.TensorHandle(np.array([address], dtype=np.uint64), scalar), scalar)
    number = np.array([value], dtype=np.float64 if scalar.is_floating() else np_dtype(scalar))
    return tl.tensor(handle_of(number, scalar), scalar)


def _descriptor(value: Any, semantic: Semantic) -> Any:
    def scalar(number: Any, kind: Any) -> Any:
        return tl.tensor(upstream.TensorHandle(np.array([number], dtype=np_dtype(kind)), kind), kind)

    element = upstream._implicit_cvt(value.base).dtype
    base = tl.tensor(upstream.TensorHandle(np.array([value.base.data_ptr()], dtype=np.uint64), element), element)
    strides = [scalar(s, tl.int64) for s in value.strides[:-1]]
    made = semantic.make_tensor_descriptor(
        base,
        [scalar(s, tl.int32) for s in value.shape],
        [*strides, tl.constexpr(1)],
        [tl.constexpr(b) for b in value.block_shape],
        getattr(value, "padding", "zero"),
    )
    if getattr(value, "round_f32_to_tf32", False):
        made.handle.round_f32_to_tf32 = True
    return made
