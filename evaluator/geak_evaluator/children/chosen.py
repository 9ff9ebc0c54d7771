"""What the conditions came to by which a file chooses among definitions, where reading them does not tell.

In a candidate's child, which ran the file: `if has_fast_exp():` is asked again among the file's own names. The answer
is the candidate's, and chooses among what its kernels could be in any case.
"""

from __future__ import annotations

import ast
import contextlib
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from geak_evaluator.children.jit_branches import settle
from geak_evaluator.schema.plan import Branch

_MOST = 64
_OTHERS = frozenset({"triton", "torch"})


class Chosen:
    """Answers kept for the life of a child: one condition has one answer."""

    def __init__(self) -> None:
        self._by_module: dict[str, tuple[Branch, ...]] = {}

    def by(self, functions: Iterable[Any]) -> tuple[Branch, ...]:
        """Those of the files that kernels, and whatever they may call, are defined in."""
        found: dict[str, tuple[Branch, ...]] = {}
        ahead = [scope for function in functions for scope in _scopes(function)]
        while ahead:
            scope = ahead.pop()
            name = str(scope.get("__name__", ""))
            if name in found or name.partition(".")[0] in _OTHERS:
                continue
            if name not in self._by_module:
                self._by_module[name] = _asked(scope)
            found[name] = self._by_module[name]
            for value in list(scope.values()):
                inner = vars(value).values() if isinstance(value, types.ModuleType) else [value]
                ahead += [one for part in list(inner) for one in _scopes(part)]
        return tuple(branch for name in sorted(found) for branch in found[name])[:_MOST]


def _scopes(value: Any) -> list[dict[str, Any]]:
    """The names that a `@triton.jit` function is read with, whatever is wrapped around it."""
    while type(value).__module__.startswith("triton.") and hasattr(value, "fn"):
        value = value.fn
    return [value.__globals__] if isinstance(value, types.FunctionType) else []


def _asked(scope: dict[str, Any]) -> tuple[Branch, ...]:
    try:
        path = Path(scope["__file__"])
        tree = ast.parse(path.read_bytes())
    except (KeyError, TypeError, OSError, ValueError, SyntaxError):
        return ()
    module = "" if path.parent == Path.cwd() / "source" else str(scope["__name__"])
    told: dict[int, bool] = {}
    asked: set[int] = set()
    # What is taken may hold further branches, whose conditions make sense only there.
    while new := [node for node in _untold(tree, told) if node.lineno not in asked]:
        for node in new:
            asked.add(node.lineno)
            with contextlib.suppress(Exception):
                told[node.lineno] = bool(eval(compile(ast.Expression(node.test), str(path), "eval"), scope))
    return tuple(Branch(module, line, held) for line, held in sorted(told.items()))


def _untold(tree: ast.Module, told: dict[int, bool]) -> list[ast.If]:
    return settle(ast.Module(list(tree.body), []), "hip" if torch.version.hip else "cuda", told)
