"""Small questions about pieces of syntax."""

from __future__ import annotations

import ast

from geak.drafting.source import dotted


def load(node: ast.expr) -> ast.expr:
    """An assignment's target, read instead of written."""
    copy: ast.expr = ast.parse(ast.unparse(node), mode="eval").body
    return copy


def is_none(test: ast.expr) -> str | None:
    """`x` for the tests `x is None` and `not x`."""
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Is) and isinstance(test.left, ast.Name):
        right = test.comparators[0]
        return test.left.id if isinstance(right, ast.Constant) and right.value is None else None
    return None


def is_method(node: ast.expr, name: str) -> bool:
    """Whether it is a call `….name(...)`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name


def is_sizes(node: ast.expr) -> bool:
    """`x.shape[0], x.shape[1]` or `x.size()`: what stands left of it names sizes."""
    if isinstance(node, ast.Tuple):
        return all(is_sizes(e) for e in node.elts)
    if isinstance(node, ast.Subscript):
        return is_sizes(node.value)
    return dotted(node).endswith((".shape", ".size"))
