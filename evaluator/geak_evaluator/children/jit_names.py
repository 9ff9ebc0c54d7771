"""What the body of a `@triton.jit` function may name: Triton calls some of it, so that it must be a list."""

from __future__ import annotations

import ast
import builtins
import importlib
import types
from typing import Any

LANGUAGE = "triton.language"
_EXTRA = f"{LANGUAGE}.extra"
MODULES = frozenset(
    {
        *("math", "triton", LANGUAGE, f"{LANGUAGE}.math", f"{LANGUAGE}.random", _EXTRA, f"{_EXTRA}.libdevice"),
        *(f"{_EXTRA}.{side}{part}" for side in ("cuda", "hip") for part in ("", ".libdevice", ".utils", ".gdc")),
    }
)
"""Modules whose names a kernel may use; of `triton` itself only a few."""
_OF_TRITON = frozenset({"jit", "cdiv", "next_power_of_2", "language", "constexpr"})
_NEVER = frozenset({"handle", "fn", "builder", "add_pre_run_hook", "preload", "create_binder", "warmup"})
_NO_CALL = frozenset({"getattr", "setattr", "eval", "exec", "compile", "open"})


class NotPlain(ValueError):
    """A kernel file whose kernels cannot be taken out of it; the message says what stands in the way."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def importable(module: str, name: str) -> bool:
    """Whether `from module import name` brings in something that a kernel may use."""
    if module not in MODULES or name.startswith("_") or name == "*":
        return False
    if module == "triton":
        return name in _OF_TRITON
    try:
        value = getattr(importlib.import_module(module), name, None)
        value = importlib.import_module(f"{module}.{name}") if value is None else value
    except ImportError:
        return True  # it will fail as it does in the file, where that may be expected
    return _may_be_named(value)


def check_body(function: ast.FunctionDef, scope: dict[str, Any], helpers: frozenset[str]) -> None:
    """Refuses a body that could make Triton run something that is not in the list."""
    kernel = function.name
    parameters = {a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
    parts = [part for statement in function.body for part in ast.walk(statement)]
    bases = {id(part.value) for part in parts if isinstance(part, ast.Attribute)}
    for part in parts:
        if isinstance(part, ast.Import | ast.ImportFrom | ast.Lambda | ast.ClassDef | ast.Global | ast.Nonlocal):
            raise NotPlain(f"kernel {kernel}: {type(part).__name__.lower()} inside a kernel", part.lineno)
        if isinstance(part, ast.Name) and (part.id.startswith("__") or part.id in _NO_CALL):
            raise NotPlain(f"kernel {kernel}: the name {part.id} inside a kernel", part.lineno)
        if isinstance(part, ast.Attribute) and (part.attr.startswith("_") or part.attr in _NEVER):
            raise NotPlain(f"kernel {kernel}: the attribute {part.attr}", part.lineno)
        if isinstance(part, ast.Name | ast.Attribute):
            value = _resolved(part, scope, parameters, kernel, helpers)
            if isinstance(value, types.ModuleType) and id(part) not in bases:
                raise NotPlain(f"kernel {kernel}: the module {ast.unparse(part)} as a value", part.lineno)


def missing(tree: ast.FunctionDef, scope: dict[str, Any]) -> list[ast.Name]:
    """The global names of a body that nothing stands for."""
    parameters = {a.arg for a in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs)}
    names = [n for statement in tree.body for n in ast.walk(statement) if isinstance(n, ast.Name)]
    own = parameters | {n.id for n in names if isinstance(n.ctx, ast.Store)}
    return [n for n in names if n.id not in own and n.id not in scope and not hasattr(builtins, n.id)]


_UNKNOWN = object()


def _resolved(node: ast.expr, scope: dict[str, Any], parameters: set[str], kernel: str, helpers: frozenset[str]) -> Any:
    """What a chain of attributes stands for, as far as it goes through modules; refuses to leave those in the list."""
    if isinstance(node, ast.Name):
        return _UNKNOWN if node.id in parameters else scope.get(node.id, _UNKNOWN)
    if not isinstance(node, ast.Attribute):
        return _UNKNOWN
    base = _resolved(node.value, scope, parameters, kernel, helpers)
    if not isinstance(base, types.ModuleType):
        return _UNKNOWN
    value = getattr(base, node.attr, _UNKNOWN)
    if base.__name__ == "triton":
        known = node.attr in _OF_TRITON
    else:
        known = base.__name__ in helpers or (base.__name__ in MODULES and _may_be_named(value))
    if not known:
        raise NotPlain(f"kernel {kernel}: {ast.unparse(node)}", node.lineno)
    return value


def _may_be_named(value: Any) -> bool:
    if isinstance(value, types.ModuleType):
        return value.__name__ in MODULES
    if value is _UNKNOWN or isinstance(value, bool | int | float | str):
        return True  # what is not there, Triton itself says
    home = getattr(value, "__module__", None) or type(value).__module__
    return home == "math" or home == LANGUAGE or home.startswith((f"{LANGUAGE}.", "triton.runtime.jit"))
