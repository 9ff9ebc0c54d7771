"""What the body of a `@triton.jit` function may name: Triton calls some of it, so that it must be a list."""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
import types
from collections.abc import Container, Iterator, Mapping
from typing import Any

from geak_evaluator.children.jit_values import of_others, of_values

LANGUAGE = "triton.language"
_EXTRA = f"{LANGUAGE}.extra"
_INDUCTOR = "torch._inductor.runtime.triton_helpers"
"""Kernels of torch's own that what torch.compile emits is written with."""
MODULES = frozenset(
    {
        *("math", "triton", LANGUAGE, f"{LANGUAGE}.math", f"{LANGUAGE}.random", f"{LANGUAGE}.libdevice"),
        *(_EXTRA, f"{_EXTRA}.libdevice"),
        *(f"{_EXTRA}.{side}{part}" for side in ("cuda", "hip") for part in ("", ".libdevice", ".utils", ".gdc")),
        _INDUCTOR,
    }
)
"""Modules whose names a kernel may use; of `triton` itself only a few."""
INNER = frozenset({f"{LANGUAGE}.core", f"{LANGUAGE}.standard"})
"""Where the language's words are defined: those that it hands on go by these names too, and a few that it does not."""
_OF_INNER = frozenset({f"{LANGUAGE}.standard._log2", f"{LANGUAGE}.core.get_int_dtype"})
_OF_TRITON = frozenset({"jit", "cdiv", "next_power_of_2", "language", "constexpr"})
_NO_CALL = frozenset({"getattr", "setattr", "eval", "exec", "compile", "open"})
_PLAIN = (bool, int, float, str, type(None), tuple, list)

_OWN_NAMES = {
    "triton": {"triton"},
    "tl": {LANGUAGE},
    "language": {LANGUAGE},
    "math": {"math", f"{LANGUAGE}.math"},
    "jit": {"triton.jit"},
    "constexpr": {f"{LANGUAGE}.constexpr", f"{LANGUAGE}.core.constexpr"},
}
"""Names by which definitions are recognised, and what alone they may be bound to."""
SAFE_CALLS = frozenset({"float", "int", "bool", "min", "max", "abs", "round", "len"})
"""Functions of Python's that a constant may be computed with."""
_FLAGS = frozenset({"ALL", "NONE"})
"""What `tl.PropagateNan` has, an enumeration of Triton's compiled part."""


UNKNOWN = object()
"""What a name stands for that is bound nowhere at the top level."""


class NotPlain(ValueError):
    """A kernel file whose kernels cannot be taken out of it; the message says what stands in the way."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def importable(module: str, name: str) -> bool:
    """Whether `from module import name` brings in something that a kernel may use."""
    if f"{module}.{name}" == _INDUCTOR:
        return True
    if module in INNER:
        return _handed_on(importlib.import_module(module), name)
    if module not in MODULES or name.startswith("_") or name == "*":
        return False
    if module == "triton":
        return name in _OF_TRITON
    try:
        value = getattr(importlib.import_module(module), name, None)
        value = importlib.import_module(f"{module}.{name}") if value is None else value
    except ImportError:
        return True  # it will fail as it does in the file, where that may be expected
    return _may_be_named(value)


def check_bindings(nodes: list[ast.stmt]) -> None:
    """Refuses a top level on which a word that definitions are recognised by means something else."""
    computing = {name for node in nodes for name in _called_at_once(node)}
    for node in nodes:
        for name, meaning in _bound(node):
            own = name in _OWN_NAMES and meaning not in _OWN_NAMES[name]
            # A kernel of such a name is kept; a wrapper is missed where a kernel names it.
            harmless = isinstance(node, ast.FunctionDef | ast.Assign | ast.AnnAssign) and name not in computing
            if own or (name in SAFE_CALLS and not harmless):
                raise NotPlain(f"the name {name} is given another meaning", node.lineno)


def _called_at_once(node: ast.stmt) -> Iterator[str]:
    """What a statement calls by a bare name while the file is read: a function's body is not."""
    parts: list[ast.expr | None] = []
    if isinstance(node, ast.FunctionDef):
        parts = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        parts = [node.value]
    for part in parts:
        for call in ast.walk(part) if part is not None else ():
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                yield call.func.id


def _bound(node: ast.stmt) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"
    elif isinstance(node, ast.FunctionDef):
        yield node.name, ""
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from ((name, "") for name in _stored(target))
    elif isinstance(node, ast.Try):
        handled = [statement for handler in node.handlers for statement in handler.body]
        for statement in (*node.body, *handled, *node.orelse):
            # `triton = None`, where there is none, leads nowhere.
            if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)):
                yield from _bound(statement)


def check_body(function: ast.FunctionDef, scope: dict[str, Any], helpers: Mapping[str, types.ModuleType]) -> None:
    """Refuses a body that could make Triton run something that is not in the list."""
    _Body(function, scope, helpers).check()


class _Body:
    def __init__(
        self, function: ast.FunctionDef, scope: dict[str, Any], helpers: Mapping[str, types.ModuleType]
    ) -> None:
        self._function, self._helpers = function, helpers
        parameters = _parameters(function)
        self._scope = {name: value for name, value in scope.items() if name not in parameters}
        self._own = (parameters | _stored(function)) - self._scope.keys()

    def check(self) -> None:
        arguments = self._function.args
        for statement in self._function.body:
            self._check(statement)
        # Triton also reads the annotations of parameters that have a default; others may be torch's.
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            parts = ast.walk(argument.annotation) if argument.annotation is not None else ()
            if any(isinstance(part, ast.Name) and part.id in self._scope for part in parts):
                self._check(argument)

    def _check(self, root: ast.AST) -> None:
        parts = list(ast.walk(root))
        bases = {id(part.value) for part in parts if isinstance(part, ast.Attribute)}
        for part in parts:
            if isinstance(part, ast.Import | ast.ImportFrom | ast.Lambda | ast.ClassDef | ast.Global | ast.Nonlocal):
                raise self._refusal(part, f"{type(part).__name__.lower()} inside a kernel")
            if isinstance(part, ast.Name):
                self._check_name(part)
            if isinstance(part, ast.Attribute):
                self._check_attribute(part)
            outermost = isinstance(part, ast.Name | ast.Attribute) and id(part) not in bases
            if outermost and isinstance(self._meaning(part), types.ModuleType):
                raise self._refusal(part, f"the module {ast.unparse(part)} as a value")

    def _check_name(self, node: ast.Name) -> None:
        if node.id.startswith("__") or node.id in _NO_CALL or not self._may_be_named(self._meaning(node)):
            raise self._refusal(node, f"the name {node.id} inside a kernel")

    def _check_attribute(self, node: ast.Attribute) -> None:
        owner = self._meaning(node.value)
        if _is_flags(owner):
            fine = node.attr in _FLAGS
        elif not isinstance(owner, types.ModuleType):
            fine = node.attr in of_values() or (self._is_field(node) and node.attr not in of_others())
        elif owner.__name__ == "triton":
            fine = node.attr in _OF_TRITON
        elif owner.__name__ in INNER:
            fine = self._may_be_named(owner) and _handed_on(owner, node.attr)
        else:
            fine = self._may_be_named(owner) and self._may_be_named(getattr(owner, node.attr, UNKNOWN))
        if not fine or node.attr.startswith("_"):
            raise self._refusal(node, ast.unparse(node)[:80])

    def _meaning(self, node: ast.AST) -> Any:
        """The object that a dotted name stands for at the top level; UNKNOWN for whatever is computed."""
        if isinstance(node, ast.Name):
            return self._scope.get(node.id, UNKNOWN)
        owner = self._meaning(node.value) if isinstance(node, ast.Attribute) else UNKNOWN
        if isinstance(node, ast.Attribute) and isinstance(owner, types.ModuleType):
            return getattr(owner, node.attr, UNKNOWN)
        return UNKNOWN

    def _may_be_named(self, value: Any) -> bool:
        name = getattr(value, "__name__", "") if isinstance(value, types.ModuleType) else ""
        return _may_be_named(value) or (name in self._helpers and self._helpers[name] is value)

    def _is_field(self, node: ast.expr) -> bool:
        """Whether this reads a part of what a name of its own holds, and computes nothing: a named tuple's field."""
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self._own

    def _refusal(self, node: ast.AST, what: str) -> NotPlain:
        return NotPlain(f"kernel {self._function.name}: {what}", getattr(node, "lineno", self._function.lineno))


def _parameters(function: ast.FunctionDef) -> set[str]:
    arguments = function.args
    return {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}


def _stored(root: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(root) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def missing(tree: ast.FunctionDef, scope: dict[str, Any], left_out: Container[str]) -> list[ast.Name]:
    """The global names of a body that nothing stands for, or a thing of Python's instead of what was left out."""
    names = [n for statement in tree.body for n in ast.walk(statement) if isinstance(n, ast.Name)]
    own = _parameters(tree) | _stored(tree)
    names = [n for n in names if n.id not in own and n.id not in scope]
    return [n for n in names if n.id in left_out or not hasattr(builtins, n.id)]


def _is_flags(value: Any) -> bool:
    """Whether this is the enumeration that says what a maximum does with a NaN."""
    return value is not UNKNOWN and value is getattr(sys.modules.get(LANGUAGE), "PropagateNan", UNKNOWN)


def _same(module: types.ModuleType, known: types.ModuleType | None) -> bool:
    """Triton loads its vendors' modules twice: `tl.extra.cuda` is not the one that an import finds, but of its file."""
    file = getattr(known, "__file__", None)
    return module is known or (file is not None and getattr(module, "__file__", None) == file)


def _handed_on(module: types.ModuleType, name: str) -> bool:
    """Whether a word of an inner module is one of the language, or a helper that is known to be harmless."""
    if f"{module.__name__}.{name}" in _OF_INNER:
        return True
    word = getattr(module, name, UNKNOWN)
    return word is not UNKNOWN and word is getattr(sys.modules.get(LANGUAGE), name, None) and _may_be_named(word)


def _may_be_named(value: Any) -> bool:
    if isinstance(value, types.ModuleType):
        known = value.__name__ in MODULES or value.__name__ in INNER
        return known and _same(value, sys.modules.get(value.__name__))
    if value is UNKNOWN or isinstance(value, _PLAIN) or hasattr(value, "arg_names"):
        return True  # what is not there, Triton itself says
    if _is_flags(value):
        return True
    home = str(getattr(value, "__module__", "") or type(value).__module__)
    if home in ("math", LANGUAGE) or home.startswith(f"{LANGUAGE}."):
        return True
    # cdiv and next_power_of_2; a constexpr or a dtype is no function, and has its class's module.
    kind = type(value).__module__
    of_triton = kind in (LANGUAGE, "triton.runtime.jit") or kind.startswith(f"{LANGUAGE}.")
    return of_triton and not isinstance(value, type)
