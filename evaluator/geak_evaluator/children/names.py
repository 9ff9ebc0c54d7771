"""What a kernel's body may name, by what the name means: Triton reads a body, and calls whatever it finds there."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator
from functools import cache
from typing import Any

_MODULES = frozenset({"math", "triton", "triton.language", "triton.language.math", "triton.language.random"})
_EXTRA = "triton.language.extra"
_PLAIN = (bool, int, float, str, type(None), tuple, list)

_OWN_NAMES = {
    "triton": {"triton"},
    "tl": {"triton.language"},
    "language": {"triton.language"},
    "math": {"math", "triton.language.math"},
    "jit": {"triton.jit"},
    "constexpr": {"triton.language.constexpr"},
}
"""Names by which definitions are recognised, and what alone they may be bound to."""
_BUILTINS = frozenset({"abs", "float", "int", "max", "min"})

_ATTRIBUTES = frozenset(
    (
        *("T", "dtype", "ndim", "numel", "shape", "strides", "block_shape", "padding", "type", "value"),
        *("element_ty", "int_bitwidth", "int_signedness", "fp_mantissa_width", "primitive_bitwidth", "itemsize"),
        *("name", "nbytes", "scalar", "count", "endswith", "index", "lower", "startswith", "upper"),
    )
)
"""Of what a kernel computes with, beside the methods of Triton's tensors, types and descriptors."""
_NOT_FOR_KERNELS = frozenset({"handle", "to_ir", "mangle", "cache_key_part"})


class NotNamed(ValueError):
    """A name that no kernel may use, with its line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def check_bindings(nodes: list[ast.stmt]) -> None:
    """Refuses a top level on which a word that definitions are recognised by means something else."""
    for node in nodes:
        for name, meaning in _bound(node):
            if name in _BUILTINS or (name in _OWN_NAMES and meaning not in _OWN_NAMES[name]):
                raise NotNamed(f"the name {name} is given another meaning", node.lineno)


def _bound(node: ast.stmt) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"
    elif isinstance(node, ast.FunctionDef):
        yield node.name, ""
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from ((part.id, "") for part in ast.walk(target) if isinstance(part, ast.Name))


def check_kernel(node: ast.FunctionDef, known: dict[str, Any]) -> None:
    """Refuses a kernel that names what leads out of Triton's language; `known` are the names of its module."""
    arguments = node.args
    parameters = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    outer = {name: value for name, value in known.items() if name not in parameters}
    # Triton also reads the annotations of parameters that have a default.
    for root in (*node.body, *arguments.args, *arguments.posonlyargs, *arguments.kwonlyargs):
        annotation = isinstance(root, ast.arg)
        for part in ast.walk(root):
            if isinstance(part, ast.Name) and part.id in outer and not _permitted(outer[part.id]):
                raise NotNamed(f"kernel {node.name}: the name {part.id}", part.lineno)
            if isinstance(part, ast.Attribute) and not (annotation and _root(part) not in outer):
                _check_attribute(node.name, part, outer)


def _root(node: ast.Attribute) -> str:
    base: ast.expr = node
    while isinstance(base, ast.Attribute):
        base = base.value
    return base.id if isinstance(base, ast.Name) else ""


def _check_attribute(kernel: str, node: ast.Attribute, outer: dict[str, Any]) -> None:
    owner = _meaning(node.value, outer)
    if isinstance(owner, types.ModuleType):
        fine = _permitted(owner) and _permitted(getattr(owner, node.attr, None))
    else:
        fine = node.attr in _value_attributes()
    if not fine or node.attr.startswith("_"):
        raise NotNamed(f"kernel {kernel}: {ast.unparse(node)[:80]}", node.lineno)


def _meaning(node: ast.expr, outer: dict[str, Any]) -> Any:
    """The object that a dotted name stands for at the top level; None for whatever is computed."""
    if isinstance(node, ast.Name):
        return outer.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _meaning(node.value, outer)
        return getattr(owner, node.attr, None) if isinstance(owner, types.ModuleType) else None
    return None


def _permitted(value: Any) -> bool:
    if isinstance(value, types.ModuleType):
        return value.__name__ in _MODULES or value.__name__ == _EXTRA or value.__name__.startswith(f"{_EXTRA}.")
    if isinstance(value, _PLAIN) or hasattr(value, "arg_names"):
        return True
    home = str(getattr(value, "__module__", "") or type(value).__module__)
    if home == "math" or home.startswith("triton.language"):
        return True
    # cdiv and next_power_of_2; a constexpr or a dtype is no function, and has its class's module.
    return type(value).__module__.startswith(("triton.language", "triton.runtime.jit")) and not isinstance(value, type)


@cache
def _value_attributes() -> frozenset[str]:
    import triton.language as tl

    kinds = [getattr(tl, name, None) for name in ("tensor", "dtype", "block_type", "pointer_type", "tensor_descriptor")]
    methods = {name for kind in kinds for name in dir(kind) if not name.startswith("_")}
    return (_ATTRIBUTES | methods) - _NOT_FOR_KERNELS
