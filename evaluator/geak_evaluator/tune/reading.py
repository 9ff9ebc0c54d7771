"""Finding what is tunable in a kernel file, by reading it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from geak_evaluator.tune.kernels import Kernel, decorator, kernels
from geak_evaluator.tune.knobs import AMD_OPTIONS, OPTIONS, Absent, Knob, List, Listed, Literal, Place, Space, Tabled
from geak_evaluator.tune.lists import configurations
from geak_evaluator.tune.syntax import Source, Span, integer
from geak_evaluator.tune.tables import tables

_COMPUTED = "is computed"


class Untunable(ValueError):
    """A file that no tuner can do anything with; the message says why and what to do."""


def read(data: bytes) -> Space:
    """All that is tunable in a file; Untunable where its author must see to something first."""
    source = Source(data)
    known = kernels(source)
    if not known:
        raise Untunable("the file defines no @triton.jit kernel, so there is nothing to tune")
    reader = _Reader(source, known)
    reader.read()
    return Space(source, reader.named(), tuple(reader.lists), reader.tables, tuple(dict.fromkeys(reader.left)))


class _Reader:
    def __init__(self, source: Source, known: dict[str, Kernel]) -> None:
        self._source, self._kernels = source, known
        self._knobs: list[Knob] = []
        self.lists: list[List] = []
        self.left: list[str] = []
        self.tables = tables(source, {*OPTIONS, *AMD_OPTIONS}.union(*(kernel.roles for kernel in known.values())))
        self._tuned: set[str] = set()
        self._asks_torch = "torch" in _imported(source)

    def read(self) -> None:
        """Autotuned lists first: what they name is no launch's to say."""
        for kernel in self._kernels.values():
            self._read_list(kernel)
        for number in range(len(self.tables)):
            self._read_table(number)
        for node in ast.walk(self._source.tree):
            launched = self._launched(node)
            if launched is not None:
                assert isinstance(node, ast.Call)
                self._read_launch(node, launched)

    def named(self) -> dict[str, Knob]:
        """The knobs under names that tell them apart; launches that say the same thing change together."""
        merged: list[Knob] = []
        for knob in self._knobs:
            twin = next((one for one in merged if _same(one, knob)), None)
            if twin is None:
                merged.append(knob)
            else:
                place, dot, grid = _both(twin.place, knob.place), twin.dot or knob.dot, twin.grid or knob.grid
                merged[merged.index(twin)] = replace(twin, place=place, dot=dot, grid=grid)
        found: dict[str, Knob] = {}
        for knob in merged:
            alike = [one for one in merged if one.name == knob.name]
            name = knob.name if len(alike) == 1 else f"{knob.kernel}.{knob.name}"
            if name in found:
                name = f"{name}@{knob.where.split(':')[0].removeprefix('line ')}"
            found[name] = knob
        return found

    # -- autotuned kernels --

    def _read_list(self, kernel: Kernel) -> None:
        call = decorator(self._source, kernel, "triton.autotune")
        if call is None:
            return
        self._tuned.add(kernel.name)
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        given |= dict(zip(("configs", "key"), call.args))  # noqa: B905
        self._check_key(kernel, given.get("key"), call.lineno)
        found = configurations(self._source, given.get("configs"), kernel.name)
        if isinstance(found, str):
            self.left.append(found)
            return
        number = len(self.lists)
        self.lists.append(found)
        names = list(dict.fromkeys(name for entry in found.entries for name in entry))
        extra = [name for name in OPTIONS if name not in names]
        extra += [name for name in AMD_OPTIONS if name not in names and self._amd(kernel, name)]
        first = found.entries[0]
        where = f"line {call.lineno}: the configurations of {kernel.name}"
        for name in (*names, *extra):
            role = kernel.roles.get(name)
            known = tuple(dict.fromkeys(entry[name] for entry in found.entries if name in entry))
            option = name in OPTIONS or name in AMD_OPTIONS
            block = not option and role is not None and role.block
            knob = Knob(name, kernel.name, first.get(name, 0), where, Listed(number), block, kernel.dot, known=known)
            self._knobs.append(replace(knob, grid=role is not None and role.grid))

    def _check_key(self, kernel: Kernel, key: ast.expr | None, line: int) -> None:
        items = key.elts if isinstance(key, ast.List | ast.Tuple) else []
        for item in items:
            said = item.value if isinstance(item, ast.Constant) else None
            if isinstance(said, str) and said not in kernel.parameters:
                raise Untunable(
                    f"line {line}: the autotune key '{said}' names no parameter of {kernel.name}, so every size would "
                    f"share one choice; name one of {', '.join(kernel.parameters)}, or take the key out"
                )

    # -- tables --

    def _read_table(self, number: int) -> None:
        table = self.tables[number]
        for name in dict.fromkeys(name for entry in table.entries for name in entry.values):
            known = tuple(dict.fromkeys(entry.values[name] for entry in table.entries if name in entry.values))
            using = [kernel for kernel in self._kernels.values() if name in kernel.roles]
            using = using or list(self._kernels.values())
            roles = [kernel.roles[name] for kernel in using if name in kernel.roles]
            block = any(role.block for role in roles)
            where = f"line {table.line}: a table of configurations"
            place, dot = Tabled(number), any(kernel.dot for kernel in using)
            grid = any(role.grid for role in roles)
            self._knobs.append(Knob(name, using[0].name, known[0], where, place, block, dot, grid, known))

    # -- launches --

    def _launched(self, node: ast.AST) -> Kernel | None:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Subscript):
            return self._kernels.get(self._source.full(node.func.value))
        return None

    def _read_launch(self, call: ast.Call, kernel: Kernel) -> None:
        given = _given(call, kernel)
        spread = any(keyword.arg is None for keyword in call.keywords)
        for name, role in kernel.roles.items():
            if name in given and integer(given[name]) is None and isinstance(given[name], ast.Constant):
                continue  # a flag, a text, an epsilon
            if name not in given or not self._is_tile(call, kernel, name, given[name]):
                continue
            spans, value = self._literals(call, given[name], caps=("min",))
            if not spans:
                self.left.append(self._why_not(call, kernel, name, given[name]))
                continue
            if given[name] is self._constant(given[name]):
                spans += self._in_grid(call, value, kernel, given)
            where = f"line {call.lineno}: a launch of {kernel.name}"
            knob = Knob(name, kernel.name, value, where, Literal(tuple(dict.fromkeys(spans))), True, kernel.dot)
            self._knobs.append(replace(knob, grid=role.grid))
        if kernel.name not in self._tuned:
            for name in (*OPTIONS, *AMD_OPTIONS):
                self._read_option(call, kernel, name, given.get(name), spread)

    def _read_option(self, call: ast.Call, kernel: Kernel, name: str, said: ast.expr | None, spread: bool) -> None:
        where = f"line {call.lineno}: a launch of {kernel.name}"
        if said is not None:
            found = self._bounds(call, said, caps=("min", "max"))
            for node in found:
                if len(found) > 1 and self._bounded_above(node):
                    continue  # what is large enough to feel it may be larger than anything that is compiled here
                place = Literal((self._source.span(node),))
                self._knobs.append(Knob(name, kernel.name, integer(node) or 0, where, place, False, kernel.dot))
            return
        tabled = any(name in entry.values for table in self.tables for entry in table.entries)
        if spread or tabled or name in kernel.parameters or (name in AMD_OPTIONS and not self._amd(kernel, name)):
            return
        last = max((*call.args, *(k.value for k in call.keywords)), key=lambda node: self._source.span(node).end)
        end = self._source.span(call).end - 1
        between = self._source.data[self._source.span(last).end : end]
        comma = b"," not in b"\n".join(line.split(b"#")[0] for line in between.splitlines())
        self._knobs.append(Knob(name, kernel.name, 0, where, Absent(((end, comma),)), False, kernel.dot))

    def _amd(self, kernel: Kernel, name: str) -> bool:
        """Whether an option of AMD's alone is worth trying: it must be written so that CUDA never sees it."""
        return self._asks_torch and (kernel.dot or name == "waves_per_eu")

    def _is_tile(self, call: ast.Call, kernel: Kernel, name: str, value: ast.expr) -> bool:
        role = kernel.roles[name]
        if role.shape and not role.block:
            self.left.append(self._why_not(call, kernel, name, value, "is as large as what it covers, and no tile"))
        return role.block

    def _why_not(self, call: ast.Call, kernel: Kernel, name: str, value: ast.expr, why: str = _COMPUTED) -> str:
        settled = self._source.bound(value.id, call) if isinstance(value, ast.Name) else value
        if isinstance(settled, ast.Call) and self._source.full(settled.func).endswith("next_power_of_2"):
            why = f"follows a size of the input ({ast.unparse(settled)})"
        elif settled is not None and why == _COMPUTED:
            why = f"{why} ({ast.unparse(settled)[:60]})"
        return f"line {call.lineno}: {name} of {kernel.name} {why}"

    # -- expressions --

    def _constant(self, node: ast.expr) -> ast.expr | None:
        return node if integer(node) is not None else None

    def _bounded_above(self, node: ast.expr) -> bool:
        above = self._source.above(node)
        return isinstance(above, ast.Call) and ast.unparse(above.func) == "min"

    def _literals(self, call: ast.Call, node: ast.expr, caps: tuple[str, ...]) -> tuple[list[Span], int]:
        found = self._bounds(call, node, caps)
        if len(found) != 1:
            return [], 0
        return [self._source.span(found[0])], integer(found[0]) or 0

    def _bounds(self, where: ast.AST, node: ast.expr | None, caps: tuple[str, ...], depth: int = 0) -> list[ast.expr]:
        """The literals that settle an expression: itself, what a name stands for, or a bound of a min()."""
        if node is None or depth > 5:
            return []
        if (number := integer(node)) is not None:
            return [node] if number > 0 else []
        if isinstance(node, ast.Name):
            return self._bounds(where, self._source.bound(node.id, where), caps, depth + 1)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in caps:
            own = [part for part in node.args if integer(part) is not None]
            nested = [part for part in node.args if isinstance(part, ast.Call) and part not in own]
            inner = [found for part in nested for found in self._bounds(where, part, caps, depth + 1)]
            return [*own, *inner] if len(own) == 1 else []
        return []

    def _in_grid(self, call: ast.Call, value: int, kernel: Kernel, given: dict[str, ast.expr]) -> list[Span]:
        """The same number where the grid divides by it; nothing where it could be another's."""
        rivals = [name for name in kernel.roles if name in given and integer(given[name]) == value]
        if len(rivals) > 1 or not isinstance(call.func, ast.Subscript):
            return []
        grid: ast.expr | None = call.func.slice
        if isinstance(grid, ast.Name):
            grid = self._source.bound(grid.id, call)
        return [self._source.span(node) for node in _divisors(self._source, grid) if integer(node) == value]


def _divisors(source: Source, grid: ast.expr | None) -> Iterator[ast.expr]:
    for node in ast.walk(grid) if grid is not None else ():
        if isinstance(node, ast.Call) and source.full(node.func).split(".")[-1] == "cdiv" and len(node.args) == 2:
            yield node.args[1]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
            yield node.right


def _given(call: ast.Call, kernel: Kernel) -> dict[str, ast.expr]:
    """What a launch says of each parameter; after `*strides` counted from the last one."""
    found = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    places = [name for name in kernel.parameters if name not in found]
    stars = [n for n, part in enumerate(call.args) if isinstance(part, ast.Starred)]
    front = call.args[: stars[0]] if stars else call.args
    found |= dict(zip(kernel.parameters, front))  # noqa: B905
    if stars and not any(keyword.arg is None for keyword in call.keywords):
        after = call.args[stars[-1] + 1 :]
        found |= dict(zip(places[len(places) - len(after) :], after))  # noqa: B905
    return found


def _same(one: Knob, other: Knob) -> bool:
    """Whether two launches say one thing: of one kernel the same number, or of two kernels by one literal."""
    if isinstance(one.place, Literal) and isinstance(other.place, Literal):
        if set(one.place.spans) & set(other.place.spans):
            return True
    elif not isinstance(one.place, Absent) or not isinstance(other.place, Absent):
        return False
    return (one.name, one.kernel, one.value) == (other.name, other.kernel, other.value)


def _both(one: Place, other: Place) -> Place:
    if isinstance(one, Literal) and isinstance(other, Literal):
        return Literal(tuple(dict.fromkeys((*one.spans, *other.spans))))
    if isinstance(one, Absent) and isinstance(other, Absent):
        return Absent(tuple(dict.fromkeys((*one.at, *other.at))))
    return one


def _imported(source: Source) -> Iterator[str]:
    for node in source.tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.asname or alias.name for alias in node.names)
