"""Branches at the top level of a kernel file: the one that is taken on a target, found without running a line of it.

`if torch.version.hip:` and `try: f = tl.name` choose between kernels. What such a condition may say is a list; a branch
that cannot be told stays one, and nothing of it is kept.
"""

from __future__ import annotations

import ast
import importlib
import operator
from collections.abc import Callable, Mapping
from typing import Any

from geak_evaluator.children.jit_names import MODULES
from geak_evaluator.children.jit_plain import FALLBACKS, caught

_MISSING = (ImportError, AttributeError)
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_VERSIONS = ("torch.version.hip", "torch.version.cuda")
HEADER = "geak_header"
"""An attribute of a statement that stood in a branch: the number of the line before the branch's first."""


class _Untold(Exception):
    """A condition that says more than the list has."""


def settle(tree: ast.Module, backend: str) -> None:
    """Puts what is taken in the place of its branch."""
    known: dict[str, Any] = {}
    modules: dict[str, str] = {}
    for version in _VERSIONS:
        known[version] = "0.0" if version.endswith("hip") is (backend == "hip") else None
    tree.body = [one for node in tree.body for one in _taken(node, known, modules)]


def _taken(node: ast.stmt, known: dict[str, Any], modules: dict[str, str]) -> list[ast.stmt]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        try:
            known[node.targets[0].id] = _value(node.value, known)
        except _Untold:
            known.pop(node.targets[0].id, None)
    modules |= aliases(node)
    chosen = None
    if isinstance(node, ast.If):
        try:
            chosen = node.body if _value(node.test, known) else node.orelse
        except _Untold:
            return [node]
    elif isinstance(node, ast.Try) and not node.finalbody and _names(node):
        chosen = _tried(node, modules)
    if chosen is None:
        return [node]
    inner = [one for part in chosen for one in _taken(part, known, modules)]
    for one in inner:
        first = min(_first(part) for part in chosen)
        if first <= node.lineno:  # it shares a line with what chose it
            return [node]
        setattr(one, HEADER, getattr(one, HEADER, first - 1))
    return inner


def aliases(node: ast.stmt) -> dict[str, str]:
    """The names that an import binds, and what they stand for in full."""
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name: alias.name for alias in node.names if alias.asname or "." not in alias.name}
    if isinstance(node, ast.ImportFrom) and not node.level:
        return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {}


def full_name(node: ast.expr, modules: Mapping[str, str]) -> str:
    """What `tl.extra.libdevice.tanh` is called in full, where it begins with a module that was imported; else ""."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    known = modules.get(node.id, "") if isinstance(node, ast.Name) else ""
    return ".".join([known, *parts]) if known and parts else ""


def _first(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
    return min([node.lineno, *(one.lineno for one in decorators)])


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """What an expression of the list says; _Untold for any other."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name | ast.Attribute):
        name = ast.unparse(node)
        if name not in known:
            raise _Untold
        return known[name]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _value(node.operand, known)
    if isinstance(node, ast.BoolOp):
        values = [_value(part, known) for part in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARED:
        return _COMPARED[type(node.ops[0])](_value(node.left, known), _value(node.comparators[0], known))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id == "bool" and len(node.args) == 1:
            return bool(_value(node.args[0], known))
        if node.func.id in ("hasattr", "getattr") and len(node.args) >= 2:
            name = f"{ast.unparse(node.args[0])}.{_value(node.args[1], known)!s}"
            if name in known:
                return known[name] if node.func.id == "getattr" else True
    raise _Untold


def _names(node: ast.Try) -> bool:
    """Whether it only gives names to what is imported, and catches their absence."""
    only = all(isinstance(one, ast.Assign) and isinstance(one.value, ast.Attribute) for one in node.body)
    return only and len(node.handlers) == 1 and caught(node) <= FALLBACKS


def _tried(node: ast.Try, modules: Mapping[str, str]) -> list[ast.stmt] | None:
    for one in node.body:
        assert isinstance(one, ast.Assign)
        parent, _, last = full_name(one.value, modules).rpartition(".")
        if parent not in MODULES:
            return None
        try:
            getattr(importlib.import_module(parent), last)
        except _MISSING:
            return node.handlers[0].body
    return [*node.body, *node.orelse]
