"""Sizes that are not known yet: variables that are found equal, named, or worked out from one another."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "//": 2, "%": 2}
_CONSTANT: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}


class Dim:
    """One size: a variable, a number, or a formula of two others."""

    __slots__ = ("divisors", "floors", "formula", "limit", "link", "name", "power", "strength", "value", "window")

    def __init__(
        self,
        value: int | None = None,
        name: str = "",
        strength: int = 9,
        formula: tuple[str, Dim, Dim] | None = None,
    ) -> None:
        self.link: Dim | None = None
        self.value = value
        self.name = name
        self.strength = strength  # whose name wins when two are equal: the lower
        self.formula = formula
        self.divisors: list[Dim] = []
        """What the code divides it by, and so what it is a multiple of."""
        self.limit: Dim | None = None
        """For a loop's variable: where the loop ends."""
        self.floors: list[Dim] = []
        """What is cut out of it, and so what it is at least."""
        self.power = False
        """A kernel has a block of just this size, which Triton wants to be a power of two."""
        self.window: tuple[Dim, Callable[[int], int]] | None = None
        """What a window that slides over it made this of, and how much of that a size of this takes."""

    def root(self) -> Dim:
        """The one that stands for all that were found equal."""
        dim = self
        while dim.link is not None:
            dim = dim.link
        return dim

    @property
    def free(self) -> bool:
        """Neither a number nor worked out from others."""
        root = self.root()
        return root.value is None and root.formula is None

    def at_least(self, size: int) -> None:
        """What is done with it needs so much of it."""
        root = self.root()
        if root.window is not None:
            source, needed = root.window
            source.at_least(needed(size))
        elif root.formula is None and root.value is None and size > 1:
            root.floors.append(Dim(size))

    def call(self, name: str, strength: int) -> None:
        """Proposes a name; the strongest stays."""
        root = self.root()
        if strength < root.strength:
            root.name, root.strength = name, strength

    def variables(self) -> Iterator[Dim]:
        """The variables that it depends on."""
        root = self.root()
        if root.formula is not None:
            yield from root.formula[1].variables()
            yield from root.formula[2].variables()
        elif root.value is None:
            yield root

    def text(self, names: dict[int, str]) -> str:
        """The expression, with variables called by their final names."""
        return self._text(names, 0)

    def _text(self, names: dict[int, str], outer: int) -> str:
        root = self.root()
        if root.value is not None:
            return str(root.value)
        if root.formula is None:
            return names[id(root)]
        op, left, right = root.formula
        level = _PRECEDENCE[op]
        inner = f"{left._text(names, level)} {op} {right._text(names, level + 1)}"
        return f"({inner})" if level < outer else inner


def same(a: Dim, b: Dim) -> bool:
    """Whether two sizes are known to be equal."""
    a, b = a.root(), b.root()
    if a is b:
        return True
    if a.value is not None or b.value is not None:
        return a.value == b.value
    if a.formula is None or b.formula is None:
        return False
    return a.formula[0] == b.formula[0] and same(a.formula[1], b.formula[1]) and same(a.formula[2], b.formula[2])


def make(op: str, a: Dim, b: Dim) -> Dim:
    """The size `a op b`, simplified where it undoes what was done before."""
    a, b = a.root(), b.root()
    if a.value is not None and b.value is not None:
        return Dim(_CONSTANT[op](a.value, b.value)) if b.value or op not in ("//", "%") else Dim()
    if (op in ("*", "//") and b.value == 1) or (op in ("+", "-") and b.value == 0):
        return a
    if (op == "*" and a.value == 1) or (op == "+" and a.value == 0):
        return b
    if op == "-" and same(a, b):
        return Dim(0)
    if op == "//" and same(a, b):
        return Dim(1)
    for x, y in ((a, b), (b, a)):
        if op == "*" and x.formula and x.formula[0] == "//" and same(x.formula[2], y):
            return x.formula[1].root()
    if op == "//" and a.formula and a.formula[0] == "*":
        for keep, drop in ((1, 2), (2, 1)):
            left, right = a.formula[drop], a.formula[keep]
            if isinstance(left, Dim) and isinstance(right, Dim) and same(left, b):
                return right.root()
    if op == "+" and a.formula and same(a, b) and a.formula[0] == "//" and a.formula[2].root().value == 2:
        return a.formula[1].root()
    if op == "-" and b.formula and b.formula[0] == "//" and b.formula[2].root().value == 2 and same(b.formula[1], a):
        return b  # the other half
    if op == "-" and a.formula and a.formula[0] == "+":
        _, first, second = a.formula
        if same(second, b) or same(first, b):
            return (first if same(second, b) else second).root()
    if op == "//":
        a.divisors.append(b)
    return Dim(formula=(op, a, b))


def unify(a: Dim, b: Dim) -> None:
    """Takes two sizes to be equal, as far as that can be."""
    a, b = a.root(), b.root()
    if a is b or same(a, b):
        return
    if not a.free and b.free:
        a, b = b, a
    if a.free:
        if any(v is a for v in b.variables()) and not b.free:
            return  # N = N + 1 says nothing
        if b.free and a.strength <= b.strength:
            a, b = b, a
        a.link = b
        b.divisors += a.divisors
        b.floors += a.floors
        b.window = b.window or a.window
        b.power |= a.power
        return
    for x, y in ((a, b), (b, a)):
        if _solve(x, y):
            return


def _solve(x: Dim, y: Dim) -> bool:
    if x.formula is None:
        return False
    op, left, right = x.formula
    if op == "*" and y.formula and y.formula[0] == "*":
        for mine, other in ((left, right), (right, left)):
            for yours, rest in ((y.formula[1], y.formula[2]), (y.formula[2], y.formula[1])):
                if same(mine, yours):
                    unify(other, rest)
                    return True
    if op == "*":
        for known, wanted in ((left, right), (right, left)):
            by = known.root().value
            if by and wanted.free and y.value is not None and y.value % by == 0:
                unify(wanted, Dim(y.value // by))
                return True
    if op == "//" and left.free and (right.root().value is not None or right.free):
        whole = make("*", y, right)
        if not any(v is left.root() for v in whole.variables()):
            unify(left, whole)
            return True
    return False


def product(dims: list[Dim]) -> Dim:
    """The size of a flattened block."""
    result = Dim(1)
    for dim in dims:
        result = make("*", result, dim)
    return result


def quotient(whole: list[Dim], part: list[Dim]) -> Dim:
    """What -1 stands for in a view: the sizes of one side that the other lacks."""
    rest, over = list(whole), []
    for dim in part:
        match = next((w for w in rest if same(w, dim)), None)
        if match is not None:
            rest.remove(match)
        else:
            over.append(dim)
    top, bottom = product(rest), product(over)
    # Prefer (E // H) kept with its own factor over (B * S * E) // H.
    for i, dim in enumerate(rest):
        if len(rest) > 1 and bottom.root().value != 1:
            reduced = make("//", dim, bottom)
            if reduced.root().formula is None or i == len(rest) - 1:
                return product([*rest[:i], reduced, *rest[i + 1 :]])
    return make("//", top, bottom)


def parse(text: str, named: Callable[[str], Dim]) -> Dim | None:
    """The size behind an expression such as `H * D` or `128`; None where it is no such thing."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return _parse(node, named)


_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Div: "//",
    ast.Mod: "%",
}


def operator_of(node: ast.operator) -> str:
    """`*` for a multiplication and so on; "" for one that makes no size."""
    return _OPERATORS.get(type(node), "")


def _parse(node: ast.expr, named: Callable[[str], Dim]) -> Dim | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return Dim(node.value)
    if isinstance(node, ast.Name):
        return named(node.id)
    if isinstance(node, ast.BinOp) and operator_of(node.op):
        left, right = _parse(node.left, named), _parse(node.right, named)
        return make(operator_of(node.op), left, right) if left and right else None
    return None
