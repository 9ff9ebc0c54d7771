"""Where a wrapper finds the sizes that its code names: dimensions, strides and numbers among its arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy  # type: ignore[import-untyped]

from geak_evaluator.schema import domain, expr
from geak_evaluator.schema.spec import Scalar, Spec
from geak_evaluator.seeds.branches import Branch, CannotSeed

_CALLS = {"min": sympy.Min, "max": sympy.Max, "abs": abs, "cdiv": lambda a, b: -(-a // b)}


@dataclass
class Sizes:
    """The sizes of one branch, and the expressions over arguments that tell them."""

    spec: Spec
    branch: Branch
    more: Mapping[str, Sequence[str]]
    """Expressions that are tuples, with what each part is in terms of sizes: of arguments that no spec lists."""

    def lines(self, used: set[str]) -> list[str]:
        """Statements that define whatever sizes are among the names used."""
        variables = {self.variable(name): name for name in self.spec.axes if name not in self.branch.axes}
        wanted = {v for v in variables if v in used}
        known: set[str] = set()
        found: list[str] = []
        whole, others = self._sources()
        for source, texts in whole.items():
            fresh = [t for t in texts if t in wanted - known]
            if fresh and all(t in variables or t.isdigit() for t in texts) and len(set(texts)) == len(texts):
                left = ", ".join(t if t in fresh else "_" for t in texts)
                found.append(f"{left} = {source}" if len(texts) > 1 else f"{left} = {source}[0]")
                known |= set(fresh)
        for _ in variables:
            for source, texts in {**whole, **others}.items():
                for place, text in enumerate(texts):
                    told = self._solved(text, f"{source}[{place}]" if source[-1:] != " " else source.strip(), known)
                    if told and told[0] in wanted - known:
                        found.append(f"{told[0]} = {told[1]}")
                        known.add(told[0])
        if missing := wanted - known:
            names = ", ".join(sorted(variables[v] for v in missing))
            raise CannotSeed(f"the size {names} cannot be told from its arguments; hand it over as a Scalar")
        return found

    def _sources(self) -> tuple[dict[str, Sequence[str]], dict[str, Sequence[str]]]:
        """Shapes, and whatever else tells a size; a number's source ends with a space, as it has no parts."""
        tensors = {n: t for n, t in self.spec.tensors.items() if n not in self.branch.without}
        shapes: dict[str, Sequence[str]] = {f"{n}.shape": t.shape for n, t in tensors.items()}
        if self.spec.contract == "destination":
            handed = zip(domain.destinations(self.spec), domain.outputs(self.spec), strict=False)
            shapes |= {f"{name}.shape": item.shape for name, (_, item) in handed}
        shapes |= {source: texts for source, texts in self.more.items() if not source.endswith(" ")}
        others: dict[str, Sequence[str]] = {f"{n}.stride()": t.strides for n, t in tensors.items() if t.strides}
        for name, item in self.spec.inputs.items():
            if isinstance(item, Scalar) and item.type == "int" and isinstance(item.value, str):
                others[f"{name} "] = (item.value,)
        others |= {source: texts for source, texts in self.more.items() if source.endswith(" ")}
        return shapes, others

    def variable(self, axis: str) -> str:
        """What the code calls an axis: "K_32" is a 32nd of K."""
        step = self.branch.multiples.get(axis, 1)
        return axis if step == 1 else f"{axis}_{step}"

    def symbolic(self, text: str) -> Any:
        """An expression of the spec over the code's variables."""
        sizes: dict[str, Any] = {}
        for name in self.spec.axes:
            if name in self.branch.axes:
                sizes[name] = sympy.Integer(self.branch.axes[name])
            else:
                symbol = sympy.Symbol(self.variable(name), integer=True, positive=True)
                sizes[name] = symbol * self.branch.multiples.get(name, 1)
                sizes.setdefault(symbol.name, symbol)
        for name, item in self.spec.inputs.items():
            if isinstance(item, Scalar):
                chosen = self.branch.scalars.get(name, item.value)
                sizes[name] = sympy.Symbol(name) if chosen is None or isinstance(chosen, str) else sympy.sympify(chosen)
        return sympy.sympify(eval(text, {"__builtins__": {}, **_CALLS}, sizes))

    def _solved(self, text: str, source: str, known: set[str]) -> tuple[str, str] | None:
        """A variable in terms of one dimension, where that is linear in it and everything else is known."""
        try:
            told = sympy.expand(self.symbolic(text))
        except (TypeError, ValueError, ZeroDivisionError, NameError):
            return None
        unknown = [s for s in told.free_symbols if s.name not in known]
        if len(unknown) != 1:
            return None
        (symbol,) = unknown
        step = 1
        if told.has(sympy.floor) and (axis := self.spec.axes.get(symbol.name)):
            # A part of a size that is always a multiple tells it as well: C // 4 of a C that 4 divides.
            step = math.gcd(*axis.choices) if axis.choices else axis.multiple_of
            told = sympy.expand(told.subs(symbol, step * symbol))
        factor, rest = told.coeff(symbol, 1), told.coeff(symbol, 0)
        if factor == 0 or sympy.expand(told - factor * symbol - rest) != 0 or factor.has(sympy.floor):
            return None
        value = (
            source
            if rest == 0
            else f"{source} + {-rest}"
            if rest.could_extract_minus_sign()
            else f"{source} - {_held(rest)}"
        )
        if factor != 1:
            value = f"{value if rest == 0 else f'({value})'} // {_held(factor)}"
        if step != 1:
            value = f"{step} * {value}" if value == source else f"{step} * ({value})"
        return symbol.name, value

    def condition(self, axis: str) -> str:
        """What is true of the arguments where an axis has this branch's size."""
        tensors = {n: t for n, t in self.spec.tensors.items() if not t.optional}
        places = [(f"{n}.shape[{i}]", text) for n, t in tensors.items() for i, text in enumerate(t.shape)]
        for source, text in places:
            if text == axis:
                return f"{source} == {self.branch.axes[axis]}"
        for source, text in places:
            if axis in expr.names_in(text):
                told = self.symbolic(text)
                for line in reversed(self.lines({str(s) for s in told.free_symbols})):
                    name, _, value = line.partition(" = ")
                    told = str(told).replace(name, f"({value})")
                return f"{source} == {told}"
        raise CannotSeed(f"the size {axis} cannot be told from the shapes of its arguments; hand it over as a Scalar")


def _held(expression: Any) -> str:
    return str(expression) if expression.is_Atom else f"({expression})"
