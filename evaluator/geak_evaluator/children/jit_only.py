"""Loading nothing of a candidate but its `@triton.jit` functions, literal constants and imports of triton.

What replays a plan must not run a line of the candidate's Python: a kernel's body is read by Triton, never by Python,
and what such a body may name is a list (`jit_names`). What is kept of a file is compiled from its syntax tree; of the
text only what Triton reads of it is written down again, at its own lines.
"""

from __future__ import annotations
import __future__

import ast
import math
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geak_evaluator.children.jit_names import MODULES, NotPlain, check_body, importable, missing

__all__ = ["Kernels", "NotPlain", "load", "take"]

_SAFE_CALLS = frozenset({"float", "int", "bool", "min", "max", "abs", "round", "len"})
_TRITON_CALLS = frozenset({"tl.constexpr", "triton.language.constexpr", "triton.cdiv", "triton.next_power_of_2"})
_MOST_SHIFT = 64
_FOR_PROFILERS = frozenset({"repr", "launch_metadata"})
"""Functions that `triton.jit` may be given and that no kernel needs: never looked at."""
_FALLBACKS = frozenset({"ImportError", "ModuleNotFoundError", "AttributeError", "Exception"})


@dataclass
class Kernels:
    """The kernels of a file, and those of the project's files that it imports."""

    own: types.ModuleType
    helpers: dict[str, types.ModuleType] = field(default_factory=dict)
    left_out: dict[str, dict[str, ast.stmt]] = field(default_factory=dict)
    """By module: what is defined at its top level and was not kept."""

    def find(self, name: str, module: str = "") -> Any:
        """A kernel by its name; NotPlain where it could not be taken out of its file, or names what could not."""
        found = getattr(self.helpers.get(module, self.own), name, None)
        if not hasattr(found, "arg_names"):
            raise NotPlain(
                f"kernel {name} is no @triton.jit function at the top level of its file: it is made inside a function, "
                "a class or a branch, or called by another name; define it at the top level"
            )
        self._check_names(found, set())
        return found

    def _check_names(self, function: Any, seen: set[int]) -> None:
        if id(function) in seen:
            return
        seen.add(id(function))
        scope, tree = function.fn.__globals__, function.parse().body[0]
        for name in missing(tree, scope):
            culprit = self.left_out.get(scope.get("__name__", ""), {}).get(name.id)
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
    what = "whose value is no literal: the kernel is run without the file's own Python"
    return f"kernel {kernel} names {name}, {what}; write the value out, or hand it over as a tl.constexpr argument"


def take(source: bytes, name: str, folder: Path, project: str = "") -> Kernels:
    """The kernels of a source; NotPlain where something in it stands in the way."""
    loader = _Loader(folder, project)
    kernels = Kernels(loader.module(source, name, ""), loader.helpers, loader.left_out)
    return kernels


def load(source: bytes, name: str, folder: Path, project: str = "") -> types.ModuleType:
    """A module that holds only the kernels of a source, at their own line numbers."""
    return take(source, name, folder, project).own


class _Loader:
    def __init__(self, folder: Path, project: str) -> None:
        self._folder, self._project = folder, project
        self.helpers: dict[str, types.ModuleType] = {}
        self.left_out: dict[str, dict[str, ast.stmt]] = {}

    def module(self, source: bytes, name: str, package: str) -> types.ModuleType:
        """What is kept of a source; a helper is filed before it is read, since it may import whoever imports it."""
        text = source.decode("utf-8")
        tree = ast.parse(text)
        kept = self._kept(tree, package)
        written = _blanked(text, kept)
        if len(ast.parse(written).body) != len({id(node) for node in kept}):
            raise NotPlain("a kernel, an import or a constant shares its line with other code", _stray(tree, kept))
        path = self._folder / f"{name.replace('.', '_')}.py"
        path.write_text(written)
        module = types.ModuleType(name)
        module.__file__ = str(path)
        if package:
            self.helpers[name] = module
        self.left_out[name] = {n: node for node in tree.body if node not in kept for n in _defined(node)}
        own = [node for node in kept if not self._from_project(node, package)]
        for node in kept:
            if node not in own:
                self._bring_in(node, module, package)
        # Annotations stay text: they could be calls.
        flags = __future__.annotations.compiler_flag
        plain = ast.Module([_undecorated(node) for node in own], [])
        exec(compile(plain, str(path), "exec", flags=flags, dont_inherit=True), module.__dict__)
        for node in own:
            if isinstance(node, ast.FunctionDef):
                check_body(node, module.__dict__, frozenset(self.helpers))
        return module

    def _kept(self, tree: ast.Module, package: str) -> list[ast.stmt]:
        constants: set[str] = set()
        kept: list[ast.stmt] = []
        named: set[str] = set()  # what a default value may be besides: a function, something imported
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                if _plain_import(node) or self._from_project(node, package):
                    named |= {alias.asname or alias.name for alias in node.names}
                    kept.append(node)
            elif isinstance(node, ast.Try):
                if _is_import_with_fallback(node):
                    kept.append(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = {n for target in targets for n in _names(target)}
                if names and "" not in names and _literal(node.value, constants):
                    constants |= names
                    kept.append(node)
            elif isinstance(node, ast.FunctionDef) and (decorator := _jit(node)) is not None:
                _check_definition(node, decorator, constants | named)
                named.add(node.name)
                kept.append(node)
        return kept

    # -- files of the project --

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
                return self.module(file.read_bytes(), dotted, package or dotted)
            except NotPlain as error:
                raise NotPlain(f"in {file.relative_to(self._project)}: {error}", error.line) from None
        return self.helpers[dotted]


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The full name of the module that something is imported from."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parts, *(node.module or "").split(".")]).strip(".")


def _plain_import(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import):
        return all(alias.name in MODULES for alias in node.names)
    if not isinstance(node, ast.ImportFrom) or node.level:
        return False
    # Of a mixed import the rest is left out: `from triton import Config, jit`.
    return any(importable(node.module or "", alias.name) for alias in node.names)


def _is_import_with_fallback(node: ast.Try) -> bool:
    """`try: from somewhere import f`, `except ImportError:` from somewhere else, and nothing besides."""
    caught = {ast.unparse(part) for handler in node.handlers for part in _types(handler)}
    handled = [statement for handler in node.handlers for statement in handler.body]
    plain = all(_plain_import(statement) for statement in node.body)
    others = all(_plain_import(s) or isinstance(s, ast.Pass) or _is_flag(s) for s in (*handled, *node.orelse))
    return plain and others and caught <= _FALLBACKS and not node.finalbody


def _types(handler: ast.ExceptHandler) -> list[ast.expr]:
    if handler.type is None:
        return []
    return list(handler.type.elts) if isinstance(handler.type, ast.Tuple) else [handler.type]


def _is_flag(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and "" not in _defined(node)


def _names(target: ast.expr) -> list[str]:
    """The names that an assignment binds; an empty one for whatever is no name."""
    if isinstance(target, ast.Tuple | ast.List):
        return [name for part in target.elts for name in _names(part)]
    return [target.id if isinstance(target, ast.Name) else ""]


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [name for target in node.targets for name in _names(target)]
    if isinstance(node, ast.AnnAssign):
        return _names(node.target)
    inner = [*getattr(node, "body", ()), *getattr(node, "orelse", ())]
    return [name for part in inner if isinstance(part, ast.stmt) for name in _defined(part)]


def _literal(node: ast.expr, constants: set[str]) -> bool:
    """Whether a module-level value is a constant that can be computed without calling anything foreign."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name):
        return node.id in constants
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow | ast.LShift):
        return _is_small(node.right) and _literal(node.left, constants) and not _grows(node.left)
    parts = ast.UnaryOp | ast.BinOp | ast.BoolOp | ast.Compare | ast.IfExp | ast.Tuple | ast.List
    if isinstance(node, parts):
        return all(_literal(part, constants) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        known = node.value.id == "math" and isinstance(getattr(math, node.attr, None), float)
        return known or (node.value.id == "tl" and importable("triton.language", node.attr))
    if isinstance(node, ast.Call) and not node.keywords:
        called = ast.unparse(node.func)
        plain = called in _SAFE_CALLS or called in _TRITON_CALLS
        computed = (
            called.startswith("math.") and callable(getattr(math, called[5:], None)) and called != "math.factorial"
        )
        return (plain or computed) and all(_literal(arg, constants) for arg in node.args)
    return False


def _is_small(node: ast.expr) -> bool:
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value <= _MOST_SHIFT


def _grows(node: ast.expr) -> bool:
    """A tower of powers is work."""
    return any(isinstance(part, ast.Pow | ast.LShift) for part in ast.walk(node))


def _jit(node: ast.FunctionDef) -> ast.expr | None:
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if ast.unparse(called) in ("triton.jit", "jit"):
            return decorator
    return None


def _check_definition(node: ast.FunctionDef, decorator: ast.expr, constants: set[str]) -> None:
    """Refuses a kernel whose definition would make Python compute something."""
    if isinstance(decorator, ast.Call):
        told = [keyword.value for keyword in decorator.keywords if keyword.arg not in _FOR_PROFILERS]
        for value in [*decorator.args, *told]:
            if not _literal(value, constants):
                raise NotPlain(f"kernel {node.name}: its decorator is given something that is no literal", value.lineno)
    arguments = node.args
    for default in [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]:
        if not _literal(default, constants):
            raise NotPlain(f"kernel {node.name}: a default value that is no literal", default.lineno)


def _undecorated(node: ast.stmt) -> ast.stmt:
    """A kernel with its own decorator alone, an import without what no kernel may use."""
    if isinstance(node, ast.FunctionDef):
        decorator = _jit(node)
        assert decorator is not None
        if isinstance(decorator, ast.Call):
            decorator.keywords = [k for k in decorator.keywords if k.arg not in _FOR_PROFILERS]
        node.decorator_list = [decorator]
    if isinstance(node, ast.ImportFrom):
        node.names = [alias for alias in node.names if importable(node.module or "", alias.name)]
    if isinstance(node, ast.Try):
        for part in (node, *node.handlers):
            part.body = [_undecorated(statement) for statement in part.body]
    return node


def _stray(tree: ast.Module, kept: list[ast.stmt]) -> int:
    """The line on which something that is kept meets something that is not."""
    lines = {n for node in kept for n in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return next((node.lineno for node in tree.body if node not in kept and node.lineno in lines), 0)


def _blanked(text: str, kept: list[ast.stmt]) -> str:
    """The source with every other line empty: lines keep their numbers, and kernels only their own decorator."""
    lines = text.splitlines()
    wanted: set[int] = set()
    for node in kept:
        wanted |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        if isinstance(node, ast.FunctionDef):
            decorator = _jit(node)
            assert decorator is not None
            wanted |= set(range(decorator.lineno, (decorator.end_lineno or decorator.lineno) + 1))
    return "\n".join(line if number in wanted else "" for number, line in enumerate(lines, 1)) + "\n"
