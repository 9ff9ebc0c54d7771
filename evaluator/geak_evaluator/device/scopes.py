"""Which names outlive a branch or a loop: to Triton's compiler both are regions of their own, to Python they are not.

What is bound in one first is unknown behind it, so that a constant of the file with that name counts again; what was no
value of Triton's before it is what it was; and behind a loop nobody knows what its variable holds.
"""

import ast
from functools import cache
from typing import Any

import triton.language as tl

from geak_evaluator.device.errors import KernelAssertion

Scope = dict[str, Any]


class _Unknown:
    """What the variable of a loop is behind it."""


UNKNOWN = _Unknown()


def used(name: str) -> KernelAssertion:
    """That a kernel uses such a variable."""
    return KernelAssertion(f"'{name}' is used behind the loop that counts by it, where Triton leaves it undefined")


@cache
def bound(node: ast.stmt) -> frozenset[str]:
    """The names that a statement binds, its own variable included."""
    return _names([node])


@cache
def _in_both(node: ast.If) -> frozenset[str]:
    return _names(node.body) & _names(node.orelse)


def _names(body: list[ast.stmt]) -> frozenset[str]:
    nodes = (node for statement in body for node in ast.walk(statement))
    return frozenset(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


def leave_branch(node: ast.If, before: Scope, scope: Scope) -> None:
    """Behind an `if` that a value decides."""
    for name in bound(node):
        if name not in before:
            if name not in _in_both(node):
                scope.pop(name, None)
        elif not isinstance(before[name], tl.core.base_value):
            scope[name] = before[name]


def fresh(node: ast.For | ast.While, scope: Scope) -> list[str]:
    """The names that only a loop's body binds: each turn begins without them, and so does what follows."""
    return [name for name in bound(node) if name not in scope]


def forget(names: list[str], scope: Scope) -> None:
    """At the end of a turn."""
    for name in names:
        scope.pop(name, None)
