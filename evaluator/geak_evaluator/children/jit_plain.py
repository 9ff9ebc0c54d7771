"""Which statements of a kernel file are plain: imports of triton, constants, and definitions that compute nothing."""

from __future__ import annotations

import ast
import math
from collections.abc import Container

import triton.language as tl

from geak_evaluator.children.jit_names import INNER, MODULES, SAFE_CALLS, NotPlain, importable
from geak_evaluator.children.jit_told import default

_TRITON_CALLS = frozenset({"tl.constexpr", "triton.language.constexpr", "triton.cdiv", "triton.next_power_of_2"})
_JIT = ("triton.jit", "jit")
_MOST_SHIFT = 64
_FOR_PROFILERS = frozenset({"repr", "launch_metadata"})
"""Functions that `triton.jit` may be given and that no kernel needs: never looked at."""
FALLBACKS = frozenset({"ImportError", "ModuleNotFoundError", "AttributeError", "Exception"})
"""What tells that a name is missing."""


_USUAL = {
    "triton": "triton",
    "triton.language": "tl",
    "triton.language.core": "tl.core",
    "triton.jit": "jit",
    "triton.cdiv": "triton.cdiv",
    "triton.next_power_of_2": "triton.next_power_of_2",
    "triton.language.constexpr": "tl.constexpr",
}
"""What the other functions here know a thing as."""


class _Usual(ast.NodeTransformer):
    def __init__(self, names: dict[str, ast.expr]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.copy_location(self._names.get(node.id, node), node)


def with_usual_names(tree: ast.Module) -> frozenset[str]:
    """Spells decorators, defaults and constants with the usual names for triton; says which names that are."""
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    aliases = {
        alias.asname or alias.name: f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
        for node in imports
        for alias in node.names
    }
    usual = {name: _USUAL[full] for name, full in aliases.items() if _USUAL.get(full, name) != name}
    rename = _Usual({name: ast.parse(word, mode="eval").body for name, word in usual.items()})
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = [rename.visit(part) for part in node.decorator_list]
            node.args.defaults = [rename.visit(part) for part in node.args.defaults]
            node.args.kw_defaults = [part and rename.visit(part) for part in node.args.kw_defaults]
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            node.value = rename.visit(node.value)
    _decorate(tree)
    return frozenset(word.split(".")[0] for word in usual.values()) - aliases.keys()


def _decorate(tree: ast.Module) -> None:
    """Makes `kernel = triton.jit(function)` a decorator of the function."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        called = node.value if isinstance(node, ast.Assign) else None
        if isinstance(called, ast.Call) and ast.unparse(called.func) in _JIT and len(called.args) == 1:
            function = functions.get(ast.unparse(called.args[0]))
            if function is not None and not function.decorator_list and not called.keywords:
                function.decorator_list = [ast.copy_location(called.func, function)]


def plain_import(node: ast.stmt) -> bool:
    """Whether an import brings in something that a kernel may use, and nothing of anybody else's."""
    if isinstance(node, ast.Import):
        return all(alias.name in MODULES or alias.name in INNER for alias in node.names)
    if not isinstance(node, ast.ImportFrom) or node.level:
        return False
    # Of a mixed import the rest is left out: `from triton import Config, jit`.
    return any(importable(node.module or "", alias.name) for alias in node.names)


def is_import_with_fallback(node: ast.Try) -> bool:
    """`try: from somewhere import f`, `except ImportError:` from somewhere else, and nothing besides."""
    handled = [statement for handler in node.handlers for statement in handler.body]
    plain = all(plain_import(statement) for statement in node.body)
    others = all(
        plain_import(s)
        or isinstance(s, ast.Pass)
        or _is_flag(s)
        or (isinstance(s, ast.Try) and is_import_with_fallback(s))
        for s in (*handled, *node.orelse)
    )
    return plain and others and caught(node) <= FALLBACKS and not node.finalbody


def caught(node: ast.Try) -> set[str]:
    """The exceptions that a statement handles, by name."""
    return {ast.unparse(part) for handler in node.handlers for part in _types(handler)}


def _types(handler: ast.ExceptHandler) -> list[ast.expr]:
    if handler.type is None:
        return []
    return list(handler.type.elts) if isinstance(handler.type, ast.Tuple) else [handler.type]


def _is_flag(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and "" not in defined(node)


def names(target: ast.expr) -> list[str]:
    """The names that an assignment binds; an empty one for whatever is no name."""
    if isinstance(target, ast.Tuple | ast.List):
        return [name for part in target.elts for name in names(part)]
    return [target.id if isinstance(target, ast.Name) else ""]


def defined(node: ast.stmt) -> list[str]:
    """The names that a top-level statement binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [name for target in node.targets for name in names(target)]
    if isinstance(node, ast.AnnAssign):
        return names(node.target)
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    inner = [*getattr(node, "body", ()), *getattr(node, "orelse", ())]
    return [name for part in inner if isinstance(part, ast.stmt) for name in defined(part)]


def literal(node: ast.expr, constants: set[str]) -> bool:
    """Whether a module-level value is a constant that can be computed without calling anything foreign."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name):
        return node.id in constants
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow | ast.LShift):
        return _is_small(node.right) and literal(node.left, constants) and not _grows(node.left)
    parts = ast.UnaryOp | ast.BinOp | ast.BoolOp | ast.Compare | ast.IfExp | ast.Tuple | ast.List
    if isinstance(node, parts):
        return all(literal(part, constants) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tl.core":
        return isinstance(getattr(tl.core, node.attr, None), tl.constexpr)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        known = node.value.id == "math" and isinstance(getattr(math, node.attr, None), float)
        return known or (node.value.id == "tl" and importable("triton.language", node.attr))
    if isinstance(node, ast.Call) and not node.keywords:
        called = ast.unparse(node.func)
        plain = called in SAFE_CALLS or called in _TRITON_CALLS
        computed = (
            called.startswith("math.") and callable(getattr(math, called[5:], None)) and called != "math.factorial"
        )
        return (plain or computed) and all(literal(arg, constants) for arg in node.args)
    return False


def _is_small(node: ast.expr) -> bool:
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value <= _MOST_SHIFT


def _grows(node: ast.expr) -> bool:
    """A tower of powers is work."""
    return any(isinstance(part, ast.Pow | ast.LShift) for part in ast.walk(node))


def jit(node: ast.FunctionDef) -> ast.expr | None:
    """The decorator that makes a function a kernel, if it has it."""
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if ast.unparse(called) in _JIT:
            return decorator
    return None


def check_definition(node: ast.FunctionDef, decorator: ast.expr, constants: set[str], known: Container[str]) -> None:
    """Refuses a kernel whose definition would make Python compute something; of `known` defaults the value is told."""
    if isinstance(decorator, ast.Call):
        told = [keyword.value for keyword in decorator.keywords if keyword.arg not in _FOR_PROFILERS]
        for value in [*decorator.args, *told]:
            if not literal(value, constants):
                raise NotPlain(f"kernel {node.name}: its decorator is given something that is no literal", value.lineno)
    for argument, given in with_default(node):
        if not literal(given, constants):
            name = default(node.name, argument)
            if name not in known:
                raise NotPlain(f"kernel {node.name}: a default value that is no literal", given.lineno)
            give_default(node, argument, ast.copy_location(ast.Name(name, ast.Load()), given))


def with_default(node: ast.FunctionDef) -> list[tuple[str, ast.expr]]:
    """The arguments that have a default, and what is written for it."""
    plain = [*node.args.posonlyargs, *node.args.args]
    pairs: list[tuple[ast.arg, ast.expr | None]] = [
        *zip(plain[len(plain) - len(node.args.defaults) :], node.args.defaults, strict=True),
        *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
    ]
    return [(argument.arg, given) for argument, given in pairs if given is not None]


def give_default(node: ast.FunctionDef, argument: str, value: ast.expr) -> None:
    """Writes something else for an argument's default."""
    plain = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
    if argument in plain:
        node.args.defaults[plain.index(argument) - len(plain)] = value
    else:
        node.args.kw_defaults[[a.arg for a in node.args.kwonlyargs].index(argument)] = value


def undecorated(node: ast.stmt) -> ast.stmt:
    """A kernel with its own decorator alone, an import without what no kernel may use."""
    if isinstance(node, ast.FunctionDef):
        decorator = jit(node)
        assert decorator is not None
        if isinstance(decorator, ast.Call):
            decorator.keywords = [k for k in decorator.keywords if k.arg not in _FOR_PROFILERS]
        node.decorator_list = [decorator]
    if isinstance(node, ast.ImportFrom):
        node.names = [alias for alias in node.names if importable(node.module or "", alias.name)]
    if isinstance(node, ast.Try):
        node.body = [undecorated(statement) for statement in node.body]
        for handler in node.handlers:
            handler.body = [undecorated(statement) for statement in handler.body]
    return node
