"""What kernels do with the arguments that a wrapper hands on to them as they are: load through them, or compute."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from geak.drafting.launches import bound, is_kernel, launches
from geak.drafting.source import Function, Source, dotted

_MEMORY = ("load", "store", "make_block_ptr", "make_tensor_descriptor")
_LANGUAGE = ("tl", "triton", "range", "float", "int", "min", "max", "abs", "len", "libdevice")
_PROGRAM = re.compile(r"tl\.program_id\((?:axis=)?(\d)\)(\.to\(tl\.int64\))?")
_SPREAD = re.compile(r"\[(None|:)(, (None|:))*\]")


@dataclass
class Use:
    """What becomes of one argument."""

    kind: Literal["", "tensor", "int", "float", "bool"] = ""
    optional: bool = False
    """It is compared with None."""
    role: Literal["", "index", "offsets"] = ""
    """What it holds says where something else is loaded."""
    into: str = ""
    """The argument that it so points into."""
    along: int = 0
    """And along which of its dimensions: the first or the last."""
    rank: int = 0
    """How many dimensions it looks like; 0 where that cannot be seen."""
    twins: tuple[str, ...] = ()
    """Arguments that are addressed as it is, and so have its shape."""
    like: str = ""
    """The argument whose strides, and none but whose, it is addressed with."""
    extent: str = ""
    """For one dimension: what its mask ends at, by the wrapper's name."""


def handed(source: Source, wrapper: Function) -> dict[str, Use]:
    """By argument of a wrapper, how the kernels that it launches use it, where that can be read."""
    names = {a.arg for a in [*wrapper.args.posonlyargs, *wrapper.args.args, *wrapper.args.kwonlyargs]}
    made = {target: value for node in ast.walk(wrapper) for target, value in _assigned(node)}
    found: dict[str, Use] = {}
    for kernel, call in launches(source, wrapper):
        body = _Body(source, kernel, frozenset())
        values = bound(kernel, call)
        grid = call.func.slice if isinstance(call.func, ast.Subscript) else None
        grid = made.get(grid.id) if isinstance(grid, ast.Name) else grid
        values |= {f"@{i}": v for i, v in enumerate(grid.elts if isinstance(grid, ast.Tuple) else ())}
        called = {p: v.id for p, v in values.items() if isinstance(v, ast.Name)}
        given = {p: name for p, name in called.items() if name in names}
        for parameter, name in given.items():
            use = body.use(parameter)
            end = made.get(called.get(use.extent, ""), values.get(use.extent))
            if end is not None and "numel()" in ast.unparse(end):
                use.rank, use.extent = 0, ""  # of any shape, taken as one row
            use.into, use.extent = given.get(use.into, ""), called.get(use.extent, "")
            use.like = _owner([values[p] for p in body.steps(parameter) if p in values], made, names - {name})
            use.twins = tuple(given[t] for t in use.twins if given.get(t, name) != name)
            if name not in found or use.role or use.kind == "tensor":
                found[name] = use
    return found


class _Body:
    """One kernel, and from which of its arguments each of its names comes."""

    def __init__(self, source: Source, kernel: Function, seen: frozenset[str]) -> None:
        self._source, self._kernel, self._seen = source, kernel, seen | {kernel.name}
        arguments = [*kernel.args.posonlyargs, *kernel.args.args, *kernel.args.kwonlyargs]
        self._constant = {a.arg for a in arguments if a.annotation and "constexpr" in ast.unparse(a.annotation)}
        self._bases = {a.arg: {a.arg} for a in arguments}
        """By name, the arguments that it is an address in."""
        self._parts = {a.arg: {a.arg} for a in arguments}
        """By name, the arguments that it was computed from; with a "*", what was loaded through them."""
        self.pointers: set[str] = set()
        self._places: dict[str, str] = {}
        """What goes into an address, a mask or a count, by the argument that is so addressed ("" for none)."""
        self._steps: dict[str, set[str]] = {}
        """What goes into the addresses in an argument."""
        self._unread: set[str] = set()
        self._loads: set[tuple[str, str]] = set()
        """A pointer, and the offset at which something lies that is loaded or stored through it."""
        self._rank: dict[str, int] = {}
        self._extent: dict[str, str] = {}
        nodes = list(ast.walk(kernel))
        self._set = {target: value for node in nodes for target, value in _assigned(node)}
        for _ in range(2):  # a second time for what a loop carries round
            for node in nodes:
                for target, value in _assigned(node):
                    self._parts[target] = self._parts.get(target, set()) | self._from(value)
                    self._bases[target] = self._bases.get(target, set()) | self._base(value)
        for node in nodes:
            if isinstance(node, ast.Call):
                self._called(node)
        self._nodes = nodes

    def use(self, name: str) -> Use:
        """How one argument is used."""
        tests = [n for n in self._nodes if isinstance(n, ast.Compare) and isinstance(n.ops[0], ast.Is | ast.IsNot)]
        optional = any(isinstance(t.left, ast.Name) and t.left.id == name for t in tests)
        if name in self.pointers:
            into = self._places.get(f"*{name}")
            at = {offset for pointer, offset in self._loads if pointer == name}
            twins = {pointer for pointer, offset in self._loads if offset in at} - {name}
            found = Use("tensor", optional, rank=self._rank.get(name, 0), twins=tuple(sorted(twins)))
            found.extent = self._extent.get(name, "") if found.rank == 1 else ""
            if into and into != name:
                found.role = "offsets" if any(f"{offset} + 1" in at for offset in at) else "index"
                found.into, found.along = into, 0 if f"*{name}" in self._scaled() else -1
            return found
        if name in self._unread or optional or not any(isinstance(n, ast.Name) and n.id == name for n in self._nodes):
            return Use(optional=optional)
        if self._only_asked(name):
            return Use("bool")
        return Use("int" if name in self._places or name in self._constant else "float")

    def steps(self, name: str) -> set[str]:
        """The arguments that are counted with where it is addressed."""
        return self._steps.get(name, set())

    def _base(self, node: ast.AST | None) -> set[str]:
        if isinstance(node, ast.Name):
            return self._bases.get(node.id, set())
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            return self._base(node.left) or self._base(node.right)  # an address stands before its offsets
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("to", "advance"):
            return self._base(node.func.value)
        if isinstance(node, ast.Call) and _last(node) in (*_MEMORY[2:], "advance"):
            return self._base(_argument(node, 0, "base"))
        return set()

    def _from(self, node: ast.AST | None) -> set[str]:
        """The arguments that a value was computed from."""
        if node is None:
            return set()
        if isinstance(node, ast.Call) and _last(node) == "load":
            return {f"*{p}" for p in self._base(_argument(node, 0, "pointer"))}
        if isinstance(node, ast.Name):
            return self._parts.get(node.id, set())
        return set().union(*(self._from(part) for part in ast.iter_child_nodes(node)))

    def _called(self, call: ast.Call) -> None:
        name, last = dotted(call.func), _last(call)
        inner = self._source.functions.get(name)
        if inner is not None and is_kernel(inner) and name not in self._seen:
            body = _Body(self._source, inner, self._seen)
            for parameter, given in bound(inner, call).items():
                use = body.use(parameter)
                if use.kind == "tensor":
                    self.pointers |= self._base(given)
                elif use.kind == "int":
                    self._placed("", given)
                elif not use.kind:
                    self._unread |= self._from(given)
        elif last in _MEMORY or last.startswith("atomic_"):
            address = _argument(call, 0, "base" if last in _MEMORY[2:] else "pointer")
            bases = self._base(address)
            self.pointers |= bases
            for base in bases:
                self._placed(base, address)
                self._steps[base] = self._steps.get(base, set()) | self._from(address)
            mask = _argument(call, 1 if last == "load" else 2, "mask")
            terms = list(_terms(self._meant(address))) if address is not None else []
            for base in bases & {t.id for t in terms if isinstance(t, ast.Name)}:
                rest = [t for t in terms if not (isinstance(t, ast.Name) and t.id == base)]
                self._loads.add((base, " + ".join(_SPREAD.sub("", ast.unparse(term)) for term in rest)))
                steps = sum(isinstance(t, ast.BinOp) and isinstance(t.op, ast.Mult) for t in rest)
                rank = 1 + steps if steps or len(rest) == 1 else 0
                self._rank[base] = max(self._rank.get(base, 0), rank)
                if len(rest) == 1:
                    self._extent[base] = self._end(rest[0], mask) or self._extent.get(base, "")
            self._placed("", _argument(call, 1 if last == "load" else 2, "mask"))
        elif last in ("range", "static_range", "arange"):
            for given in call.args:
                self._placed("", given)
        elif name.split(".")[0] not in _LANGUAGE and not isinstance(call.func, ast.Attribute):
            self._unread |= self._from(call)

    def _meant(self, node: ast.expr) -> ast.expr:
        return self._set.get(node.id, node) if isinstance(node, ast.Name) else node

    def _end(self, offset: ast.expr, mask: ast.expr | None) -> str:
        """What an offset stays below: by its mask, or the number of programs ("@0")."""
        limit = self._meant(mask) if mask is not None else None
        if isinstance(limit, ast.Compare) and isinstance(limit.ops[0], ast.Lt) and _same(offset, limit.left):
            return ast.unparse(limit.comparators[0])
        program = _PROGRAM.fullmatch(ast.unparse(self._meant(offset)))
        return f"@{program[1]}" if program else ""

    def _placed(self, base: str, node: ast.AST | None) -> None:
        for part in self._from(node) - (self._base(node) if base else set()):
            if base or part not in self._places:
                self._places[part] = base

    def _scaled(self) -> set[str]:
        products = (n for n in self._nodes if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult))
        return set().union(*(self._from(n.left) | self._from(n.right) for n in products))

    def _only_asked(self, name: str) -> bool:
        """Whether it is a condition wherever it stands."""
        asked: list[ast.expr] = []
        for node in self._nodes:
            if isinstance(node, ast.If | ast.IfExp | ast.While):
                asked.append(node.test)
            elif isinstance(node, ast.BoolOp):
                asked += node.values
            elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                asked.append(node.operand)
        alone = {id(node) for node in asked if isinstance(node, ast.Name) and node.id == name}
        stands = [n for n in self._nodes if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
        return bool(stands) and len(alone) == len(stands)


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Each name that a statement sets, and the value."""
    pairs: list[tuple[ast.expr, ast.expr]] = []
    if isinstance(node, ast.Assign):
        pairs = [(target, node.value) for target in node.targets]
    elif isinstance(node, ast.AugAssign):
        pairs = [(node.target, node.value)]
    elif isinstance(node, ast.For):
        pairs = [(node.target, node.iter)]
    for target, value in pairs:
        several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts)
        for number, one in enumerate(target.elts if isinstance(target, ast.Tuple) else [target]):
            if isinstance(one, ast.Name):
                yield one.id, value.elts[number] if several and isinstance(value, ast.Tuple) else value


def _owner(given: list[ast.expr], made: dict[str, ast.expr], names: set[str]) -> str:
    """The one tensor whose strides are among what a kernel is given; "" where there is none, or there are several."""
    said = [ast.unparse(made.get(v.id, v) if isinstance(v, ast.Name) else v) for v in given]
    owners = {found[1] for text in said if (found := re.match(r"(\w+)\.stride\(", text))}
    return owners.pop() if len(owners) == 1 and owners <= names else ""


def _terms(node: ast.expr) -> Iterator[ast.expr]:
    """What a sum adds."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _terms(node.left)
        yield from _terms(node.right)
    else:
        yield node


def _same(one: ast.expr, other: ast.expr) -> bool:
    return ast.dump(one) == ast.dump(other)


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    if len(call.args) > position:
        return call.args[position]
    return next((k.value for k in call.keywords if k.arg == name), None)


def _last(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)
