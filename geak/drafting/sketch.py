"""From what a function does with its arguments to the axes, inputs and cases of a spec."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from geak.drafting.arguments import Argument
from geak.drafting.by_example import by_example, numbers_text
from geak.drafting.dims import Dim
from geak.drafting.infer import Reading, flat, names, several
from geak.drafting.sizes import AxisDraft, Sizes, cases, fits, variants
from geak.drafting.values import Arr, Seq, Value
from geak_evaluator.schema import expr
from geak_evaluator.schema.spec import Axis, Numbers, Scalar, Spec, SpecError, Tensor
from geak_evaluator.schema.spec import Value as Size

TYPES = frozenset(["fp16", "bf16", "fp32"])
_FLAGS = 4  # flags that are tried both ways: each doubles how often a case is run


@dataclass(frozen=True)
class Wanted:
    """What a drafted spec asks for beyond what the code says."""

    formats: tuple[str, ...] = ("fp16", "bf16", "fp32")
    elements: int = 100_000
    """How many elements the inputs of a case have together, at most."""
    first: int = 0
    """The first of the three cases that is kept: no size is smaller than its."""
    single: bool = False
    """Only that one case, and a domain of its sizes alone."""
    as_made: bool = False
    """The sizes of the file's own example alone, but for the first axis: the batch."""
    by_example: bool = False
    """Sizes as the file's own example shows them, and not as the code is read."""
    bench: tuple[Mapping[str, int], ...] = ()
    """More sizes for timing; those that the axes do not have, or relations forbid, are left out."""
    wrt: tuple[str, ...] = ()
    """Inputs whose gradients are asked for as well: of a function."""
    drawn: int = 0
    """So many more cases, drawn from the domain as hidden ones are."""
    origin: str = ""
    """What the docstring says of where it comes from; by default that it was drafted."""


USUAL = Wanted()


@dataclass
class Sketch:
    """A spec between reading and writing."""

    wanted: Wanted = USUAL

    axes: list[AxisDraft] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    """By argument, the source of its declaration."""
    init: dict[str, str] = field(default_factory=dict)
    where: list[str] = field(default_factory=list)
    type_name: str = "T"
    outputs: str = ""
    optional: list[str] = field(default_factory=list)
    agrees: bool = False
    """The file's own example was read, and each axis has its size there."""
    checks: dict[str, list[str]] = field(default_factory=dict)
    """By place (an input, "axes", "cases"), what to ask there."""
    cases: list[dict[str, object]] = field(default_factory=list)
    bench: list[dict[str, object]] = field(default_factory=list)

    def ask(self, place: str, question: str) -> None:
        """A question at a place; the same one is asked once."""
        asked = self.checks.setdefault(place, [])
        if question and question not in asked:
            asked.append(question)

    @property
    def own(self) -> dict[str, int] | None:
        """The sizes of the file's own example, by axis; None where they are not all known, or not of the domain."""
        inside = self.agrees and all(axis.own in axis.axis for axis in self.axes)
        return {axis.name: axis.own for axis in self.axes} if inside else None

    @property
    def questions(self) -> tuple[str, ...]:
        """All of them, in the order of the file."""
        return tuple(dict.fromkeys(q for asked in self.checks.values() for q in asked))


def sketch(
    reading: Reading,
    arguments: list[Argument],
    init: list[Argument],
    wanted: Wanted = USUAL,
    own: Mapping[str, int | tuple[int, ...]] = MappingProxyType({}),
) -> Sketch:
    """Names the axes, declares the inputs and picks the cases; `own` are the sizes of the file's own example."""
    result = Sketch(wanted)
    items = flat(arguments)
    order = [*(a.name for a in flat(init)), *(a.name for a in items)]
    tensors_first = sorted(order, key=lambda n: n not in reading.tensors)
    called = names(reading, tensors_first, {a.name for a in [*items, *flat(init)]})
    pinned = _axes(result, reading, tensors_first, called, [*items, *flat(init)], flat(init))
    if any(a.name == "T" for a in result.axes) or "T" in order:
        result.type_name = "DT"
    for argument in [*arguments, *init]:
        if argument.kind == "bundle" and argument.question:
            result.ask(flat([argument])[0].name if argument.fields else "inputs", argument.question)
    for argument in init:
        if argument.kind == "numbers":
            result.init[argument.name] = _numbers(result, argument, reading, called)
            continue
        for inner in flat([argument]):
            _scalar(result, result.init, inner, reading, called, pinned)
    for argument in items:
        if argument.kind == "tensor":
            _tensor(result, argument, reading, called)
        else:
            _scalar(result, result.inputs, argument, reading, called, pinned)
    for name in reading.paired:
        result.ask(name, f"{name} is taken to have the batch and the heads of the query")
    result.outputs = _outputs(result, reading, called)
    if wanted.by_example:
        _by_example(result, own)
    else:
        _own(result, own)
    for axis in result.axes:
        axis.most = max((sizes.get(axis.name, 0) for sizes in wanted.bench), default=0)
    _cases(result)
    return result


def _axes(
    result: Sketch,
    reading: Reading,
    order: list[str],
    called: dict[int, str],
    arguments: list[Argument],
    init: list[Argument],
) -> set[int]:
    """Declares an axis for each size; returns the numbers among the arguments that are sizes."""
    shaped = {id(v) for a in reading.tensors.values() for d in a.dims or [] for v in d.variables()}
    sizes = {
        id(d.root()) for d in reading.numbers.values() if d.free and (id(d.root()) in shaped or _divides(d, shaped))
    }
    sizes |= {id(d.root()) for d in reading.numbers.values() if d.free and _by_shape(reading, d)}
    made = [a.name for a in init if a.kind == "int" and a.literal is None]
    sizes |= {id(reading.numbers[n].root()) for n in made if reading.numbers[n].free}
    defaults = {a.name: a.literal for a in arguments if a.kind == "int"}
    seen: dict[int, AxisDraft] = {}
    variables = [v for n in order for d in _dims_of(reading, n) for v in d.variables()]
    for variable in variables:
        key = id(variable)
        if key in seen or not (key in shaped or key in sizes):
            continue
        axis = seen[key] = AxisDraft(called[key])
        for name, dim in reading.numbers.items():
            value = defaults.get(name)
            if dim.root() is variable and isinstance(value, int) and not isinstance(value, bool) and value > 0:
                axis.choices = (value,)
        result.axes.append(axis)
    for variable in {id(v): v for v in variables if id(v) in seen}.values():
        for divisor in variable.divisors:
            by = divisor.root()
            if by.value is not None and 1 < by.value <= 4096:
                step = seen[id(variable)]
                step.multiple_of = step.multiple_of * by.value // _gcd(step.multiple_of, by.value)
            elif id(by) in seen and by is not variable:
                relation = f"{called[id(variable)]} % {called[id(by)]} == 0"
                if relation not in result.where:
                    result.where.append(relation)
        for floor in variable.floors:
            inner = list(floor.variables())
            least = floor.root().value
            if least is not None and 1 < least < 4096:
                seen[id(variable)].least = max(seen[id(variable)].least, least)
            if inner and all(id(v) in seen and v is not variable for v in inner):
                relation = f"{called[id(variable)]} >= {floor.text(called)}"
                if relation not in result.where:
                    result.where.append(relation)
    return sizes


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def _dims_of(reading: Reading, name: str) -> list[Dim]:
    if name in reading.tensors:
        return reading.tensors[name].dims or []
    return [reading.numbers[name]] if name in reading.numbers else []


def _divides(dim: Dim, shaped: set[int]) -> bool:
    return any(id(v) in shaped for d in dim.root().divisors for v in d.variables())


def _by_shape(reading: Reading, dim: Dim) -> bool:
    """Whether an input's size is divided by it in the code, as `D // num_heads` is."""
    root = dim.root()
    every = [v for a in reading.tensors.values() for d in a.dims or [] for v in d.variables()]
    return any(w is root for v in every for d in [*v.divisors, *v.floors] for w in d.variables())


def _tensor(result: Sketch, argument: Argument, reading: Reading, called: dict[int, str]) -> None:
    name = argument.name
    array = reading.tensors[name]
    shape = ", ".join(d.text(called) for d in array.dims or [])
    dtype, fill = _format(result, argument, array, called)
    if name in reading.guessed:
        result.ask(name, f"nothing in the code says what shape {name} has")
    elif argument.hint.shape is None and name.endswith("mask"):
        result.ask(name, f"the shape of {name} is a guess")
    if argument.hint.shape is not None and "..." in argument.hint.shape:
        result.ask(name, f"{name} may have any leading sizes; one is drafted")
    if name not in reading.guessed and not argument.question.endswith("a tensor"):
        result.ask(name, argument.question)
    extra = f", fill={quoted(fill)}" if fill else ""
    extra += ", optional=True" if argument.optional else ""
    result.inputs[name] = f'Tensor("{shape}", "{dtype}"{extra})'
    if argument.optional:
        result.optional.append(name)


def _format(result: Sketch, argument: Argument, array: Arr, called: dict[int, str]) -> tuple[str, str]:
    name, said = argument.name, argument.hint.dtype
    index = "index" in array.roles or (
        name in ("input_ids", "token_ids", "labels", "targets", "idx", "indices", "index", "positions", "position_ids")
        and "arithmetic" not in array.roles
    )
    if index and said in ("", "int64", "int32"):
        high = array.high
        if high is not None and all(id(v) in called for v in high.variables()):
            return said or "int64", f"integers(0, {high.text(called)})"
        result.ask(name, f"{name} holds indices; how far they go is a guess")
        return said or "int64", "integers(0, 2)"
    segments = "offsets" in array.roles and said in ("", "int64", "int32")
    if segments and array.high is not None and all(id(v) in called for v in array.high.variables()):
        return said or "int64", f"offsets({array.high.text(called)})"
    if (
        said == "bool"
        or (not said and "bool" in array.roles)
        or (not said and name.endswith("mask") and "arithmetic" not in array.roles)
    ):
        return "bool", "mask"
    if said.startswith("int") or said == "uint8":
        result.ask(name, f"the values of {name} are a guess")
        return said, "integers(0, 8)"
    return (said if said and said not in TYPES else result.type_name), argument.hint.fill


def quoted(text: str) -> str:
    """A string literal."""
    return f'"{text}"'


def _scalar(
    result: Sketch,
    place: dict[str, str],
    argument: Argument,
    reading: Reading,
    called: dict[int, str],
    sizes: set[int],
) -> None:
    name, value = argument.name, argument.literal
    result.ask(name if argument.kind != "bound" else "inputs", argument.question)
    if argument.kind == "bound":
        return
    if argument.kind == "int":
        dim = reading.numbers.get(name)
        root = dim.root() if dim is not None else None
        if root is not None and (id(root) in sizes or root.formula is not None):
            known = {a.name for a in result.axes}
            if all(called.get(id(v)) in known for v in root.variables()):
                place[name] = f'Scalar("int", "{root.text(called)}")'
                return
        if root is not None and root.value is not None:
            value = root.value
        elif not isinstance(value, int):
            value = 2
            result.ask(name, f"the value of {name} is a guess")
        place[name] = f'Scalar("int", {int(value)})'
    elif argument.kind == "bool":
        both = place is result.inputs and sum("(False, True)" in text for text in place.values()) < _FLAGS
        place[name] = 'Scalar("bool", choices=(False, True))' if both else f'Scalar("bool", {bool(value)})'
        if place is result.inputs and not both:
            result.ask(name, f"{name} is left at {bool(value)}: with more flags a case would run too often")
    else:
        if not isinstance(value, int | float) or isinstance(value, bool):
            value = 1e-5 if name.startswith("eps") else 0.5
            result.ask(name, f"the value of {name} is a guess")
        place[name] = f'Scalar("float", {float(value)!r})'


def _numbers(result: Sketch, argument: Argument, reading: Reading, called: dict[int, str]) -> str:
    """A tuple or list as it is declared."""
    known = {a.name for a in result.axes}
    texts = []
    for dim in several(argument, lambda name: reading.numbers.get(name, Dim())):
        if not all(called.get(id(v)) in known for v in dim.variables()):
            result.ask(argument.name, f"the numbers in {argument.name} are a guess")
            texts.append("1")
        else:
            texts.append(dim.text(called))
    return numbers_text(texts, "list" if argument.passed[:1] == "[" else "tuple")


def _outputs(result: Sketch, reading: Reading, called: dict[int, str]) -> str:
    known = {a.name for a in result.axes}

    def one(value: Value) -> str:
        if isinstance(value, Seq):
            parts = [one(v) for v in value.items]
            return f"({', '.join(parts)})" if len(parts) > 1 and all(parts) else ""
        if not isinstance(value, Arr) or value.dims is None:
            return ""
        if not all(called.get(id(v)) in known for d in value.dims for v in d.variables()):
            return ""
        dtype = value.dtype or result.type_name
        return f'Tensor("{", ".join(d.text(called) for d in value.dims)}", "{dtype}")'

    return one(reading.returned[0]) if len(reading.returned) == 1 else ""


def _build(text: str) -> Tensor | Scalar | Numbers:
    """The declaration behind its source, which is ours and holds literals only."""
    node = ast.parse(text, mode="eval").body
    if not isinstance(node, ast.Call):
        given = ast.literal_eval(node)
        return Numbers(tuple(map(str, given)), "list" if isinstance(given, list) else "tuple")
    args = [ast.literal_eval(a) for a in node.args]
    keywords = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg}
    return Tensor(*args, **keywords) if text.startswith("Tensor") else Scalar(*args, **keywords)


def _by_example(result: Sketch, own: Mapping[str, int | tuple[int, ...]]) -> None:
    """Declares what is passed anew, where the example shows all of it."""
    declared = {name: _build(text) for name, text in {**result.inputs, **result.init}.items()}
    axes: list[AxisDraft] = []
    texts = by_example(axes, declared, own)
    if texts is not None:
        result.axes, result.where, result.outputs, result.optional = axes, [], "", []
        result.agrees = True
        result.inputs = {name: texts[name] for name in result.inputs}
        result.init = {name: texts[name] for name in result.init}


def _own(result: Sketch, own: Mapping[str, int | tuple[int, ...]]) -> None:
    """Gives each axis its size in the file's own example, where all that is passed there agrees."""
    sizes: dict[str, Size] = {}
    shapes: list[tuple[tuple[str, ...], tuple[int, ...]]] = []
    axes = {axis.name: axis for axis in result.axes}
    for name, text in {**result.init, **result.inputs}.items():
        declared, value = _build(text), own.get(name)
        if isinstance(declared, Scalar) and isinstance(value, int) and isinstance(declared.value, str):
            shapes.append(((declared.value,), (value,)))
        elif isinstance(value, tuple) and not isinstance(declared, Scalar):
            texts = declared.shape if isinstance(declared, Tensor) else declared.items
            shapes += [(texts, value)] if len(texts) == len(value) else []
    every = [pair for names, values in shapes for pair in zip(names, values, strict=True)]
    sizes |= {name: value for name, value in every if name in axes}
    try:
        agrees = all(expr.integer(text, sizes) == value for text, value in every)
    except (expr.ExprError, ValueError):
        agrees = False
    result.agrees = agrees and sizes.keys() == axes.keys() and bool(own)
    if result.agrees:
        for name, axis in axes.items():
            axis.own = int(sizes[name])


def _cases(result: Sketch) -> None:
    axes: dict[str, Axis] = {}
    for axis in result.axes:
        if axis.choices and any(c % axis.multiple_of for c in axis.choices):
            axis.choices = ()
        axes[axis.name] = axis.axis
    inputs = {n: _build(t) for n, t in {**result.init, **result.inputs}.items()}
    plain = {n: item for n, item in inputs.items() if not isinstance(item, Numbers)}
    try:
        spec = Spec(axes=axes, inputs=plain, cases=(), where=tuple(result.where))
        small, large = cases(result.axes, spec, result.wanted.elements)
        small, large = _fewer(result, small, large)
        axes |= {axis.name: axis.axis for axis in result.axes}
        spec = replace(spec, axes=axes)
        large = large if result.wanted.single else _also(spec, result.wanted.bench, large)
        small += variants(spec, small, result.wanted.drawn, result.wanted.elements)
    except SpecError:
        small, large = [], []
    if not small and result.axes:
        result.ask("cases", "no sizes were found that meet the relations; write one case")
        small = [{a.name: a.size(2) for a in result.axes}]
    result.cases = [dict(c) for c in small] or [{}]
    result.bench = [dict(c) for c in large]


def _fewer(result: Sketch, small: list[Sizes], large: list[Sizes]) -> tuple[list[Sizes], list[Sizes]]:
    """Without the smallest, where these are not wanted; the domain then begins, or is all, where they do."""
    wanted = result.wanted
    if wanted.as_made and result.own and result.axes:
        batch, *rest = result.axes
        for axis in rest:
            axis.choices, axis.multiple_of = (axis.own,), 1
        made = {axis.name: axis.own for axis in rest}
        return [{batch.name: size, **made} for size in (1, 2, 3) if size in batch.axis], large
    if not (wanted.first or wanted.single) or wanted.first >= len(small):
        return small, large
    kept = small[wanted.first : wanted.first + 1] if wanted.single else small[wanted.first :]
    for axis in result.axes:
        sizes = [int(case[axis.name]) for case in kept]
        if wanted.single:
            axis.choices, axis.multiple_of = (sizes[0],), 1
        else:
            axis.least = max(axis.least, *sizes) if len(sizes) == 1 else max(axis.least, min(sizes))
    return kept, [] if wanted.single else large


def _also(spec: Spec, asked: tuple[Mapping[str, int], ...], large: list[Sizes]) -> list[Sizes]:
    """The sizes for timing, with more of them."""
    found = list(large)
    for sizes in asked:
        more: Sizes = dict(sizes)
        if more.keys() == spec.axes.keys() and more not in found and fits(spec, more):
            found.append(more)
    return found
