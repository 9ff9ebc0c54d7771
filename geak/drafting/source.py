"""A user's Python file, parsed and never run: its definitions, and what one of them needs from the rest."""

from __future__ import annotations

import ast
import builtins
import symtable
import sys
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from geak.drafting.draft import DraftError

LIMIT = 1 << 20
Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef

_COMPILERS = ("torch.compile", "torch.jit.script", "torch.jit.ignore", "torch.jit.export", "jit.script", "compile")


@dataclass
class Source:
    """One parsed file."""

    path: Path
    text: str
    tree: ast.Module
    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    constants: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, tuple[ast.stmt, ast.alias]] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """The lines of the file, as the parser counts them."""
        return self.text.split("\n")

    def segment(self, node: ast.stmt) -> str:
        """The text of a definition with its decorators (those that only compile left out) and its comments."""
        lines = self.lines
        decorators = [] if not isinstance(node, Definition) else node.decorator_list
        kept = [d for d in decorators if dotted(d) not in _COMPILERS]
        head = [line for d in kept for line in lines[d.lineno - 1 : d.end_lineno]]
        return textwrap.dedent("\n".join([*head, *lines[node.lineno - 1 : node.end_lineno]]))


def read(path: Path) -> Source:
    """Parses a file, or says in one sentence why it cannot be."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise DraftError(f"{path} is a folder, not a Python file")
        if size > LIMIT:
            raise DraftError(f"{path} has {size} bytes; a file to draft from has {LIMIT} at most")
        data = path.read_bytes()
    except FileNotFoundError:
        raise DraftError(f"{path} does not exist") from None
    except OSError as error:
        raise DraftError(f"{path} cannot be read: {error.strerror or error}") from None
    if b"\0" in data:
        raise DraftError(f"{path} is a binary file, not Python")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").replace("\f", " ")
    except UnicodeDecodeError as error:
        raise DraftError(f"{path} is not UTF-8 text (byte {error.start})") from None
    return read_text(path, text)


def read_text(path: Path, text: str) -> Source:
    """Parses what a file holds."""
    if not text.strip():
        raise DraftError(f"{path} is empty")
    try:
        tree = parsed(text)
    except SyntaxError as error:
        raise DraftError(f"{path}:{error.lineno or 1}: not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise DraftError(f"{path} is nested too deeply to be read") from None
    source = Source(path, text, tree)
    for node in _top(tree.body):
        _file(source, node)
    return source


def parsed(text: str) -> ast.Module:
    """The tree of a piece of theirs; an old escape in a string of theirs is no matter of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If) and not _is_main(node.test):
            yield from _top([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _top([*node.body, *(s for h in node.handlers for s in h.body), *node.orelse])
        else:
            yield node


def _is_main(test: ast.expr) -> bool:
    return any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(test))


def _file(source: Source, node: ast.stmt) -> None:
    if isinstance(node, Function):
        source.functions[node.name] = node
    elif isinstance(node, ast.ClassDef):
        source.classes[node.name] = node
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            source.imports.setdefault(alias.asname or alias.name.split(".")[0], (node, alias))
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for name in ast.walk(target):
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                    source.constants[name.id] = node


def value_of(source: Source, name: str) -> ast.expr | None:
    """What a name of the file is assigned, also as one of several."""
    node = source.constants.get(name)
    for target in node.targets if isinstance(node, ast.Assign) else ():
        parts = node.value.elts if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple) else []
        if isinstance(target, ast.Tuple) and len(target.elts) == len(parts):
            return next(v for t, v in zip(target.elts, parts, strict=True) if isinstance(t, ast.Name) and t.id == name)
        if isinstance(target, ast.Name) and target.id == name and isinstance(node, ast.Assign):
            return node.value
    return node.value if isinstance(node, ast.AnnAssign) else None


def dotted(node: ast.AST) -> str:
    """`torch.nn.functional.softmax` of a name, an attribute or a call of one; "" for anything else."""
    if isinstance(node, ast.Call):
        return dotted(node.func)
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return node.id if isinstance(node, ast.Name) else ""


def bare(node: ast.AST) -> ast.AST:
    """A copy without annotations: what running it needs, since they are never evaluated."""
    copy: ast.AST = ast.parse(ast.unparse(node))
    for part in ast.walk(copy):
        if isinstance(part, ast.arg):
            part.annotation = None
        elif isinstance(part, Function):
            part.returns = None
            part.decorator_list = [d for d in part.decorator_list if dotted(d) not in _COMPILERS]
        elif isinstance(part, ast.AnnAssign):
            part.annotation = ast.Constant(value="")
    return copy


def used(node: ast.AST) -> set[str]:
    """The names of the module that a definition refers to when it runs: not its own arguments and variables."""
    names: set[str] = set()
    todo = [symtable.symtable(ast.unparse(bare(node)), "", "exec")]
    while todo:
        table = todo.pop()
        top = table.get_type() == "module"
        names |= {s.get_name() for s in table.get_symbols() if (s.is_referenced() if top else s.is_global())}
        todo += table.get_children()
    return names


def annotated(node: ast.AST) -> set[str]:
    """The names that only the annotations of a definition refer to."""
    parts: list[ast.AST] = []
    for part in ast.walk(node):
        if isinstance(part, ast.arg | ast.AnnAssign) and part.annotation is not None:
            parts.append(part.annotation)
        elif isinstance(part, Function) and part.returns is not None:
            parts.append(part.returns)
    return {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name)}


def needs(source: Source, roots: list[str], extra: ast.AST | None = None) -> tuple[list[ast.stmt], list[str], set[str]]:
    """What roots need from their file, in its order, the imports (as lines), and names that were not found."""
    wanted: dict[int, ast.stmt] = {}
    imports: dict[str, tuple[ast.stmt, ast.alias]] = {}
    missing: set[str] = set()
    todo = [*roots, *(sorted(used(extra)) if extra else ())]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        found = source.functions.get(name) or source.classes.get(name) or source.constants.get(name)
        if found is not None:
            wanted[found.lineno] = found
            todo += sorted(used(found) | _set_by(source, name, wanted))
        elif name in source.imports:
            imports[name] = source.imports[name]
        elif not hasattr(builtins, name):
            missing.add(name)
    bound: set[str] = set()
    for part in (n for node in wanted.values() for n in ast.walk(node)):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            bound.add(part.id)
        elif isinstance(part, ast.arg):
            bound.add(part.arg)
        elif isinstance(part, Definition) or (isinstance(part, ast.ExceptHandler) and part.name):
            bound.add(str(part.name))
    for name in {n for node in wanted.values() for n in annotated(node)} & source.imports.keys():
        root = _import_line(*source.imports[name]).split()[1].split(".")[0]
        if root == "torch" or root in sys.stdlib_module_names:  # of others it does without
            imports.setdefault(name, source.imports[name])
    lines = [_import_line(statement, alias) for statement, alias in imports.values()]
    return [wanted[k] for k in sorted(wanted)], lines, missing - bound


def _set_by(source: Source, name: str, wanted: dict[int, ast.stmt]) -> set[str]:
    """Statements such as `TABLE[3] = f` or `TABLE.update(...)` that fill a module-level name after its making."""
    names: set[str] = set()
    if name not in source.constants:
        return names
    for node in source.tree.body:
        target = None
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            target = node.targets[0].value
        elif isinstance(node, ast.AugAssign):
            target = node.target
        if isinstance(target, ast.Name) and target.id == name:
            wanted[node.lineno] = node
            names |= used(node)
    return names


def _import_line(statement: ast.stmt, alias: ast.alias) -> str:
    name = alias.name + (f" as {alias.asname}" if alias.asname else "")
    if isinstance(statement, ast.ImportFrom):
        return f"from {'.' * statement.level}{statement.module or ''} import {name}"
    return f"import {name}"


def renamed(source: Source, node: ast.stmt, old: str, new: str) -> str:
    """The text of a definition with every use of one name replaced, and everything else as it was written."""
    if old not in source.segment(node):
        return source.segment(node)
    lines = source.lines
    spots: list[tuple[int, int]] = []
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id == old:
            spots.append((part.lineno, len(lines[part.lineno - 1].encode()[: part.col_offset].decode())))
    if isinstance(node, Definition) and node.name == old:
        line = lines[node.lineno - 1]
        spots.append((node.lineno, line.index(old, line.index("def" if isinstance(node, Function) else "class") + 3)))
    copy = Source(source.path, source.text, source.tree)
    changed = list(lines)
    for number, column in sorted(set(spots), reverse=True):
        line = changed[number - 1]
        changed[number - 1] = line[:column] + new + line[column + len(old) :]
    copy.text = "\n".join(changed)
    return copy.segment(node)
