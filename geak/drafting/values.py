"""What a name may stand for while a function is read: tensors by their sizes, sizes, modules, anything else."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from geak.drafting.dims import Dim, unify
from geak.drafting.source import Function, dotted

_SHARED = re.compile(r"^(cos|sin|freqs.*|pe)$|mask$|^pos|emb|table")
"""Arguments that are usually shared by every batch and head: two dimensions, where nothing says more."""


@dataclass(eq=False)
class Value:
    """Something of which nothing is known."""


@dataclass(eq=False)
class Arr(Value):
    """A tensor; `dims` is None until something says how many there are."""

    dims: list[Dim] | None = None
    dtype: str = ""
    """A format's name; "" follows the inputs."""
    origin: str = ""
    """The argument that it is, or is a view of."""
    least: int = 0
    """It has at least so many dimensions."""
    roles: set[str] = field(default_factory=set)
    """How it is used: "bool", "index", "arithmetic"."""
    high: Dim | None = None
    """For an index: what it stays below."""
    base: Arr | None = None
    """What it was made from, and so what learns of its use."""
    more: int = 0
    """How many dimensions it has more than its base."""

    def like(self, dims: list[Dim] | None = None, dtype: str | None = None) -> Arr:
        """A new tensor of this one's type; of its shape where none is given."""
        dims = dims if dims is not None else (list(self.dims) if self.dims is not None else None)
        return Arr(dims, self.dtype if dtype is None else dtype)

    def made(self, more: int = 0) -> Arr:
        """A tensor made from this one, of whose dimensions too little is known to say its own."""
        return Arr(None, self.dtype, base=self, more=more)

    def mark(self, role: str, high: Dim | None = None) -> None:
        """It is used as "bool", "index" or in "arithmetic", and so is what it was made from."""
        array: Arr | None = self
        while array is not None:
            array.roles.add(role)
            array.high = array.high or high
            array = array.base

    @property
    def settles(self) -> bool:
        """Saying how many dimensions it has tells something of an argument."""
        return bool(self.origin) or (self.base is not None and self.base.settles)

    @property
    def source(self) -> str:
        """The argument that it was made from."""
        return self.origin or (self.base.source if self.base is not None else "")

    def rank(self, count: int) -> None:
        """It has exactly so many dimensions (the first who says so is believed)."""
        if self.dims is None and self.base is not None and self.base.dims is None and count >= self.more:
            self.base.rank(count - self.more)
        if self.dims is None:
            self.dims = [Dim() for _ in range(max(count, self.least))]

    def at(self, index: int) -> Dim:
        """The size at a position, from either end; at least so many dimensions are then known."""
        needed = index + 1 if index >= 0 else -index
        if self.dims is None:
            self.least = max(self.least, needed)
            return Dim()
        return self.dims[index] if needed <= len(self.dims) else Dim()

    def set_last(self, *dims: Dim) -> None:
        """The last sizes are these."""
        for i, dim in enumerate(reversed(dims), 1):
            unify(self.at(-i), dim)


@dataclass(eq=False)
class Num(Value):
    """A whole number that may be a size."""

    dim: Dim


@dataclass(eq=False)
class Known(Value):
    """A plain constant: a float, a string, a flag, None."""

    value: object


@dataclass(eq=False)
class DType(Value):
    """A number format; "" is that of the inputs."""

    name: str


@dataclass(eq=False)
class Seq(Value):
    """A tuple or a list."""

    items: list[Value]


@dataclass(eq=False)
class Shape(Value):
    """`x.shape`."""

    of: Arr


@dataclass(eq=False)
class Layer(Value):
    """An instance: of one of torch's modules, or of a class in the file, with its attributes."""

    kind: str
    args: list[Value] = field(default_factory=list)
    keywords: dict[str, Value] = field(default_factory=dict)
    attributes: dict[str, Value] = field(default_factory=dict)
    node: ast.ClassDef | None = None

    def arg(self, position: int, name: str) -> Value | None:
        """A constructor's argument."""
        return self.args[position] if position < len(self.args) else self.keywords.get(name)


@dataclass(eq=False)
class Config(Value):
    """An argument that only carries settings; its attributes become arguments."""

    fields: dict[str, Value] = field(default_factory=dict)


def broadcast(a: Arr, b: Arr, trailing: frozenset[str]) -> Arr:
    """The shape of an elementwise result; a tensor of unknown rank takes that of the other."""
    if a.dims is None and b.dims is None:
        return a if a.settles and (a.source not in trailing or not b.settles) else b
    for x, y in ((a, b), (b, a)):
        if x.dims is None and y.dims is not None:
            if not x.settles:
                return y.like()
            count = len(y.dims)
            if x.source in trailing:
                count = min(count, max(x.least, 1))
            elif _SHARED.search(x.source):
                count = min(count, max(x.least, 2))
            elif x.least >= 2 and not x.base:
                count = min(count, x.least)  # its sizes were asked for by number
            elif count < 2:
                return x  # a vector along its last dimension says nothing of the others
            x.rank(count)
    assert a.dims is not None
    assert b.dims is not None
    result: list[Dim] = []
    for i in range(1, max(len(a.dims), len(b.dims)) + 1):
        if i > len(a.dims):
            result.insert(0, b.dims[-i])
        elif i > len(b.dims):
            result.insert(0, a.dims[-i])
        else:
            one, two = a.dims[-i].root(), b.dims[-i].root()
            if one.value != 1 and two.value != 1:
                unify(one, two)
            result.insert(0, two.root() if one.value == 1 else one.root())
    return Arr(result, promoted(a.dtype, b.dtype))


def promoted(a: str, b: str) -> str:
    """The format of an elementwise result; "" is that of the inputs."""
    order = ("bool", "uint8", "int8", "int16", "int32", "int64", "", "fp16", "bf16", "fp32", "fp64")
    return max(a, b, key=lambda name: order.index(name) if name in order else 0)


def sizes(value: Value) -> list[Dim] | None:
    """The sizes that a shape, a tuple of numbers or one number holds."""
    if isinstance(value, Shape):
        return list(value.of.dims) if value.of.dims is not None else None
    if isinstance(value, Seq):
        return [v.dim if isinstance(v, Num) else Dim() for v in value.items]
    return [value.dim] if isinstance(value, Num) else None


def items(value: Value, count: int | None) -> list[Value] | None:
    """The parts of what is unpacked; None where they are not known."""
    if isinstance(value, Seq):
        return value.items
    if isinstance(value, Shape):
        known = sizes(value)
        return [Num(d) for d in known] if known is not None else None
    if isinstance(value, Arr) and value.dims:
        return [value.like(value.dims[1:]) for _ in range(count or 1)]
    return None


def integer(value: Value | None, default: int | None = None) -> int | None:
    """The number, if it is a literal one."""
    return value.dim.root().value if isinstance(value, Num) and value.dim.root().value is not None else default


def arguments_of(function: Function, args: list[Value], keywords: dict[str, Value]) -> dict[str, Value]:
    """The arguments of a call by name, defaults included."""
    spec = function.args
    plain = [*spec.posonlyargs, *spec.args]
    if any(dotted(d) == "staticmethod" for d in function.decorator_list):
        args = args[1:]
    values: dict[str, Value] = {}
    for arg, default in zip(reversed(plain), reversed(spec.defaults), strict=False):
        values[arg.arg] = constant(default)
    for arg, kw_default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        values[arg.arg] = constant(kw_default) if kw_default is not None else Value()
    values.update({arg.arg: value for arg, value in zip(plain, args, strict=False)})
    values.update(keywords)
    return values


def constant(node: ast.expr | None) -> Value:
    """The value of a literal."""
    if node is None:
        return Value()
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return Value()
    if isinstance(value, tuple) and all(type(part) is int for part in value):
        return Seq([Num(Dim(part)) for part in value])
    return Num(Dim(value)) if isinstance(value, int) and not isinstance(value, bool) else Known(value)
