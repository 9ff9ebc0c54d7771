"""Loading nothing of a candidate but its `@triton.jit` functions, literal constants and imports of triton.

What replays a plan must not run a line of the candidate's Python: a kernel's body is read by Triton, never by Python,
and what such a body may name is a list (`jit_names`). What is kept of a file is compiled from its syntax tree; of the
text only what Triton reads of it is written down again, at its own lines.
"""

from __future__ import annotations
import __future__

import ast
import hashlib
import re
import types
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
import triton
import triton.language
from triton.compiler.code_generator import CodeGenerator

from geak_evaluator.children import jit_told
from geak_evaluator.children.jit_branches import HEADERS, aliases, full_name, settle
from geak_evaluator.children.jit_names import NotPlain, check_bindings, check_body, importable, missing
from geak_evaluator.children.jit_plain import (
    check_definition,
    defined,
    give_default,
    is_import_with_fallback,
    jit,
    literal,
    names,
    plain_import,
    undecorated,
    with_default,
    with_usual_names,
)
from geak_evaluator.schema.plan import Branch, Named, Plan

__all__ = ["Kernels", "NotPlain", "fingerprint", "load", "take"]

Answers = tuple[tuple[Branch, ...], tuple[Named, ...]]
"""What a plan tells of its files: which branches Python took, and what it found in names."""


_USUAL = {"triton": triton, "tl": triton.language, "jit": triton.jit}


_visit_arg = CodeGenerator.visit_arg
_OF_TORCH = re.compile(r"torch(\.\w+)+")


def _visit_bare(self: Any, node: ast.arg) -> Any:
    """Triton looks an argument's annotation up, and makes no use of it; torch is not there to be found."""
    told = node.annotation
    if told is not None and _OF_TORCH.fullmatch(ast.unparse(told)):
        node = ast.copy_location(ast.arg(arg=node.arg), node)
    return _visit_arg(self, node)


CodeGenerator.visit_arg = _visit_bare
_visit_function = CodeGenerator.visit_FunctionDef


def _visit_told(self: Any, node: ast.FunctionDef) -> Any:
    """Triton works defaults out again from the text; one that was told is found under the name that it goes by."""
    for argument, given in with_default(node):
        name = jit_told.default(node.name, argument)
        if name in self.gscope:
            give_default(node, argument, ast.copy_location(ast.Name(name, ast.Load()), given))
    return _visit_function(self, node)


CodeGenerator.visit_FunctionDef = _visit_told


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
    loader = _Loader(folder, project, backend or ("hip" if torch.version.hip else "cuda"), told)
    again = partial(take, source, name, folder, project, backend)
    own = loader.module(source, name, "")
    return Kernels(own, loader.helpers, loader.left_out, loader.refused, again)


def plain_names(tree: ast.Module) -> tuple[set[str], list[tuple[str, str]]]:
    """The names of a file, once settled, that reading tells, and the arguments whose defaults it does not tell."""
    with_usual_names(tree)
    given = _Given()
    kept = _Loader(Path(), "", "", ((), ())).kept(tree, "", given, {})
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


@cache
def fingerprint(kernel: Any) -> str:
    """A kernel as a few letters: its text, that of the kernels that it calls, and the constants that they name.

    Comments and spaces make no difference.
    """
    return hashlib.sha256(repr(list(_parts(kernel, set()))).encode()).hexdigest()[:16]


def _parts(kernel: Any, seen: set[int]) -> Iterator[tuple[str, ...]]:
    if id(kernel) in seen:
        return
    seen.add(id(kernel))
    text, names = _text(kernel.src)
    yield (text,)
    for name in names:
        value = kernel.fn.__globals__.get(name)
        if hasattr(value, "arg_names") and hasattr(value, "src"):
            yield from _parts(value, seen)
        elif isinstance(value := getattr(value, "value", value), int | float | str):
            yield name, repr(value)


@cache
def _text(source: str) -> tuple[str, tuple[str, ...]]:
    """A kernel's text as a few letters, and the names that it takes from its file."""
    tree = ast.parse(source)
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    bound |= {node.id for node in nodes if not isinstance(node.ctx, ast.Load)}
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(sorted({node.id for node in nodes} - bound))


class _Loader:
    def __init__(self, folder: Path, project: str, backend: str, told: Answers) -> None:
        self._folder, self._project, self._backend = folder, project, backend
        self._branches, self._names = told
        self.helpers: dict[str, types.ModuleType] = {}
        self.left_out: dict[str, dict[str, ast.stmt]] = {}
        self.refused: dict[tuple[str, str], NotPlain] = {}

    def module(self, source: bytes, name: str, package: str) -> types.ModuleType:
        """What is kept of a source; a helper is filed before it is read, since it may import whoever imports it."""
        text = source.decode("utf-8")
        tree = ast.parse(text)
        mine = name if package else ""
        told = {one.name: jit_told.value(one) for one in self._names if one.module == mine}
        settle(tree, self._backend, {one.line: one.taken for one in self._branches if one.module == mine})
        check_bindings(tree.body)
        borrowed = with_usual_names(tree)
        refused: dict[str, NotPlain] = {}
        kept = self.kept(tree, package, told, refused)
        written = _blanked(text, kept)
        if len(list(_statements(written))) != len({id(node) for node in kept}):
            raise NotPlain("a kernel, an import or a constant shares its line with other code", _stray(tree, kept))
        path = self._folder / f"{name.replace('.', '_')}.py"
        path.write_text(written)
        module = types.ModuleType(name)
        module.__file__ = str(path)
        if package:
            self.helpers[name] = module
        self.left_out[name] = {n: node for node in tree.body if node not in kept for n in defined(node)}
        own = [node for node in kept if not self._from_project(node, package)]
        for node in kept:
            if node not in own:
                self._bring_in(node, module, package)
        # Annotations stay text: they could be calls.
        flags = __future__.annotations.compiler_flag
        plain = ast.Module([undecorated(node) for node in own], [])
        defaults = {name: value for name, value in told.items() if not name.isidentifier()}
        module.__dict__.update({name: _USUAL[name] for name in borrowed} | defaults)
        exec(compile(plain, str(path), "exec", flags=flags, dont_inherit=True), module.__dict__)
        for name in borrowed:
            del module.__dict__[name]  # a body is read with the names of its own file
        for name in told.keys() - module.__dict__.keys():
            module.__dict__[name] = told[name]
            self.left_out[module.__name__].pop(name, None)
        self._leave_out([node for node in own if isinstance(node, ast.FunctionDef)], module, refused)
        return module

    def _leave_out(self, nodes: list[ast.FunctionDef], module: types.ModuleType, refused: dict[str, NotPlain]) -> None:
        """Takes away the kernels that may not be run, and those that have one of them as a default value."""
        scope = module.__dict__
        for node in nodes:
            try:
                check_body(node, scope, self.helpers)
            except NotPlain as error:
                refused.setdefault(node.name, error)
        before = -1
        while before < len(refused):
            before = len(refused)
            for function in (scope[node.name] for node in nodes if node.name not in refused):
                values = [*(function.fn.__defaults__ or ()), *(function.fn.__kwdefaults__ or {}).values()]
                bad = [
                    name for value in values if (name := getattr(getattr(value, "fn", None), "__name__", "")) in refused
                ]
                if bad:
                    refused[function.fn.__name__] = refused[bad[0]]
        for name, refusal in refused.items():
            self.refused[module.__name__, name] = refusal
            scope.pop(name, None)

    def kept(
        self, tree: ast.Module, package: str, told: Container[str], refused: dict[str, NotPlain]
    ) -> list[ast.stmt]:
        """The statements that are plain, or are once `told` are known; kernels that are not go to `refused`."""
        constants: set[str] = set()
        kept: list[ast.stmt] = []
        named: set[str] = set()  # what a default value may be besides: a function, something imported
        modules: dict[str, str] = {}
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                if isinstance(node, ast.Import):  # of `import torch, triton` only a part may be kept
                    node.names = [alias for alias in node.names if self._own_or_plain(ast.Import([alias]), package)]
                if node.names and self._own_or_plain(node, package):
                    named |= {alias.asname or alias.name for alias in node.names}
                    modules |= aliases(node)
                    kept.append(node)
            elif isinstance(node, ast.Try):
                if is_import_with_fallback(node):
                    kept.append(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                bound = {name for target in targets for name in names(target)}
                home, _, name = full_name(node.value, modules).rpartition(".")
                if "" not in bound and (literal(node.value, constants) or importable(home, name)):
                    constants |= bound
                    kept.append(node)
            elif isinstance(node, ast.FunctionDef) and (decorator := jit(node)) is not None:
                try:
                    check_definition(node, decorator, constants | named, told)
                except NotPlain as error:
                    refused[node.name] = error
                    continue
                named.add(node.name)
                kept.append(node)
        return kept

    # -- files of the project --

    def _own_or_plain(self, node: ast.Import | ast.ImportFrom, package: str) -> bool:
        return plain_import(node) or self._from_project(node, package)

    def _from_project(self, node: ast.stmt, package: str) -> bool:
        if isinstance(node, ast.Import):
            return all(self._file(alias.name) is not None for alias in node.names)
        if not isinstance(node, ast.ImportFrom):
            return False
        base = _absolute(node, package)
        return self._file(base) is not None or any(self._file(f"{base}.{a.name}") for a in node.names)

    def _file(self, dotted: str) -> Path | None:
        """The file of the project that a module's name stands for."""
        if not self._project or not dotted:
            return None
        path = Path(self._project, *dotted.split("."))
        return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)

    def _bring_in(self, node: ast.stmt, module: types.ModuleType, package: str) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._bind(module, alias.name, alias.asname)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            for alias in node.names:
                beside = f"{base}.{alias.name}"
                helper = self._helper(base)
                if helper is not None and hasattr(helper, alias.name):
                    setattr(module, alias.asname or alias.name, getattr(helper, alias.name))
                elif refusal := self.refused.get((base, alias.name), self.refused.get((base, ""))):
                    self.refused[module.__name__, alias.asname or alias.name] = refusal
                elif self._file(beside):
                    setattr(module, alias.asname or alias.name, self._helper(beside))

    def _bind(self, module: types.ModuleType, dotted: str, asname: str | None) -> None:
        if asname or "." not in dotted:
            setattr(module, asname or dotted, self._helper(dotted))
            return
        parts = dotted.split(".")
        owner = module
        for i, part in enumerate(parts):
            inner = self._helper(".".join(parts[: i + 1])) or types.ModuleType(".".join(parts[: i + 1]))
            self.helpers.setdefault(inner.__name__, inner)
            setattr(owner, part, inner)
            owner = inner

    def _helper(self, dotted: str) -> types.ModuleType | None:
        if dotted not in self.helpers:
            file = self._file(dotted)
            if file is None:
                return None
            package = dotted if file.name == "__init__.py" else dotted.rpartition(".")[0]
            try:
                self.module(file.read_bytes(), dotted, package or dotted)
            except NotPlain as error:
                self.refused[dotted, ""] = error
                self.helpers[dotted] = types.ModuleType(dotted)
            for (home, name), refusal in list(self.refused.items()):
                if home == dotted and not str(refusal).startswith("in "):
                    text = f"in {file.relative_to(self._project)}: {refusal}"
                    self.refused[home, name] = NotPlain(text, refusal.line)
        return self.helpers[dotted]


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The full name of the module that something is imported from."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parts, *(node.module or "").split(".")]).strip(".")


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
