"""A whole kernel file from the code of a spec's branches: shared kernels, one wrapper, and the choice among them."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from geak_evaluator.children.tensors import dtype_of
from geak_evaluator.schema import domain
from geak_evaluator.schema.spec import Description
from geak_evaluator.seeds import entries
from geak_evaluator.seeds.branches import Branch, CannotSeed
from geak_evaluator.seeds.graph import Graph
from geak_evaluator.seeds.sizes import Sizes
from geak_evaluator.seeds.standalone import Piece, Renamed


@dataclass
class Compiled:
    """One part of one branch, compiled."""

    branch: Branch
    part: str
    graph: Graph
    piece: Piece


@dataclass
class _Code:
    """The wrapper's code for branches that share it."""

    lines: list[str]
    branches: list[Branch] = field(default_factory=list)


def kernel_file(about: Description, target: str, compiled: Sequence[Compiled], title: str) -> str:
    """The text of a kernel file."""
    return _File(about, target).text(compiled, title)


class _File:
    def __init__(self, about: Description, target: str) -> None:
        self._about, self._spec, self._target = about, about.spec, target
        self._functions: dict[str, ast.FunctionDef] = {}
        self._libdevice = False

    def text(self, compiled: Sequence[Compiled], title: str) -> str:
        parts: dict[str, list[Compiled]] = {}
        for one in compiled:
            parts.setdefault(one.part, []).append(one)
        wrapper = [text for part, ones in parts.items() for text in self._part(part, ones)]
        wrapper += entries.entry(self._about, {part: ones[0].graph for part, ones in parts.items()})
        functions = [ast.unparse(ast.fix_missing_locations(node)) for node in self._functions.values()]
        imports = ["import torch", "import triton", "import triton.language as tl"]
        if self._libdevice:
            imports.append("from triton.language.extra import libdevice")
        parts_of_file = [f'"""{title}"""\n\n' + "\n".join(imports), *functions, *wrapper]
        return "\n\n\n".join(parts_of_file) + "\n"

    # -- kernels --

    def _adopt(self, piece: Piece) -> dict[str, str]:
        """Takes a piece's kernels in, each once; says under which names they are to be launched."""
        names: dict[str, str] = {}
        for kernel in piece.kernels.values():
            self._libdevice |= kernel.libdevice
            helpers: dict[str, str] = {}
            for name, node in kernel.helpers.items():
                helpers[name] = self._place(name, node, helpers)
            names[kernel.name] = self._place(kernel.name, kernel.function, helpers)
        for name, function in piece.functions.items():
            names[name] = self._place(name, function, names)
        return names

    def _place(self, name: str, node: Any, others: dict[str, str]) -> str:
        for number in itertools.count(1):
            chosen = name if number == 1 else f"{name}_{number}"
            copied = ast.parse(ast.unparse(node)).body[0]
            assert isinstance(copied, ast.FunctionDef)
            copied.name = chosen
            copied = Renamed({**others, name: chosen}).visit(copied)
            if chosen not in self._functions or ast.dump(self._functions[chosen]) == ast.dump(copied):
                self._functions.setdefault(chosen, copied)
                return chosen
        raise AssertionError

    # -- the wrapper's code --

    def _part(self, part: str, compiled: list[Compiled]) -> list[str]:
        """The function of one part, with those of its branches before it where they differ."""
        codes: dict[tuple[str, ...], _Code] = {}
        for one in compiled:
            lines = self._lines(one)
            codes.setdefault(tuple(lines), _Code(lines)).branches.append(one.branch)
        name, parameters = entries.signature(self._about, part, compiled[0].graph)
        doc = self._about.title if not part else ""
        if len(codes) == 1:
            return [entries.function(name, parameters, next(iter(codes)), doc)]
        functions, choice = [], []
        for number, code in enumerate(codes.values()):
            own = f"_{name.lstrip('_')}_{number}"
            functions.append(entries.function(own, parameters, code.lines))
            call = f"return {own}({', '.join(parameters)})"
            if number == len(codes) - 1:
                choice.append(call)
            else:
                choice += [f"if {self._condition(code, list(codes.values()))}:", f"    {call}"]
        return [*functions, entries.function(name, parameters, choice, doc)]

    def _lines(self, one: Compiled) -> list[str]:
        branch, piece = one.branch, one.piece
        names = self._adopt(piece)
        tensors = list(one.graph.shapes)
        if not tensors:
            raise CannotSeed("it has no tensor among its arguments, so that a wrapper could not tell the device")
        body = [Renamed({**names, "DEVICE": f"{tensors[0]}.device"}).visit(node) for node in piece.body]
        lines = [self._typed(ast.unparse(ast.fix_missing_locations(node)), branch) for node in body]
        lines += _return(piece, one.graph.outputs) if one.part != "backward" else _tuple(piece)
        trees = [ast.parse(line.replace("return ", "_ = ", 1)) for line in lines]
        used = {n.id for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Name)}
        more = {f"{name}.shape": texts for name, texts in one.graph.shapes.items() if name not in self._spec.tensors}
        return [*Sizes(self._spec, branch, more).lines(used), *lines]

    def _typed(self, line: str, branch: Branch) -> str:
        """A type that an argument has is read off the argument."""
        for name, chosen in branch.types.items():
            owner = self._typed_argument(name, branch)
            if owner:
                line = line.replace(f"dtype={self._dtype(chosen)},", f"dtype={owner}.dtype,")
        return line

    def _dtype(self, name: str) -> str:
        return str(dtype_of(self._spec.format(name, {}, self._target).name))

    def _typed_argument(self, name: str, branch: Branch | None) -> str:
        without = branch.without if branch else tuple(n for n, t in self._spec.tensors.items() if t.optional)
        for argument, tensor in self._spec.tensors.items():
            if tensor.dtype == name and argument not in without:
                return argument
        if self._spec.contract != "destination":
            return ""
        handed = zip(domain.destinations(self._spec), domain.outputs(self._spec), strict=False)
        return next((argument for argument, (_, tensor) in handed if tensor.dtype == name), "")

    # -- the choice --

    def _condition(self, code: _Code, codes: list[_Code]) -> str:
        everything = [self._keys(b) for one in codes for b in one.branches]
        own = [self._keys(b) for b in code.branches]
        options = {k: dict.fromkeys(one[k] for one in everything) for k in own[0]}
        chosen = {k: dict.fromkeys(one[k] for one in own) for k in own[0]}
        sized = 1
        for values in chosen.values():
            sized *= len(values)
        if sized == len(own):
            narrowing = [list(v) for k, v in chosen.items() if len(v) < len(options[k])]
            if len(narrowing) == 1:
                return " or ".join(narrowing[0])
            return " and ".join(f"({' or '.join(v)})" if len(v) > 1 else v[0] for v in narrowing)
        differing = [k for k in options if len(options[k]) > 1]
        return " or ".join(f"({' and '.join(one[k] for k in differing)})" for one in own)

    def _keys(self, branch: Branch) -> dict[str, str]:
        """What tells a branch from the others, as conditions over the arguments."""
        keys: dict[str, str] = {}
        for name, chosen in branch.types.items():
            owner = self._typed_argument(name, None)
            if not owner:
                raise CannotSeed(f"no argument has the type {name}, so that a wrapper could not tell which is meant")
            keys[f"type {name}"] = f"{owner}.dtype == {self._dtype(chosen)}"
        for name, value in branch.scalars.items():
            plain = {True: name, False: f"not {name}"}
            keys[f"scalar {name}"] = plain[value] if isinstance(value, bool) else f"{name} == {value!r}"
        for name, tensor in self._spec.tensors.items():
            if tensor.optional:
                keys[f"without {name}"] = f"{name} is {'' if name in branch.without else 'not '}None"
        for name in branch.axes:
            if len(self._spec.axes[name].choices) > 1:
                keys[f"axis {name}"] = Sizes(self._spec, branch, {}).condition(name)
        return keys


def _return(piece: Piece, paths: list[str]) -> list[str]:
    values = [ast.unparse(value) for value in piece.returned]
    if not values:
        return []
    if len(values) == 1 and not paths[0].isidentifier():
        return [f"return {values[0]}"]
    if all(path.isidentifier() for path in paths):
        pairs = ", ".join(f"{path!r}: {value}" for path, value in zip(paths, values, strict=True))
        return ["return {" + pairs + "}"]
    return [f"return ({', '.join(values)})"]


def _tuple(piece: Piece) -> list[str]:
    return [f"return ({', '.join(ast.unparse(value) for value in piece.returned)},)"]
