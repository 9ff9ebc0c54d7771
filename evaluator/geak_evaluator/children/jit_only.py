"""Loading nothing of a candidate but its `@triton.jit` functions, literal constants and imports of triton.

What replays a plan must not run a line of the candidate's Python: a kernel's body is read by Triton, never by Python,
and what such a body may name is a list.
"""

from __future__ import annotations
import __future__

import ast
import hashlib
import math
import re
import types
from functools import cache
from pathlib import Path

from geak_evaluator.children import names

ALLOWED_MODULES = frozenset({"triton", "triton.language", "triton.language.extra", "triton.language.math"})
_TRITON_NAMES = frozenset({"jit", "cdiv", "next_power_of_2", "language", "constexpr"})
_HIDDEN_IN_LANGUAGE = frozenset({"core", "semantic", "standard", "target_info", "inspect", "sys", "os"})
_SAFE_CALLS = {"float": float, "int": int, "min": min, "max": max, "abs": abs}


class NotPlain(ValueError):
    """A kernel file whose kernels cannot be taken out of it; the message says what stands in the way."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def load(source: bytes, name: str, folder: Path, project: str = "") -> types.ModuleType:
    """A module that holds only the kernels of a source, at their own line numbers."""
    text = source.decode("utf-8")
    text = _blanked(text, _kept(ast.parse(text), project))
    tree = ast.parse(text)
    kept = _kept(tree, project)
    if len(kept) != len(tree.body):
        stray = next(node for node in tree.body if node not in kept)
        raise NotPlain("a kernel, an import or a constant shares its line with other code", stray.lineno)
    path = folder / f"{name}.py"
    path.write_text(text)
    module = types.ModuleType(name)
    module.__file__ = str(path)
    try:
        names.check_bindings(kept)
    except names.NotNamed as error:
        raise NotPlain(str(error), error.line) from None
    # Annotations stay text: they could be calls.
    code = [node for node in kept if not (isinstance(node, ast.ImportFrom) and _file(node, project))]
    flags = __future__.annotations.compiler_flag
    exec(compile(ast.Module(code, []), str(path), "exec", flags=flags, dont_inherit=True), module.__dict__)
    for node in kept:
        if isinstance(node, ast.ImportFrom) and (beside := _file(node, project)):
            helper = load(beside.read_bytes(), str(node.module).replace(".", "_"), folder, project)
            for alias in node.names:
                if hasattr(helper, alias.name):
                    setattr(module, alias.asname or alias.name, getattr(helper, alias.name))
    try:
        for node in kept:
            if isinstance(node, ast.FunctionDef):
                names.check_kernel(node, vars(module))
    except names.NotNamed as error:
        raise NotPlain(str(error), error.line) from None
    return module


@cache
def fingerprint(text: str) -> str:
    """A kernel's text from `def` on as a few letters; comments and spaces make no difference."""
    return hashlib.sha256(ast.dump(ast.parse(text)).encode()).hexdigest()[:16]


def _file(node: ast.ImportFrom, project: str) -> Path | None:
    """The file of the project that an import names."""
    if not project or node.level or not node.module:
        return None
    path = Path(project, *node.module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _kept(tree: ast.Module, project: str) -> list[ast.stmt]:
    constants: set[str] = set()
    kept: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            if all(_plain_import(alias.name) for alias in node.names):
                kept.append(node)
        elif isinstance(node, ast.ImportFrom):
            plain = (
                node.level == 0 and (node.module or "") in ALLOWED_MODULES and all(_named(a.name) for a in node.names)
            )
            if plain or _file(node, project):
                kept.append(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if all(isinstance(t, ast.Name) for t in targets) and _literal(node.value, constants):
                constants |= {t.id for t in targets if isinstance(t, ast.Name)}
                kept.append(node)
        elif isinstance(node, ast.FunctionDef) and (decorator := _jit(node)) is not None:
            _check_kernel(node, decorator)
            kept.append(node)
    return kept


def _plain_import(name: str) -> bool:
    return name in ALLOWED_MODULES or name == "math"


def _named(name: str) -> bool:
    return not name.startswith("_") and name not in _HIDDEN_IN_LANGUAGE and name != "*"


def _literal(node: ast.expr, constants: set[str]) -> bool:
    """Whether a module-level value is a constant that can be computed without calling anything foreign."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name):
        return node.id in constants
    if isinstance(node, ast.UnaryOp | ast.BinOp | ast.Tuple | ast.List):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow | ast.LShift):
            return False  # a tower of powers is work
        return all(_literal(part, constants) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        known = node.value.id == "math" and isinstance(getattr(math, node.attr, None), float)
        return known or (node.value.id == "tl" and _named(node.attr))
    if isinstance(node, ast.Call) and not node.keywords:
        called = ast.unparse(node.func)
        plain = called in (*_SAFE_CALLS, "tl.constexpr", "triton.language.constexpr")
        computed = (
            called.startswith("math.") and callable(getattr(math, called[5:], None)) and called != "math.factorial"
        )
        return (plain or computed) and all(_literal(arg, constants) for arg in node.args)
    return False


def _jit(node: ast.FunctionDef) -> ast.expr | None:
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if ast.unparse(called) in ("triton.jit", "jit"):
            return decorator
    return None


def _check_kernel(node: ast.FunctionDef, decorator: ast.expr) -> None:
    """Refuses a kernel whose definition or body could make Python run something that is not in the list."""
    if isinstance(decorator, ast.Call):
        for value in [*decorator.args, *(keyword.value for keyword in decorator.keywords)]:
            if not _literal(value, set()):
                raise NotPlain(f"kernel {node.name}: its decorator is given something that is no literal", value.lineno)
    arguments = node.args
    for default in [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]:
        if not _literal(default, set()):
            raise NotPlain(f"kernel {node.name}: a default value that is no literal", default.lineno)
    for part in (part for statement in node.body for part in ast.walk(statement)):
        if isinstance(part, ast.Attribute):
            _check_attribute(node.name, part)
        elif isinstance(part, ast.Import | ast.ImportFrom | ast.Lambda | ast.ClassDef | ast.Global | ast.Nonlocal):
            raise NotPlain(f"kernel {node.name}: {type(part).__name__.lower()} inside a kernel", part.lineno)
        elif isinstance(part, ast.Name) and part.id.startswith("__"):
            raise NotPlain(f"kernel {node.name}: the name {part.id}", part.lineno)
        elif isinstance(part, ast.Name) and part.id in ("getattr", "setattr", "eval", "exec", "compile", "open"):
            raise NotPlain(f"kernel {node.name}: {part.id} inside a kernel", part.lineno)


def _check_attribute(kernel: str, node: ast.Attribute) -> None:
    if node.attr.startswith("_") or node.attr in ("handle", "fn", "builder"):
        raise NotPlain(f"kernel {kernel}: the attribute {node.attr}", node.lineno)
    base = node.value
    if isinstance(base, ast.Name) and base.id == "triton" and node.attr not in _TRITON_NAMES:
        raise NotPlain(f"kernel {kernel}: triton.{node.attr}", node.lineno)
    if isinstance(base, ast.Name) and base.id in ("tl", "language") and node.attr in _HIDDEN_IN_LANGUAGE:
        raise NotPlain(f"kernel {kernel}: tl.{node.attr}", node.lineno)


def _blanked(text: str, kept: list[ast.stmt]) -> str:
    """The source with every other line empty: lines keep their numbers, and kernels only their own decorator."""
    lines = re.split(r"\r\n|\r|\n", text)  # as Python counts them; splitlines() knows further ends of lines
    wanted: set[int] = set()
    for node in kept:
        wanted |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        if isinstance(node, ast.FunctionDef):
            decorator = _jit(node)
            assert decorator is not None
            wanted |= set(range(decorator.lineno, (decorator.end_lineno or decorator.lineno) + 1))
    return "\n".join(line if number in wanted else "" for number, line in enumerate(lines, 1)) + "\n"
