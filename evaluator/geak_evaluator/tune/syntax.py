"""A kernel file as a syntax tree, with the places of its numbers in the text."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

_USUAL = {"tl": "triton.language", "jit": "triton.jit"}
"""What these names stand for where a file does not say."""


@dataclass(frozen=True, order=True)
class Span:
    """A piece of a file's text, in bytes."""

    start: int
    end: int


class Source:
    """One file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.tree = ast.parse(data)
        self._starts = [0, *(found.end() for found in re.finditer(rb"\r\n|\r|\n", data))]
        self._above = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def span(self, node: ast.expr) -> Span:
        """Where an expression lies."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return Span(
            self._starts[node.lineno - 1] + node.col_offset, self._starts[node.end_lineno - 1] + node.end_col_offset
        )

    @cached_property
    def aliases(self) -> dict[str, str]:
        """What imported names stand for."""
        found = dict(_USUAL)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.asname: alias.name for alias in node.names if alias.asname}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        return found

    def full(self, node: ast.AST) -> str:
        """A dotted name in full, whatever it was imported as; nothing where it is no name."""
        if isinstance(node, ast.Attribute):
            owner = self.full(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return self.aliases.get(node.id, node.id) if isinstance(node, ast.Name) else ""

    def above(self, node: ast.AST) -> ast.AST | None:
        """What a node is a part of."""
        return self._above.get(node)

    def around(self, node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda]:
        """The functions that a node lies in, the nearest first."""
        while (above := self._above.get(node)) is not None:
            if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield above
            node = above

    def bound(self, name: str, node: ast.AST) -> ast.expr | None:
        """The one expression that gives a name its value where it is used; None where there is not just one."""
        for scope in (*self.around(node), self.tree):
            found = list(_bindings(scope, name))
            if found:
                return found[0] if len(found) == 1 else None
        return None


def integer(node: ast.AST | None) -> int | None:
    """The number that a literal is."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def named(node: ast.AST, names: set[str]) -> set[str]:
    """Which of these names occur in an expression."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} & names


def _bindings(scope: ast.AST, name: str) -> Iterator[ast.expr | None]:
    """What binds a name in a scope: an expression, or None where it is something that cannot be followed."""
    if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        yield from _defaults(scope.args, name)
    body = scope.body if isinstance(scope, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) else []
    plain = partial(_plainly, body)
    for node in _own(body):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _unpacked(target, node.value, name)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                yield from _unpacked(node.target, node.value, name)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            if name in node.names:
                yield None
        elif isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store) and not plain(node):
            yield None


def _plainly(body: list[ast.stmt], name: ast.Name) -> bool:
    """Whether a name is bound by an assignment, which is counted there."""
    for node in _own(body):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        if any(part is name for target in targets for part in ast.walk(target)):
            return True
    return False


def _defaults(arguments: ast.arguments, name: str) -> Iterator[ast.expr | None]:
    ordered = [*arguments.posonlyargs, *arguments.args]
    values = [*[None] * (len(ordered) - len(arguments.defaults)), *arguments.defaults]
    rest = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    pairs = [*zip(ordered, values, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    for argument, value in [*pairs, *((argument, None) for argument in rest)]:
        if argument.arg == name:
            yield value


def _own(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Every node of a body that is not in a function or class of its own."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def _unpacked(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr | None]:
    if isinstance(target, ast.Name):
        if target.id == name:
            yield value
    elif isinstance(target, ast.Tuple | ast.List):
        whole = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
        if whole and not any(isinstance(part, ast.Starred) for part in target.elts):
            assert isinstance(value, ast.Tuple | ast.List)
            for part, item in zip(target.elts, value.elts, strict=True):
                yield from _unpacked(part, item, name)
        elif any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(target)):
            yield None
