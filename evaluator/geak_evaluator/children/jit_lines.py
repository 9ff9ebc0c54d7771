"""A source with all but what is kept of it blank, so that Triton reads each kernel at its own lines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from geak_evaluator.children.jit_branches import HEADERS
from geak_evaluator.children.jit_names import NotPlain
from geak_evaluator.children.jit_plain import jit


def blanked(text: str, tree: ast.Module, kept: list[ast.stmt]) -> str:
    """The source with every other line empty; NotPlain where what is kept shares a line with what is not."""
    written = _blanked(text, kept)
    if len(list(_statements(written))) != len({id(node) for node in kept}):
        raise NotPlain("a kernel, an import or a constant shares its line with other code", _stray(tree, kept))
    return written


def _stray(tree: ast.Module, kept: list[ast.stmt]) -> int:
    """The line on which something that is kept meets something that is not."""
    lines = {n for node in kept for n in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return next((node.lineno for node in tree.body if node not in kept and node.lineno in lines), 0)


def _statements(text: str) -> Iterator[ast.stmt]:
    """Those at the top level, and those of its branches."""
    nodes = ast.parse(text).body
    while nodes:
        yield from (node for node in nodes if not isinstance(node, ast.If))
        nodes = [inner for node in nodes if isinstance(node, ast.If) for inner in node.body]


def _blanked(text: str, kept: list[ast.stmt]) -> str:
    """The source with every other line empty: lines keep their numbers, and kernels only their own decorator."""
    lines = re.split(r"\r\n|\r|\n", text)  # as Python counts them; splitlines() knows further ends of lines
    wanted: set[int] = set()
    for node in kept:
        wanted |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        if isinstance(node, ast.FunctionDef):
            decorator = jit(node)
            assert decorator is not None
            wanted |= set(range(decorator.lineno, (decorator.end_lineno or decorator.lineno) + 1))
    headers = {line: " " * column + "if True:" for node in kept for line, column in getattr(node, HEADERS, ())}
    found = (line if n in wanted else headers.get(n, "") for n, line in enumerate(lines, 1))
    return "\n".join(found) + "\n"
