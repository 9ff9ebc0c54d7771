"""A whole kernel file from the code of a spec's branches: shared kernels, one wrapper, and the choice among them."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy

from geak_evaluator.children.tensors import dtype_of
from geak_evaluator.schema import domain
from geak_evaluator.schema.spec import Description, Scalar, Spec
from geak_evaluator.seeds.branches import Branch, CannotSeed
from geak_evaluator.seeds.standalone import Piece, Renamed

_CALLS = {"min": sympy.Min, "max": sympy.Max, "abs": abs, "cdiv": lambda a, b: -(-a // b)}


@dataclass
class _Code:
    """The wrapper's code for branches that share it."""

    lines: list[str]
    branches: list[Branch] = field(default_factory=list)


def kernel_file(about: Description, target: str, pieces: Sequence[tuple[Branch, Piece, list[str]]], title: str) -> str:
    """The text of a kernel file; a piece comes with the paths of what it returns."""
    return _File(about, target).text(pieces, title)


class _File:
    def __init__(self, about: Description, target: str) -> None:
        self._about, self._spec, self._target = about, about.spec, target
        self._functions: dict[str, ast.stmt] = {}
        self._libdevice = False

    def text(self, pieces: Sequence[tuple[Branch, Piece, list[str]]], title: str) -> str:
        codes: dict[tuple[str, ...], _Code] = {}
        for branch, piece, paths in pieces:
            lines = self._lines(branch, piece, paths)
            codes.setdefault(tuple(lines), _Code(lines)).branches.append(branch)
        wrapper = self._wrapper(list(codes.values()))
        functions = [ast.unparse(ast.fix_missing_locations(node)) for node in self._functions.values()]
        imports = ["import torch", "import triton", "import triton.language as tl"]
        if self._libdevice:
            imports.append("from triton.language.extra import libdevice")
        parts = [f'"""{title}"""\n\n' + "\n".join(imports), *functions, *wrapper]
        return "\n\n\n".join(parts) + "\n"

    # -- kernels --

    def _adopt(self, piece: Piece) -> dict[str, str]:
        """Takes a piece's kernels in, each once; says under which names they are to be launched."""
        names: dict[str, str] = {}
        for kernel in piece.kernels.values():
            self._libdevice |= kernel.libdevice
            helpers = {}
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
            copied = Renamed(others).visit(copied)
            if chosen not in self._functions or ast.dump(self._functions[chosen]) == ast.dump(copied):
                self._functions.setdefault(chosen, copied)
                return chosen
        raise AssertionError

    # -- the wrapper's code --

    def _lines(self, branch: Branch, piece: Piece, paths: list[str]) -> list[str]:
        names = self._adopt(piece)
        tensors = [n for n in self._spec.tensors if n not in branch.without]
        device = [*tensors, *self._destination()]
        if not device:
            raise CannotSeed("it has no tensor among its arguments, so that a wrapper could not tell the device")
        body = [Renamed({**names, "DEVICE": f"{device[0]}.device"}).visit(node) for node in piece.body]
        lines = [self._typed(ast.unparse(ast.fix_missing_locations(node)), branch) for node in body]
        lines += self._return(piece, paths)
        used = {n.id for line in lines for n in ast.walk(ast.parse(line.replace("return ", "_ = ", 1))) if isinstance(n, ast.Name)}
        return [*self._sizes(branch, used), *lines]

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
        handed = zip(self._destination(), domain.outputs(self._spec), strict=False)
        return next((argument for argument, (_, tensor) in handed if tensor.dtype == name), "")

    def _destination(self) -> list[str]:
        return domain.destinations(self._spec) if self._spec.contract == "destination" else []

    def _return(self, piece: Piece, paths: list[str]) -> list[str]:
        values = [ast.unparse(value) for value in piece.returned]
        if not values:
            return []
        if paths == ["0"] or len(values) == 1 and not paths[0].isidentifier():
            return [f"return {values[0]}"]
        if all(path.isidentifier() for path in paths):
            pairs = ", ".join(f"{path!r}: {value}" for path, value in zip(paths, values, strict=True))
            return ["return {" + pairs + "}"]
        return [f"return ({', '.join(values)})"]

    # -- sizes --

    def _sizes(self, branch: Branch, used: set[str]) -> list[str]:
        """Where the sizes come from that the code names."""
        variables = {self._variable(n, branch): n for n in self._spec.axes if n not in branch.axes}
        wanted = {v for v in variables if v in used}
        known: set[str] = set()
        lines: list[str] = []
        tensors = {n: t for n, t in self._spec.tensors.items() if n not in branch.without}
        dims = {f"{n}.shape": t.shape for n, t in tensors.items()}
        dims |= {
            f"{name}.shape": item.shape
            for name, (_, item) in zip(self._destination(), domain.outputs(self._spec), strict=False)
        }
        strides = {f"{n}.stride()": t.strides for n, t in tensors.items() if t.strides}
        for source, texts in dims.items():
            fresh = [t for t in texts if t in wanted and t not in known]
            if fresh and all(t in variables or t.isdigit() for t in texts) and len(set(texts)) == len(texts):
                left = ", ".join(t if t in fresh else "_" for t in texts)
                lines.append(f"{left} = {source}" if len(texts) > 1 else f"{left} = {source}[0]")
                known |= set(fresh)
        for _ in variables:
            for source, texts in {**dims, **strides}.items():
                for place, text in enumerate(texts):
                    found = self._solved(text, f"{source}[{place}]", branch, known)
                    if found and found[0] in wanted - known:
                        lines.append(f"{found[0]} = {found[1]}")
                        known.add(found[0])
        if missing := wanted - known:
            names = ", ".join(sorted(variables[v] for v in missing))
            raise CannotSeed(f"the size {names} cannot be told from the shapes of its arguments; hand it over as a Scalar")
        return lines

    def _variable(self, axis: str, branch: Branch) -> str:
        step = branch.multiples.get(axis, 1)
        return axis if step == 1 else f"{axis}_{step}"

    def _symbolic(self, text: str, branch: Branch) -> Any:
        sizes: dict[str, Any] = {}
        for name in self._spec.axes:
            if name in branch.axes:
                sizes[name] = sympy.Integer(branch.axes[name])
            else:
                symbol = sympy.Symbol(self._variable(name, branch), integer=True, positive=True)
                sizes[name] = symbol * branch.multiples.get(name, 1)
        for name, item in self._spec.inputs.items():
            if isinstance(item, Scalar):
                chosen = branch.scalars.get(name, item.value)
                sizes[name] = sympy.Symbol(name) if chosen is None or isinstance(chosen, str) else sympy.sympify(chosen)
        return eval(text, {"__builtins__": {}, **_CALLS}, sizes)

    def _solved(self, text: str, source: str, branch: Branch, known: set[str]) -> tuple[str, str] | None:
        """A variable in terms of one dimension, where that is linear in it and everything else is known."""
        try:
            told = sympy.expand(self._symbolic(text, branch))
        except (TypeError, ValueError, ZeroDivisionError):
            return None
        unknown = [s for s in told.free_symbols if s.name not in known]
        if len(unknown) != 1:
            return None
        symbol = unknown[0]
        factor, rest = told.coeff(symbol, 1), told.coeff(symbol, 0)
        if factor == 0 or sympy.expand(told - factor * symbol - rest) != 0 or rest.has(symbol) or factor.has(sympy.floor):
            return None
        inner = source if rest == 0 else f"({source} - ({rest}))" if rest.could_extract_minus_sign() is False else f"({source} + {-rest})"
        return symbol.name, (inner if factor == 1 else f"{inner} // ({factor})").replace("((", "((")

    # -- the choice --

    def _wrapper(self, codes: list[_Code]) -> list[str]:
        entry = self._about.entry
        parameters = ", ".join([*self._spec.inputs, *self._destination()])
        doc = self._about.title.rstrip(".").replace('"""', "'''").replace("\\", "/") + "."
        if len(codes) == 1:
            return [_function(entry, parameters, codes[0].lines, doc)]
        functions, choice = [], []
        for number, code in enumerate(codes):
            name = f"_{entry}_{number}"
            functions.append(_function(name, parameters, code.lines))
            call = f"return {name}({parameters})"
            if number == len(codes) - 1:
                choice.append(call)
            else:
                choice += [f"if {self._condition(code, codes)}:", f"    {call}"]
        return [*functions, _function(entry, parameters, choice, doc)]

    def _condition(self, code: _Code, codes: list[_Code]) -> str:
        everything = [b for one in codes for b in one.branches]
        own = [self._keys(b) for b in code.branches]
        options = {k: dict.fromkeys(self._keys(b)[k] for b in everything) for k in own[0]}
        chosen = {k: dict.fromkeys(one[k] for one in own) for k in own[0]}
        sized = 1
        for values in chosen.values():
            sized *= len(values)
        if sized == len(own):
            parts = [f"({' or '.join(v)})" if len(v) > 1 else next(iter(v)) for k, v in chosen.items() if len(v) < len(options[k])]
            return " and ".join(parts)
        return " or ".join(f"({' and '.join(filter(None, one.values()))})" for one in own)

    def _keys(self, branch: Branch) -> dict[str, str]:
        """What tells a branch from the others, as conditions over the arguments."""
        keys: dict[str, str] = {}
        for name, chosen in branch.types.items():
            owner = self._typed_argument(name, None)
            if not owner:
                raise CannotSeed(f"no argument has the type {name}, so that a wrapper could not tell which is meant")
            keys[f"type {name}"] = f"{owner}.dtype == {self._dtype(chosen)}"
        for name, value in branch.scalars.items():
            keys[f"scalar {name}"] = {True: name, False: f"not {name}"}[value] if isinstance(value, bool) else f"{name} == {value!r}"
        for name, tensor in self._spec.tensors.items():
            if tensor.optional:
                keys[f"without {name}"] = f"{name} is {'' if name in branch.without else 'not '}None"
        for name in branch.axes:
            if len(self._spec.axes[name].choices) > 1:
                keys[f"axis {name}"] = self._axis_condition(name, branch)
        return keys

    def _axis_condition(self, axis: str, branch: Branch) -> str:
        from geak_evaluator.schema import expr

        for name, tensor in self._spec.tensors.items():
            for place, text in enumerate(tensor.shape):
                if text == axis:
                    return f"{name}.shape[{place}] == {branch.axes[axis]}"
        for name, tensor in self._spec.tensors.items():
            for place, text in enumerate(tensor.shape):
                if axis in expr.names_in(text):
                    lines = self._sizes(branch, {str(s) for s in self._symbolic(text, branch).free_symbols})
                    told = str(self._symbolic(text, branch))
                    for line in lines:
                        left, _, right = line.partition(" = ")
                        told = told.replace(left, f"({right})")
                    return f"{name}.shape[{place}] == {told}"
        raise CannotSeed(f"the size {axis} cannot be told from the shapes of its arguments; hand it over as a Scalar")


def _function(name: str, parameters: str, lines: list[str], doc: str = "") -> str:
    body = [f'"""{doc}"""'] if doc else []
    body += lines or ["return None"]
    return f"def {name}({parameters}):\n" + "\n".join(f"    {line}" for text in body for line in text.split("\n"))
