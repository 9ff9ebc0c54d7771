"""The kernels of a file, and what each of their constants is for: a tile of something larger, or anything else."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from geak_evaluator.tune.syntax import Source, named

_SHAPED = {"zeros", "full", "make_block_ptr", "make_tensor_descriptor", "broadcast_to", "reshape", "view"}
_DOTS = {"dot", "dot_scaled"}


@dataclass(frozen=True)
class Role:
    """What a constant is used for in a kernel."""

    shape: bool = False
    """Blocks have this extent."""
    grid: bool = False
    """Programs stand this far apart."""
    loop: bool = False
    """A loop goes on by it."""

    @property
    def block(self) -> bool:
        """Whether it cuts something larger into tiles, so that another size may give the same result."""
        return self.shape and (self.grid or self.loop)

    def __or__(self, other: Role) -> Role:
        return Role(self.shape or other.shape, self.grid or other.grid, self.loop or other.loop)


@dataclass(frozen=True)
class Kernel:
    """One `@triton.jit` function."""

    name: str
    node: ast.FunctionDef
    parameters: tuple[str, ...]
    roles: dict[str, Role] = field(default_factory=dict)
    """Of its constants."""
    dot: bool = False

    @property
    def line(self) -> int:
        """Where it is defined."""
        return self.node.lineno


def kernels(source: Source) -> dict[str, Kernel]:
    """Every kernel of a file, by name."""
    found: dict[str, Kernel] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef) and any(_is_jit(source, part) for part in node.decorator_list):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            constants = {one.arg: Role() for one in arguments if one.annotation is not None and _constant(one)}
            found[node.name] = Kernel(node.name, node, tuple(one.arg for one in arguments), constants)
    for _ in range(4):  # what a kernel hands on to another is used as that one uses it
        found = {name: _read(source, kernel, found) for name, kernel in found.items()}
    return found


def decorator(source: Source, kernel: Kernel, name: str) -> ast.Call | None:
    """Its decorator of that full name, where it is called with something."""
    for node in kernel.node.decorator_list:
        if isinstance(node, ast.Call) and source.full(node.func) == name:
            return node
    return None


def _is_jit(source: Source, node: ast.expr) -> bool:
    return source.full(node.func if isinstance(node, ast.Call) else node) == "triton.jit"


def _constant(argument: ast.arg) -> bool:
    assert argument.annotation is not None
    return ast.unparse(argument.annotation).strip("'\"").split(".")[-1] == "constexpr"


def _read(source: Source, kernel: Kernel, known: dict[str, Kernel]) -> Kernel:
    reader = _Reader(source, kernel, known)
    for node in kernel.node.body:
        reader.visit(node)
    return replace(kernel, roles=reader.roles, dot=reader.dot)


class _Reader(ast.NodeVisitor):
    """Goes through a kernel's body once."""

    def __init__(self, source: Source, kernel: Kernel, known: dict[str, Kernel]) -> None:
        self._source, self._known = source, known
        self.roles = dict(kernel.roles)
        self.dot = kernel.dot
        self._constants = set(kernel.roles)
        self._programs, self._turns, self._lanes = _derived(kernel.node)

    def _note(self, node: ast.AST, role: Role) -> None:
        for name in named(node, self._constants):
            self.roles[name] |= role

    def visit_Call(self, node: ast.Call) -> None:
        """A shape, a range, or another kernel."""
        name = self._source.full(node.func) or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
        last = name.split(".")[-1]
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        if last == "arange" or last in _SHAPED:
            for value in values:
                self._note(value, Role(shape=True))
        elif last in ("range", "static_range"):
            if len(node.args) > 2:
                self._note(node.args[2], Role(loop=True))
            for part in ast.walk(node):
                if isinstance(part, ast.Call) and self._source.full(part.func).split(".")[-1] == "cdiv":
                    self._note(part.args[-1], Role(loop=True))
        elif last == "advance":
            self._note(node, Role(loop=True))
        elif last in _DOTS:
            self.dot = True
        elif name in self._known:
            called = self._known[name]
            self.dot = self.dot or called.dot
            pairs = [*zip(called.parameters, node.args), *((k.arg or "", k.value) for k in node.keywords)]  # noqa: B905
            for parameter, value in pairs:
                if isinstance(value, ast.Name) and value.id in self._constants and parameter in called.roles:
                    self.roles[value.id] |= called.roles[parameter]
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """A multiple of a program's number or of a loop's."""
        if isinstance(node.op, ast.Mult):
            for one, other in ((node.left, node.right), (node.right, node.left)):
                if isinstance(one, ast.Name) and one.id in self._constants:
                    if named(other, self._programs) or "program_id" in ast.unparse(other):
                        self._note(one, Role(grid=True))
                    elif named(other, self._turns) and not named(other, self._lanes):
                        self._note(one, Role(loop=True))
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """A pointer that goes on."""
        if isinstance(node.op, ast.Add):
            self._note(node.value, Role(loop=True))
        self.generic_visit(node)


def _derived(function: ast.FunctionDef) -> tuple[set[str], set[str], set[str]]:
    """Names that follow the program's number, a loop's turn, and the lanes of a block."""
    programs: set[str] = set()
    turns: set[str] = set()
    lanes: set[str] = set()
    for _ in range(3):
        for node in ast.walk(function):
            if isinstance(node, ast.For):
                bound = _names(node.target)
                turns |= bound
                if named(node.iter, programs) or "program_id" in ast.unparse(node.iter):
                    programs |= bound
            if not isinstance(node, ast.Assign):
                continue
            text = ast.unparse(node.value)
            bound = set().union(*(_names(target) for target in node.targets))
            if "arange(" in text or named(node.value, lanes):
                lanes |= bound
            elif "program_id(" in text or named(node.value, programs):
                programs |= bound
            elif named(node.value, turns):
                turns |= bound
    return programs - lanes, turns - lanes, lanes


def _names(target: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}
