"""Loading nothing of a candidate but its `@triton.jit` functions, literal constants and imports of triton.

What replays a plan must not run a line of the candidate's Python: a kernel's body is read by Triton, never by Python,
and what such a body may name is a list (`jit_names`). What is kept of a file is compiled from its syntax tree; of the
text only what Triton reads of it is written down again, at its own lines.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from geak_evaluator.children import jit_read
from geak_evaluator.children.jit_modules import Answers, Loader
from geak_evaluator.children.jit_names import NotPlain, missing
from geak_evaluator.children.jit_plain import defined, with_usual_names
from geak_evaluator.schema.plan import Plan

__all__ = ["Answers", "Kernels", "NotPlain", "load", "plain_names", "take"]

jit_read.teach()


@dataclass
class Kernels:
    """The kernels of a file, and those of the project's files that it imports."""

    own: types.ModuleType
    helpers: dict[str, types.ModuleType] = field(default_factory=dict)
    left_out: dict[str, dict[str, ast.stmt]] = field(default_factory=dict)
    """By module: what is defined at its top level and was not kept."""
    refused: dict[tuple[str, str], NotPlain] = field(default_factory=dict)
    """By module and name: kernels that may not be run; they are in nobody's way who does not need them."""
    _again: Callable[[Answers], Kernels] | None = None
    _others: dict[Answers, Kernels] = field(default_factory=dict)
    _found: dict[tuple[str, str], Any] = field(default_factory=dict)

    def under(self, plan: Plan) -> Kernels:
        """Those of the same file with what a plan tells of it."""
        told = (plan.branches, plan.names)
        if not any(told) or self._again is None:
            return self
        if told not in self._others:
            self._others[told] = self._again(told)
        return self._others[told]

    def find(self, name: str, module: str = "") -> Any:
        """A kernel by its name; NotPlain where it could not be taken out of its file, or names what could not."""
        if (name, module) in self._found:
            return self._found[name, module]
        home = self.helpers.get(module, self.own)
        self._check_refused(home.__name__, name)
        found = getattr(home, name, None)
        if not hasattr(found, "arg_names"):
            raise NotPlain(
                f"kernel {name} is no @triton.jit function at the top level of its file: it is made inside a function, "
                "a class or a branch, or called by another name; define it at the top level"
            )
        self._check_names(found, set())
        self._found[name, module] = found
        return found

    def _check_refused(self, module: str, name: str) -> None:
        error = self.refused.get((module, name), self.refused.get((module, "")))
        if error is not None:
            raise error

    def _check_names(self, function: Any, seen: set[int]) -> None:
        if id(function) in seen:
            return
        seen.add(id(function))
        scope, tree = function.fn.__globals__, function.parse().body[0]
        left_out = self.left_out.get(scope.get("__name__", ""), {})
        for name in missing(tree, scope, left_out):
            self._check_refused(str(scope.get("__name__", "")), name.id)
            culprit = left_out.get(name.id)
            if culprit is not None:
                raise NotPlain(_about(function.fn.__name__, name.id, culprit), culprit.lineno)
        for node in ast.walk(tree):
            called = scope.get(node.id) if isinstance(node, ast.Name) else None
            if hasattr(called, "arg_names"):
                self._check_names(called, seen)


def _about(kernel: str, name: str, culprit: ast.stmt) -> str:
    if isinstance(culprit, ast.FunctionDef | ast.ClassDef):
        what = f"which is a plain Python {'class' if isinstance(culprit, ast.ClassDef) else 'function'}"
        return f"kernel {kernel} names {name}, {what}; make it a @triton.jit function, or hand its result over"
    if isinstance(culprit, ast.ImportFrom):
        home = f"{'.' * culprit.level}{culprit.module or ''}"
        what = f"which is imported from {home}, neither Triton's nor a file of the spec's project"
        return f"kernel {kernel} names {name}, {what}; copy it into the file, or let the spec name the project"
    what = "whose value is no literal: the kernel is run without the file's own Python"
    return f"kernel {kernel} names {name}, {what}; write the value out, or hand it over as a tl.constexpr argument"


def take(
    source: bytes, name: str, folder: Path, project: str = "", backend: str = "", told: Answers = ((), ())
) -> Kernels:
    """The kernels of a source, on a backend or that of this process; NotPlain where something stands in the way."""
    loader = Loader(folder, project, backend or ("hip" if torch.version.hip else "cuda"), told)
    again = partial(take, source, name, folder, project, backend)
    own = loader.module(source, name, "")
    return Kernels(own, loader.helpers, loader.left_out, loader.refused, again)


def plain_names(tree: ast.Module) -> tuple[set[str], list[tuple[str, str]]]:
    """The names of a file, once settled, that reading tells, and the arguments whose defaults it does not tell."""
    with_usual_names(tree)
    given = _Given()
    kept = Loader(Path(), "", "", ((), ())).kept(tree, "", given, {})
    return {name for node in kept for name in defined(node)}, given.asked


class _Given(Container[str]):
    """Says of every default that it is known, and notes which were asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __contains__(self, name: object) -> bool:
        function, _, argument = str(name).removesuffix(")").partition("(")
        self.asked.append((function, argument))
        return True


def load(source: bytes, name: str, folder: Path, project: str = "") -> types.ModuleType:
    """A module that holds only the kernels of a source, at their own line numbers."""
    found = take(source, name, folder, project)
    for refusal in found.refused.values():
        raise refusal
    return found.own
