"""From what a function does with its arguments to the axes and inputs of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from geak.drafting.arguments import Argument
from geak.drafting.by_example import numbers_text
from geak.drafting.dims import Dim
from geak.drafting.infer import Reading, flat, names, several
from geak.drafting.picking import by_example_alone, pick, with_own_sizes
from geak.drafting.sizes import AxisDraft
from geak.drafting.sketch import USUAL, Sketch, Wanted, quoted
from geak.drafting.values import Arr, Seq, Value

TYPES = frozenset(["fp16", "bf16", "fp32"])
_FLAGS = 4  # flags that are tried both ways: each doubles how often a case is run


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
        by_example_alone(result, own)
    else:
        with_own_sizes(result, own)
    for axis in result.axes:
        axis.most = max((sizes.get(axis.name, 0) for sizes in wanted.bench), default=0)
    pick(result)
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
        if variable.power and not axis.choices:
            axis.choices = axis.powers
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
    if said.startswith(("int", "uint")):
        result.ask(name, f"the values of {name} are a guess")
        return said, "integers(0, 8)"
    return (said if said and said not in TYPES else result.type_name), argument.hint.fill


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
