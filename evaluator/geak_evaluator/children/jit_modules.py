"""Files as modules that hold nothing but what is kept of them: kernels, literal constants, imports of triton.

What is kept is compiled from a file's syntax tree; a file of the spec's project is read in the same way.
"""

from __future__ import annotations
import __future__

import ast
import types
from collections.abc import Container
from pathlib import Path

import triton
import triton.language

from geak_evaluator.children import jit_told
from geak_evaluator.children.jit_branches import aliases, full_name, settle
from geak_evaluator.children.jit_lines import blanked
from geak_evaluator.children.jit_names import NotPlain, check_bindings, check_body, importable
from geak_evaluator.children.jit_plain import (
    check_definition,
    defined,
    is_import_with_fallback,
    jit,
    literal,
    names,
    plain_import,
    undecorated,
    with_usual_names,
)
from geak_evaluator.schema.plan import Branch, Named

Answers = tuple[tuple[Branch, ...], tuple[Named, ...]]
"""What a plan tells of its files: which branches Python took, and what it found in names."""

_USUAL = {"triton": triton, "tl": triton.language, "jit": triton.jit}


class Loader:
    """Reads a file, and the files of its project that it imports."""

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
        written = blanked(text, tree, kept)
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
