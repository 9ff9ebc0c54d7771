"""Attributes of what a kernel computes with: those that it may use, and those that lead elsewhere."""

from __future__ import annotations

import dis
import types
from collections.abc import Iterator
from functools import cache

_ATTRIBUTES = frozenset(
    (
        *("T", "dtype", "ndim", "numel", "shape", "strides", "block_shape", "padding", "type", "value"),
        *("element_ty", "int_bitwidth", "int_signedness", "fp_mantissa_width", "primitive_bitwidth", "itemsize"),
        *("name", "nbytes", "scalar", "count", "endswith", "index", "lower", "startswith", "upper"),
    )
)
"""Of what a kernel computes with, beside the methods of Triton's tensors, types and descriptors."""
_NOT_FOR_KERNELS = frozenset({"handle", "to_ir", "mangle", "cache_key_part"})
_OF_PYTHON = (
    *(object, bool, int, float, complex, str, bytes, tuple, list, dict, set, range, slice, type, type(None), property),
    *(types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, types.CodeType),
    *(types.GeneratorType, types.FrameType, types.MappingProxyType, BaseException),
)


@cache
def of_values() -> frozenset[str]:
    """What a kernel may ask of any value."""
    import triton.language as tl

    kinds = [getattr(tl, name, None) for name in ("tensor", "dtype", "block_type", "pointer_type", "tensor_descriptor")]
    methods = {name for kind in kinds for name in dir(kind) if not name.startswith("_")}
    return (_ATTRIBUTES | methods) - _NOT_FOR_KERNELS


@cache
def of_others() -> frozenset[str]:
    """What anything has that a kernel can get hold of; any other name can only be a named tuple's field."""
    from triton.language import core, semantic
    from triton.runtime import jit

    named = [value for module in (core, semantic, jit) for value in vars(module).values()]
    kinds = {value for value in named if isinstance(value, type)} - {jit.TensorWrapper, jit.MockTensor}  # host's alone
    return frozenset(name for kind in (*kinds, *_OF_PYTHON) for name in (*dir(kind), *_assigned(kind)))


def _assigned(kind: type) -> Iterator[str]:
    """The attributes that its methods give an instance."""
    for owner in kind.__mro__:
        for method in vars(owner).values():
            function = getattr(method, "__func__", method)
            if isinstance(function, types.FunctionType):
                code = dis.get_instructions(function)
                yield from (str(part.argval) for part in code if part.opname == "STORE_ATTR")
