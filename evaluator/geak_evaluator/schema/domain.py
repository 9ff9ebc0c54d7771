"""What a spec allows: its faults, its cases with every type chosen, and sizes drawn from its domain."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import keyword
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod

from geak_evaluator.schema import dtypes, expr
from geak_evaluator.schema.spec import Axis, Case, Description, Fill, Numbers, Scalar, Spec, Tensor, Value, leaves

MOST_RUNS = 1000
"""How often one case may be run, once for each choice that it leaves open."""

Initial = int | float | bool | tuple[int, ...] | list[int]
"""An argument of a constructor."""


def expand(spec: Spec, cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """Each case once for every choice of the types and scalar choices that it leaves open."""
    expanded = []
    for case in cases:
        free: dict[str, tuple[Value, ...]] = {n: c for n, c in spec.dtypes.items() if n not in case.sizes}
        for name, item in spec.inputs.items():
            if isinstance(item, Scalar) and item.choices and name not in case.sizes:
                free[name] = item.choices
        for chosen in itertools.product(*free.values()):
            sizes = {**case.sizes, **dict(zip(free, chosen, strict=True))}
            if not free or _related(spec, sizes):
                expanded.append(replace(case, sizes=sizes))
    return tuple(expanded)


def _related(spec: Spec, sizes: Mapping[str, Value]) -> bool:
    """Whether choices that a case left open go together."""
    try:
        return not any(_against(spec, with_scalars(spec, sizes)))
    except expr.ExprError:
        return True  # what has no value is told where the case is read


def scalar(item: Scalar, name: str, sizes: Mapping[str, Value]) -> int | float | bool:
    """The value of a scalar argument in one case."""
    given: Value | None = sizes.get(name, item.value)
    if given is None:
        given = item.choices[0]
    if isinstance(given, str):
        given = expr.value(given, sizes)
    if item.type == "bool":
        return bool(given)
    try:
        return int(given) if item.type == "int" else float(given)
    except (OverflowError, ValueError) as error:
        raise expr.ExprError(f"{name} is {given} here: {error}") from None


def initial(spec: Spec, sizes: Mapping[str, Value]) -> dict[str, Initial]:
    """What a module is made with in one case, in the constructor's order."""
    return {
        name: (tuple if item.type == "tuple" else list)(expr.integer(text, sizes) for text in item.items)
        if isinstance(item, Numbers)
        else scalar(item, name, sizes)
        for name, item in spec.init.items()
    }


def shape(texts: tuple[str, ...], sizes: Mapping[str, Value]) -> tuple[int, ...]:
    """The sizes behind a tuple of expressions."""
    result = tuple(expr.integer(text, sizes) for text in texts)
    if any(n < 0 for n in result):
        raise expr.ExprError(f"({', '.join(texts)}) is {result} here, and a size cannot be negative")
    return result


def holds(spec: Spec, sizes: Mapping[str, Value]) -> bool:
    """Whether sizes lie inside the spec's domain."""
    try:
        return not list(_broken(spec, sizes))
    except expr.ExprError:
        return False


def draw(spec: Spec, rng: random.Random, *, tries: int = 2000) -> dict[str, Value] | None:
    """Numbers from the domain, spread over orders of magnitude; None where the relations leave none to be found."""
    for _ in range(tries):
        sizes: dict[str, Value] = {name: _draw(axis, rng) for name, axis in spec.axes.items()}
        sizes |= {name: rng.choice(choices) for name, choices in spec.dtypes.items()}
        if holds(spec, sizes):
            return sizes
    return None


def _draw(axis: Axis, rng: random.Random) -> int:
    if axis.choices:
        return rng.choice(axis.choices)
    low, high = -(-axis.min // axis.multiple_of), axis.max // axis.multiple_of
    size = (
        int((low + 1) * ((high + 1) / (low + 1)) ** rng.random()) - 1 if rng.random() < 0.7 else rng.randint(low, high)
    )
    return min(max(size, low), high) * axis.multiple_of


def _broken(spec: Spec, sizes: Mapping[str, Value]) -> Iterator[str]:
    for name, axis in spec.axes.items():
        if name not in sizes:
            yield f"does not say how large {name} is"
        elif isinstance(sizes[name], str):
            yield f"has {name}={sizes[name]!r}, a text; a size is a number"
        elif sizes[name] not in axis:
            yield f"has {name}={sizes[name]}, outside {axis}"
    for name, choices in spec.dtypes.items():
        if name in sizes and sizes[name] not in choices:
            yield f"has {name}={sizes[name]}, which is none of {', '.join(choices)}"
    yield from (f"breaks the relation {relation}" for relation in _against(spec, sizes))


def _against(spec: Spec, sizes: Mapping[str, Value]) -> Iterator[str]:
    for relation in spec.where:
        if expr.names_in(relation) <= set(sizes) and not expr.value(relation, sizes):
            yield relation


def problems(about: Description) -> list[str]:
    """Everything that is wrong with a declaration, one sentence each; empty for a sound one."""
    return list(dict.fromkeys(_problems(about)))


def _problems(about: Description) -> Iterator[str]:
    spec = about.spec
    known = {*spec.axes, *(n for n, item in spec.inputs.items() if isinstance(item, Scalar))}
    if not about.doc.strip():
        yield "the file has no docstring: its first line says what is wanted"
    if not about.entry.isidentifier() or keyword.iskeyword(about.entry):
        mend = "mend its entry" if spec.entry else "rename the spec's file, or give it an entry"
        yield f"a kernel file cannot define {about.entry!r}, which is no name in Python; {mend}"
    for name in [*spec.axes, *spec.dtypes]:
        if not name.isidentifier() or name in expr.RESERVED:
            yield f"{name!r} cannot name an axis"
    for name in spec.dtypes.keys() & spec.axes.keys():
        yield f"{name!r} names both an axis and a type"
    for name, choices in spec.dtypes.items():
        yield from (
            f"type {name}: {c!r} is no number format; there are {', '.join(dtypes.NAMES)}"
            for c in choices
            if c not in dtypes.NAMES
        )
        if not choices:
            yield f"type {name} has no choices"
    outputs = [(f"output {path or '0'}", item) for path, item in leaves(spec.outputs) if item is not None]
    for label, item in [*((f"input {n}", t) for n, t in spec.inputs.items()), *outputs]:
        yield from _tensor_problems(spec, label, item, known)
    for name, init in spec.init.items():
        for text in init.items if isinstance(init, Numbers) else (init.value,):
            if isinstance(text, str):
                yield from _expression_problems(f"init {name}", text, known)
    for relation in spec.where:
        yield from _expression_problems(f"relation {relation!r}", relation, known | spec.dtypes.keys())
        yield from _format_problems(relation)
    yield from _argument_problems(about)
    yield from _oracle_problems(spec)
    yield from _case_problems(spec, known)


def _tensor_problems(spec: Spec, label: str, item: object, known: set[str]) -> Iterator[str]:
    if isinstance(item, Scalar) and label.startswith("input"):
        if isinstance(item.value, str):
            yield from _expression_problems(label, item.value, known)
        return
    if not isinstance(item, Tensor):
        wanted = "Tensor or a Scalar" if label.startswith("input") else "Tensor"
        yield f"{label} is a {type(item).__name__}; it must be a {wanted}"
        return
    if item.dtype not in dtypes.NAMES and item.dtype not in spec.dtypes:
        yield f"{label}: {item.dtype!r} is no number format; there are {', '.join((*spec.dtypes, *dtypes.NAMES))}"
    fill = Fill.parse(item.fill).args if item.fill else ()
    for text in (*item.shape, *item.strides, *fill):
        yield from _expression_problems(label, text, known)


def _expression_problems(label: str, text: str, known: set[str]) -> Iterator[str]:
    try:
        unknown = expr.names_in(text) - known
    except expr.ExprError as error:
        yield f"{label}: {error}"
        return
    for name in sorted(unknown):
        near = [k for k in known if k.lower() == name.lower()] or difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"declared are {', '.join(sorted(known)) or 'none'}"
        yield f"{label}: no axis is named {name}; {hint}"


def _format_problems(relation: str) -> Iterator[str]:
    with contextlib.suppress(expr.ExprError):  # told already
        for word in sorted(expr.formats_in(relation) - set(dtypes.NAMES)):
            yield f"relation {relation!r}: {word!r} is no number format; there are {', '.join(dtypes.NAMES)}"


def _argument_problems(about: Description) -> Iterator[str]:
    spec = about.spec
    if spec.oracle not in ("peer", "tests"):
        missing = [n for n in about.arguments if n not in spec.inputs]
        extra = [n for n in spec.inputs if n not in about.arguments]
        if missing:
            yield f"reference takes {', '.join(missing)}, which no input declares"
        if extra:
            yield f"reference does not take {', '.join(extra)}, declared as input"
    for field, names in (("changes", spec.changes), ("wrt", spec.wrt)):
        for name in names:
            if name not in spec.tensors:
                yield f"{field} names {name}, which is no tensor input"
    if spec.contract == "gradient" and not spec.wrt:
        yield "contract 'gradient' needs wrt=(...): the inputs whose gradient is asked for"
    if spec.contract == "destination" and (clash := set(spec.inputs) & set(destinations(spec))):
        yield f"{', '.join(sorted(clash))} names both an input and an output that is handed over"
    if spec.contract == "destination" and (spec.outputs is None or not isinstance(spec.outputs, dict | Tensor)):
        yield "contract 'destination' needs outputs={'out': Tensor(...)}: the tensors that are handed over"
    if spec.init and spec.contract != "module":
        yield "init=... belongs to contract 'module'"


def _oracle_problems(spec: Spec) -> Iterator[str]:
    if spec.oracle == "peer" and ":" not in spec.peer:
        yield "oracle 'peer' needs peer='FILE:FUNCTION', the original kernel"
    if spec.oracle == "tests" and not spec.tests:
        yield "oracle 'tests' needs tests='pytest ...'"
    if spec.oracle == "peer" and spec.contract not in ("function", "destination"):
        yield f"oracle 'peer' goes with contracts 'function' and 'destination', not {spec.contract!r}"
    if spec.precision == "as_written" and spec.oracle != "declared":
        yield "precision 'as_written' needs oracle='declared': the reference's own roundings are the answer"
    if spec.files and not spec.project:
        yield "files=... are named relative to project=..., which is not given"
    for name in (*spec.tolerance.steps,):
        if name != "*" and name not in dtypes.NAMES:
            yield f"tolerance names {name!r}, which is no number format"
    if any(not steps >= 0 for steps in spec.tolerance.steps.values()):
        yield "a tolerance cannot be negative"


def _case_problems(spec: Spec, known: set[str]) -> Iterator[str]:
    if any(True for relation in spec.where for _ in _expression_problems("", relation, known | spec.dtypes.keys())):
        return  # told once already, and no case can be held against it
    if not spec.cases and spec.oracle != "tests":
        yield "there are no cases: cases=[{...}] says which sizes are run"
    for kind, cases in (("case", spec.cases), ("bench case", spec.bench)):
        for number, case in enumerate(cases, 1):
            label = f"{kind} {number} ({case})"
            for name in case.sizes:
                if name not in known and name not in spec.dtypes:
                    yield f"{label} sizes {name}, which is no axis"
            for name in case.without:
                if not (name in spec.tensors and spec.tensors[name].optional):
                    yield f"{label} leaves out {name}, which is no optional input"
            try:
                yield from (f"{label} {fault}" for fault in _broken(spec, case.sizes))
                if (runs := _runs(spec, case)) > MOST_RUNS:
                    yield f"{label} leaves so much open that it is run {runs} times; {MOST_RUNS} is the most"
                elif set(spec.axes) <= set(case.sizes):
                    whole = expand(spec, (case,))
                    if not whole and not list(_broken(spec, case.sizes)):
                        yield f"{label} leaves types or choices open, and none of them meets {' and '.join(spec.where)}"
                    for filled in whole:
                        _place_inputs(spec, filled)
            except ValueError as error:
                yield f"{label}: {error}"
    if not spec.cases and spec.axes and draw(spec, random.Random(0)) is None:
        yield f"no sizes were found that meet {' and '.join(spec.where) or 'the axes'}"


def _runs(spec: Spec, case: Case) -> int:
    scalars = {n: item.choices for n, item in spec.inputs.items() if isinstance(item, Scalar) and item.choices}
    return prod(len(c) for n, c in (spec.dtypes | scalars).items() if n not in case.sizes)


def _place_inputs(spec: Spec, case: Case) -> None:
    """Finds out every size that a case has, so that an expression without a value is told now."""
    sizes = with_scalars(spec, case.sizes)
    for item in spec.tensors.values():
        shape(item.shape, sizes)
        shape(item.strides, sizes)
        for text in Fill.parse(item.fill).args if item.fill else ():
            expr.value(text, sizes)
    initial(spec, sizes)
    list(_against(spec, sizes))


def outputs(spec: Spec) -> list[tuple[str, Tensor]]:
    """The outputs that a spec declares, with their paths; none where it leaves them to the reference."""
    return [(path or "0", leaf) for path, leaf in leaves(spec.outputs) if isinstance(leaf, Tensor)]


def destinations(spec: Spec) -> list[str]:
    """The names under which a `destination` kernel is handed its outputs."""
    return list(spec.outputs) if isinstance(spec.outputs, dict) else ["out"]


def with_scalars(spec: Spec, sizes: Mapping[str, Value]) -> dict[str, Value]:
    """The sizes of a case, and the scalar arguments by name, for expressions that use both."""
    values = dict(sizes)
    for name, item in spec.inputs.items():
        if isinstance(item, Scalar):
            values[name] = scalar(item, name, values)
    return values
