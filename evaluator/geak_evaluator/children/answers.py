"""What reading a file does not tell of its kernels, asked of the Python that ran it, in a candidate's child.

`if has_fast_exp():` is asked again among the file's own names, and `LIMIT` is looked up. The answers are the
candidate's: they choose among definitions that are plain, and give values that could as well be written out.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from geak_evaluator.children import jit_only, jit_told
from geak_evaluator.children.jit_branches import settle
from geak_evaluator.children.jit_plain import jit
from geak_evaluator.schema.plan import Branch, Named

_MOST = 64
_OTHERS = frozenset({"triton", "torch"})


class Answers:
    """Kept for the life of a child: one question has one answer."""

    def __init__(self) -> None:
        self._by_module: dict[str, jit_only.Answers] = {}

    def about(self, functions: Iterable[Any]) -> jit_only.Answers:
        """Those of the files that kernels, and whatever they may call, are defined in."""
        found: dict[str, jit_only.Answers] = {}
        seen: set[types.FunctionType] = set()
        ahead = [function for value in functions if (function := _python(value)) is not None]
        while ahead:
            function = ahead.pop()
            name = str(function.__globals__.get("__name__", ""))
            if function in seen or name.partition(".")[0] in _OTHERS:
                continue
            seen.add(function)
            if name not in self._by_module:
                self._by_module[name] = _asked(function.__globals__)
            found[name] = self._by_module[name]
            ahead += _called(function)
        branches = [branch for name in sorted(found) for branch in found[name][0]]
        return tuple(branches[:_MOST]), tuple([named for name in sorted(found) for named in found[name][1]][:_MOST])


def _called(function: types.FunctionType) -> list[types.FunctionType]:
    """The kernels that one names: what else is loaded meanwhile makes no difference."""
    words = function.__code__.co_names
    values = [function.__globals__.get(word) for word in words]
    values += [vars(value).get(word) for value in values if isinstance(value, types.ModuleType) for word in words]
    values += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return [found for value in values if (found := _python(value)) is not None and found is not value]


def _python(value: Any) -> types.FunctionType | None:
    while type(value).__module__.startswith("triton.") and hasattr(value, "fn"):
        value = value.fn
    return value if isinstance(value, types.FunctionType) else None


def _asked(scope: dict[str, Any]) -> jit_only.Answers:
    try:
        path = Path(scope["__file__"])
        source = path.read_bytes()
        tree = ast.parse(source)
    except (KeyError, TypeError, OSError, ValueError, SyntaxError):
        return (), ()
    module = "" if path.parent == Path.cwd() / "source" else str(scope["__name__"])
    told: dict[int, bool] = {}
    asked: set[int] = set()
    # What is taken may hold further branches, whose conditions make sense only there.
    while new := [node for node in _untold(tree, told) if node.lineno not in asked]:
        for node in new:
            asked.add(node.lineno)
            with contextlib.suppress(Exception):
                told[node.lineno] = bool(eval(compile(ast.Expression(node.test), str(path), "eval"), scope))
    branches = tuple(Branch(module, line, held) for line, held in sorted(told.items()))
    return branches, tuple(_named(source, module, scope, told))


def _untold(tree: ast.Module, told: dict[int, bool]) -> list[ast.If]:
    return settle(ast.Module(list(tree.body), []), _backend(), told)


def _backend() -> str:
    return "hip" if torch.version.hip else "cuda"


def _named(source: bytes, module: str, scope: dict[str, Any], told: dict[int, bool]) -> Iterator[Named]:
    tree = ast.parse(source)
    settle(tree, _backend(), told)
    kernels = [node for node in tree.body if isinstance(node, ast.FunctionDef) and jit(node) is not None]
    wanted = {part.id for node in kernels for part in ast.walk(node) if isinstance(part, ast.Name)}
    plain, defaults = jit_only.plain_names(tree)
    for name in sorted((wanted - plain) & scope.keys()):
        if (found := jit_told.told(module, name, scope[name])) is not None:
            yield found
    for function, argument in defaults:
        called = _python(scope.get(function))
        if called is not None and argument in (parameters := inspect.signature(called).parameters):
            found = jit_told.told(module, jit_told.default(function, argument), parameters[argument].default)
            if found is not None:
                yield found
