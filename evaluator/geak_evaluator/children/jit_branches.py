"""Branches at the top level of a kernel file: the one that is taken on a target, found without running a line of it.

`if torch.version.hip:` and `try: f = tl.name` choose between kernels. What such a condition may say is a list. What any
other came to is told with a plan, by the child that ran the file: it chooses among what is plain, and brings in nothing
else. A branch that nobody tells stays one, and nothing of it is kept.
"""

from __future__ import annotations

import ast
import importlib
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
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
HEADERS = "geak_headers"
"""An attribute of a statement that stood in branches: the line before the first of each, and the column of its `if`."""


class _Untold(Exception):
    """A condition that says more than the list has."""


def settle(tree: ast.Module, backend: str, told: Mapping[int, bool] = MappingProxyType({})) -> list[ast.If]:
    """Puts what is taken in the place of its branch; returns the branches that stay, of which `told` says nothing."""
    known = {"__name__": "", **{version: _version(version, backend) for version in _VERSIONS}}
    found = _Settling(known, {}, told, [])
    tree.body = [one for node in tree.body for one in _taken(node, found)]
    return found.stay


@dataclass(frozen=True)
class _Settling:
    known: dict[str, Any]
    modules: dict[str, str]
    told: Mapping[int, bool]
    """By line, whether a condition held."""
    stay: list[ast.If]


def _version(name: str, backend: str) -> str | None:
    return "0.0" if name.endswith("hip") is (backend == "hip") else None


def _taken(node: ast.stmt, found: _Settling) -> list[ast.stmt]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        try:
            found.known[node.targets[0].id] = _value(node.value, found.known)
        except _Untold:
            found.known.pop(node.targets[0].id, None)
    found.modules.update(aliases(node))
    chosen = None
    if isinstance(node, ast.If):
        try:
            holds = bool(_value(node.test, found.known))
        except _Untold:
            if node.lineno not in found.told:
                found.stay.append(node)
                return [node]
            holds = found.told[node.lineno]
        chosen = node.body if holds else node.orelse
    elif isinstance(node, ast.Try) and not node.finalbody and _names(node):
        chosen = _tried(node, found.modules)
    if chosen is None:
        return [node]
    first = min((_first(part) for part in chosen), default=0)
    if chosen and first <= node.lineno:  # it shares a line with what chose it
        return [node]
    inner = [one for part in chosen for one in _taken(part, found)]
    if [part.col_offset for part in chosen] != [node.col_offset]:  # an `elif` stands no deeper
        for one in inner:
            setattr(one, HEADERS, ((first - 1, node.col_offset), *getattr(one, HEADERS, ())))
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
