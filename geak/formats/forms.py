"""The calls of an operator by their form, and a form as a spec: equal sizes are an axis, its range the domain."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from geak.formats import operators
from geak.formats.traces import TORCH, Argument, Array, Call, Type, parse
from geak.formats.writing import Written, largest, plural

_SMALL = 16
"""Up to here a size is one of a few (a kernel's width), and an integer is not a size."""
_TIMED = 8
_ALONE = 1 << 18  # elements of a traced call that can be interpreted as it is
_MARK = "T"  # the one float format of a call
_SIZES = ((1, 2, 3, 4), (7, 33, 5, 17), (40, 19, 9, 3))
_FLOATS = frozenset(("bf16", "fp16", "fp32", "fp64"))
Key = tuple[object, ...]


@dataclass(frozen=True)
class Form:
    """Calls that differ in sizes and floats alone."""

    operator: str
    calls: tuple[Call, ...]
    """The most frequent first."""

    @property
    def count(self) -> int:
        """How often it was called so."""
        return sum(call.count for call in self.calls)


def forms(operator: str, texts: Mapping[str, int]) -> list[Form]:
    """The forms in which an operator was called, the most frequent first."""
    found: dict[Key, list[Call]] = {}
    for text, count in texts.items():
        call = parse(text, count)
        if call is not None and (key := _key(call)) is not None:
            found.setdefault(key, []).append(call)
    made = [Form(operator, tuple(sorted(calls, key=lambda c: (-c.count, str(c))))) for calls in found.values()]
    return sorted(made, key=lambda form: (-form.count, str(form.calls[0])))


def _key(call: Call) -> Key | None:
    """What calls of one form have in common; None where a spec cannot say it."""
    arrays = list(_arrays([*call.args, *(v for _, v in call.kwargs)]))
    if not arrays or any(0 in a.shape for a in arrays):
        return None
    floats = {a.format for a in arrays if a.format in _FLOATS}
    one = floats.pop() if len(floats) == 1 else ""
    rank = max(len(a.shape) for a in arrays)
    most = [
        max((a.shape[i - rank + len(a.shape)] for a in arrays if i >= rank - len(a.shape)), default=1)
        for i in range(rank)
    ]

    def of(value: Argument) -> object:
        if isinstance(value, Array):
            order = _order(value)
            if order is None:
                raise ValueError
            ones = tuple(n == 1 and most[rank - len(value.shape) + i] > 1 for i, n in enumerate(value.shape))
            return "array", len(value.shape), _MARK if value.format == one else value.format, ones, order
        if isinstance(value, Type):
            return "type", _MARK if value.format == one else value.format
        if isinstance(value, tuple):
            return tuple(map(of, value))
        if _is_size(value):
            return "size"
        return (type(value).__name__, "") if isinstance(value, float) else (type(value).__name__, value)

    try:
        return tuple(map(of, call.args)), tuple((name, of(v)) for name, v in call.kwargs)
    except ValueError:
        return None


def _is_size(value: Argument) -> TypeGuard[int]:
    """Whether an integer of a call is a size: not a small number, and not "to the end"."""
    return isinstance(value, int) and not isinstance(value, bool) and _SMALL < value < 1 << 31


def _order(array: Array) -> tuple[int, ...] | None:
    """The dimensions from the outermost in memory; () for contiguous ones, None where they overlap or have gaps."""
    if not array.strides or _strides(array.shape, tuple(range(len(array.shape)))) == array.strides:
        return ()
    if len(array.strides) != len(array.shape):
        return None
    order = tuple(sorted(range(len(array.shape)), key=lambda i: (-array.strides[i], i)))
    return order if _strides(array.shape, order) == array.strides else None


def _strides(shape: Sequence[int], order: Sequence[int]) -> tuple[int, ...]:
    strides, step = [0] * len(shape), 1
    for dimension in reversed(order):
        strides[dimension] = step
        step *= shape[dimension]
    return tuple(strides)


def _arrays(values: Sequence[Argument]) -> Iterator[Array]:
    for value in values:
        if isinstance(value, Array):
            yield value
        elif isinstance(value, tuple):
            yield from _arrays(value)


class _Sizes:
    """The sizes of a form's calls: equal ones in every call are one axis."""

    def __init__(self, form: Form) -> None:
        rows = [list(_numbers(call)) for call in form.calls]
        self.columns = list(zip(*rows, strict=True))
        self.named: dict[tuple[int, ...], str] = {}
        for column in self.columns:
            if set(column) != {1} and column not in self.named:
                self.named[column] = f"S{len(self.named)}"

    def of(self, number: int) -> str:
        """The number-th size as an expression."""
        return self.named.get(self.columns[number], "1")


def _numbers(call: Call) -> Iterator[int]:
    """Each size of a call in its order: of tensors, and integers that are sizes."""

    def of(value: Argument) -> Iterator[int]:
        if isinstance(value, Array):
            yield from value.shape
        elif isinstance(value, tuple):
            for part in value:
                yield from of(part)
        elif _is_size(value):
            yield value

    for value in (*call.args, *(v for _, v in call.kwargs)):
        yield from of(value)


class _Draft:
    """Inputs and the call in the reference, as they are found along one call of the form."""

    def __init__(self, form: Form) -> None:
        self.form, self.sizes = form, _Sizes(form)
        self.call = form.calls[0]
        self.number = 0
        self.inputs: dict[str, str] = {}
        self.fixed: list[str] = []
        self.places: dict[str, tuple[int, ...]] = {}
        self.shapes: dict[int, list[str]] = {}
        self.out = ""
        self.drawn: list[tuple[str, int, str, str]] = []
        floats = {a.format for a in _arrays([*self.call.args, *(v for _, v in self.call.kwargs)])} & _FLOATS
        self.one = floats.pop() if len(floats) == 1 else ""
        parts = [self.part(f"x{i}", value, (i,)) for i, value in enumerate(self.call.args)]
        for name, value in self.call.kwargs:
            text = self.part(name, value, ())
            if name != "out":
                parts.append(f"{name}={text}")
        parts += ["out=out" for name, _ in self.call.kwargs if name == "out"]
        self.text = f"torch.ops.{form.operator}({', '.join(parts)})"
        for name, position, format, shape in self.drawn:
            self.inputs[name] = f'Tensor("{shape}", "{format}"{self._strides(name)}{self._fill(format, position)})'
        self.out = self.inputs.pop("out", "")

    def _strides(self, name: str) -> str:
        order = self.places[name]
        shape = next(s for n, _, _, s in self.drawn if n == name).split(", ")
        if not order:
            return ""
        strides, inner = [""] * len(shape), ["1"]
        for dimension in reversed(order):
            strides[dimension] = " * ".join([s for s in inner if s != "1"] or ["1"])
            inner.append(shape[dimension])
        return f', strides="{", ".join(strides)}"'

    def _fill(self, format: str, position: int) -> str:
        if operators.positive(self.form.operator, position):
            return ', fill="uniform(0.25, 2)"'
        if format == _MARK or format in _FLOATS or format == "bool":
            return ""
        place = operators.index_of(self.form.operator, position)
        if place is None and operators.base(self.form.operator) in ("index", "index_put", "index_put_"):
            place = (0, position - 1000) if position >= 1000 else None
        if place is None and operators.base(self.form.operator) == "embedding_dense_backward" and position == 1:
            return f', fill="integers(0, {self.sizes.of(self.number - 1)})"'
        if place is None:
            return ', fill="integers(-9, 10)"'
        argument, dimension = place
        if isinstance(dimension, str):
            named = self.call.args[int(dimension)]
            dimension = named if isinstance(named, int) else 0
        return f', fill="integers(0, {self.shapes[argument][dimension]})"'

    def part(self, name: str, value: Argument, position: tuple[int, ...]) -> str:
        """An argument as it stands in the reference's call; a tensor or a float becomes an input."""
        if isinstance(value, Array):
            shape = [self._size() for _ in value.shape]
            format = _MARK if value.format == self.one else value.format
            where = position[0] if len(position) == 1 else 1000 + position[-1] if position else -1
            self.drawn.append((name, where, format, ", ".join(shape)))
            self.places[name] = _order(value) or ()
            self.inputs[name] = f'Tensor("{", ".join(shape)}", "{format}")'
            if len(position) == 1:
                self.shapes[position[0]] = shape
            return name
        if isinstance(value, tuple):
            parts = [self.part(f"{name}_{i}", part, (*position, i)) for i, part in enumerate(value)]
            text = f"[{', '.join(parts)}]"
            if not any(isinstance(part, Array) for part in value):
                self.fixed.append(text)
            return text
        if isinstance(value, Type):
            return f"torch.{TORCH[value.format]}" if value.format != self.one else self._own_type()
        if isinstance(value, bool) or value is None:
            self.fixed.append(str(value))
            return str(value)
        if _is_size(value):
            return self._read(name, self._size())
        if isinstance(value, int):
            self.fixed.append(str(value))
            return str(value)
        if isinstance(value, float) and math.isfinite(value):
            self.inputs[name] = f'Scalar("float", {value!r})'
            return name
        return f'float("{value}")' if isinstance(value, float) else repr(value)

    def _own_type(self) -> str:
        array = next(n for n, _, format, _ in self.drawn if format == _MARK) if self.drawn else ""
        return f"{array}.dtype"

    def _read(self, name: str, size: str) -> str:
        """A size that is an argument, read off a tensor that has it; one that no tensor has is passed."""
        for tensor, _, _, shape in self.drawn:
            if size in (parts := shape.split(", ")):
                return f"{tensor}.shape[{parts.index(size)}]"
        self.inputs[name] = f'Scalar("int", "{size}")'
        return name

    def _size(self) -> str:
        self.number += 1
        return self.sizes.of(self.number - 1)


def readings(form: Form, elements: int, origin: Callable[..., str]) -> Iterator[tuple[str, bool]]:
    """A form as a spec: over the range of its traced sizes, and of the smallest of them alone where that is small."""
    yield _written(form, elements, origin(single=False)), False
    small = min(form.calls, key=_elements)
    if _elements(small) <= _ALONE:
        yield _written(Form(form.operator, (small,)), elements, origin(single=True), alone=True), True


def _written(form: Form, elements: int, origin: str, *, alone: bool = False) -> str:
    draft = _Draft(form)
    named = draft.sizes.named
    axes = {n: f"Axis(choices=({c[0]},))" if alone else _axis(c, form.operator) for c, n in named.items()}
    seen = list(dict.fromkeys(_format(call) for call in form.calls))[:3] if draft.one else []
    changed = [f"x{i}" for i in operators.changes(form.operator, draft.call.args) if f"x{i}" in draft.inputs]
    body = f"def reference({', '.join(draft.inputs)}):\n"
    more = [f'entry="{entry(form.operator)}"']
    if draft.out:
        array = draft.drawn[-1][2]
        kind = f"torch.{TORCH[seen[0] if array == _MARK else array]}"
        body += f"    out = torch.empty(0, dtype={kind})\n    {draft.text}\n    return out"
        more.append('contract="destination"')
    elif operators.base(form.operator).endswith("_"):
        body += f"    {draft.text}"
    else:
        body += f"    return {draft.text}"
    if changed:
        more.append(f"changes=({', '.join(map(repr, changed))},)")
    if seen:
        more.append(f'dtypes={{"{_MARK}": ({", ".join(map(repr, seen))},)}}')
    return Written(
        doc=_doc(form, draft) + f"\n\n{origin}",
        axes=axes,
        inputs=draft.inputs,
        outputs=draft.out,
        cases=[{n: c[0] for c, n in named.items()}] if alone else list(_cases(form, draft, elements)),
        bench=_bench(form, draft),
        body=body,
        more=more,
    ).text


def entry(operator: str) -> str:
    """What BackendBench calls the function of an operator's kernel."""
    return operator.removeprefix("aten.").replace(".", "__") + "_kernel_impl"


def _format(call: Call) -> str:
    return next(a.format for a in _arrays([*call.args, *(v for _, v in call.kwargs)]) if a.format in _FLOATS)


def _elements(call: Call) -> int:
    return sum(math.prod(a.shape) for a in _arrays([*call.args, *(v for _, v in call.kwargs)]))


def _least(operator: str) -> int:
    return 12 if operators.WINDOWS.fullmatch(operator) else 1


def _free(column: tuple[int, ...], operator: str) -> bool:
    """Whether a size may be any: a window's width, or the images' number beside it, is one of those traced."""
    return max(column) > _SMALL or not operators.WINDOWS.fullmatch(operator)


def _axis(column: tuple[int, ...], operator: str) -> str:
    if not _free(column, operator):
        return f"Axis(choices=({', '.join(map(str, sorted(set(column))))},))"
    return f"Axis({min(_least(operator), *column)}, {max(64, *column)})"


def _cases(form: Form, draft: _Draft, elements: int) -> Iterator[dict[str, int]]:
    """Three small cases with different sizes for different axes."""
    least = _least(form.operator)
    for row in _SIZES:
        sizes: dict[str, int] = {}
        for place, (column, name) in enumerate(draft.sizes.named.items()):
            few = sorted(set(column))
            usual = max(row[place % 4], least)
            sizes[name] = usual if _free(column, form.operator) else few[min(place, len(few) - 1)]
        for _ in range(40):
            most = sum(math.prod(_shape(shape, sizes)) for _, _, _, shape in draft.drawn)
            free = [n for c, n in draft.sizes.named.items() if _free(c, form.operator) and sizes[n] > least]
            if most <= elements or not free:
                break
            longest = max(free, key=lambda n: sizes[n])
            sizes[longest] = max(sizes[longest] // 2, least)
        yield sizes


def _shape(text: str, sizes: Mapping[str, int]) -> list[int]:
    return [sizes.get(part, 1) for part in text.split(", ")] if text else []


def _bench(form: Form, draft: _Draft) -> list[tuple[dict[str, int], float]]:
    """The traced sizes, the most work first, each with its count."""
    counted: Counter[tuple[int, ...]] = Counter()
    names = list(draft.sizes.named.values())
    columns = list(draft.sizes.named)
    for number, call in enumerate(form.calls):
        counted[tuple(column[number] for column in columns)] += call.count
    ordered = sorted(counted.items(), key=lambda pair: (-math.prod(pair[0]), pair[0]))
    return [
        (dict(s), w)
        for s, w in largest([(dict(zip(names, sizes, strict=True)), float(n)) for sizes, n in ordered], _TIMED)
    ]


def _doc(form: Form, draft: _Draft) -> str:
    parts = [
        f"{draft.text.removeprefix('torch.ops.')}: torch's operator, as it is called in a trace.",
        f"The trace has {plural(form.count, 'call')} of this form, at {plural(len(form.calls), 'size')}.",
    ]
    if draft.fixed:
        parts.append("What the call holds besides tensors and floats is fixed here, and is not passed to the kernel.")
    if operators.base(form.operator).endswith("_"):
        parts.append("The first argument is changed in place; what the kernel returns is of no account.")
    return "\n\n".join(parts)
