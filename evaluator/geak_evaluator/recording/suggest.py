"""From recorded calls to a spec's axes, inputs and cases: sizes that are always equal share an axis."""

from __future__ import annotations

import keyword
from collections.abc import Callable
from typing import Any

from geak_evaluator.recording.calls import Calls, Suggestion, free, note
from geak_evaluator.recording.merge import Record
from geak_evaluator.recording.strides import steps_of, strides_of
from geak_evaluator.schema.dtypes import of_torch

Filled = Callable[[Calls, str, str], str]
"""How an input is drawn, given the calls, its name and its format: a fill, or "" where nothing is known."""


def suggest(record: Record, filled: Filled | None = None) -> Suggestion:
    """Drafts what the recorded calls say of a spec."""
    result = Suggestion()
    kept = _one_form([{**c, "args": _flat(c["args"], result)} for c in record.calls], result)
    calls = Calls(kept)
    order = list(dict.fromkeys(n for c in kept for n in c["args"]))
    tensors = [n for n in order if any(_is_tensor(c["args"].get(n)) for c in kept)]
    taken = set(order)
    sizes: list[dict[str, object]] = [{} for _ in kept]
    scalars = [n for n in order if n not in tensors]
    _named_by_scalars(calls, kept, scalars, tensors, taken)
    shapes = {n: _shape(calls, n, taken) for n in tensors}
    types = _types(result, calls, tensors, taken, sizes)
    optional = [n for n in tensors if any(c["args"].get(n) is None for c in kept)]
    strides = {n: strides_of(calls, n, shapes[n], result) for n in tensors}
    steps = steps_of(calls, shapes, strides)
    for name in order:
        if name in tensors:
            apart = ", ".join(strides[name])
            extra = (f', strides="{apart}"' if apart else "") + (", optional=True" if name in optional else "")
            rule = filled(calls, name, types[name]) if filled is not None else _fill(types[name], name, result)
            fill = f", fill={_source(rule)}" if rule else ""
            result.inputs[name] = f'Tensor("{", ".join(shapes[name])}", "{types[name]}"{fill}{extra})'
        else:
            _scalar(result, calls, name, sizes, steps)
    _axes(result, calls, sizes)
    for call, values in zip(kept, sizes, strict=True):
        text = "{" + ", ".join(f'"{k}": {_source(v)}' for k, v in values.items()) + "}"
        left = [n for n in optional if call["args"].get(n) is None]
        without = f", without=({', '.join(_source(n) for n in left)},)" if left else ""
        weight = f", weight={call['count']}" if call["count"] != 1 else ""
        result.cases.append(f"Case({text}{weight}{without})" if weight or without else text)
        result.left.append(tuple(left))
    result.shapes = {name: tuple(shape) for name, shape in shapes.items()}
    result.sizes, result.calls = sizes, kept
    return result


def _is_tensor(value: Any) -> bool:
    return isinstance(value, dict) and "tensor" in value


def _flat(args: dict[str, Any], result: Suggestion) -> dict[str, Any]:
    """Arguments with sequences laid out: `xs` of two tensors becomes `xs_0` and `xs_1`."""
    flat: dict[str, Any] = {}
    for name, value in args.items():
        items = value.get("tuple", value.get("list")) if isinstance(value, dict) else None
        if isinstance(items, list):
            note(result, f"{name} is a sequence; its items are inputs of their own")
            flat.update(_flat({f"{name}_{i}": item for i, item in enumerate(items)}, result))
        elif isinstance(value, str) or (isinstance(value, dict) and "tensor" not in value):
            note(result, f"{name} is left out: {_said(value)} is nothing that a spec can pass")
        else:
            plain = "".join(c if c.isalnum() else "_" for c in name).rstrip("_")
            flat[plain + "_" if keyword.iskeyword(plain) else plain] = value
    return flat


def _said(value: Any) -> str:
    return repr(value) if isinstance(value, str) else " ".join(f"{k} {v}" for k, v in value.items())


def _form(args: dict[str, Any]) -> dict[str, object]:
    return {n: len(v["tensor"]) if _is_tensor(v) else "number" for n, v in args.items() if v is not None}


def _one_form(calls: list[dict[str, Any]], result: Suggestion) -> list[dict[str, Any]]:
    """The calls that agree with the most frequent one on the rank of every argument that both pass."""
    if not calls:
        return []
    wanted: dict[str, object] = {}
    kept, left = [], 0
    merged: dict[str, dict[str, Any]] = {}
    for call in calls:
        form = _form(call["args"])
        if any(wanted.get(n, kind) != kind for n, kind in form.items()) or set(call["args"]) != set(calls[0]["args"]):
            left += call["count"]
            continue
        wanted.update(form)
        key = repr(call["args"])
        if key in merged:
            merged[key]["count"] += call["count"]
            continue
        merged[key] = dict(call)
        kept.append(merged[key])
    if left:
        note(result, f"{left} calls are left out: their arguments have other numbers of dimensions")
    return kept


def _named_by_scalars(
    calls: Calls, kept: list[dict[str, Any]], scalars: list[str], tensors: list[str], taken: set[str]
) -> None:
    """A whole number that is always some tensor's size gives that size its name."""
    sizes = {
        calls.column(n, lambda v, i=i: v["tensor"][i])
        for n in tensors
        for i in range(max((len(c["args"][n]["tensor"]) for c in kept if c["args"].get(n) is not None), default=0))
    }
    for name in sorted(scalars, key=_is_stride):  # which is a size, and seldom called as one
        column = calls.column(name, lambda v: v)
        if column in sizes and all(type(v) is int and v > 1 for v in column):
            # An axis may be called as the number that it is: `M` for M.
            calls.axis(column, name.upper(), taken - {name})


def _is_stride(name: str) -> bool:
    return "stride" in name.lower()


def _shape(calls: Calls, name: str, taken: set[str]) -> list[str]:
    rank = next(len(c["args"][name]["tensor"]) for c in calls.calls if c["args"].get(name) is not None)
    shape = []
    for i in range(rank):
        column = calls.column(name, lambda v, i=i: v["tensor"][i])
        known = {v for v in column if v is not None}
        if known == {1}:
            shape.append("1")
        else:
            shape.append(calls.axis(column, f"{name}{i}", taken))
    return shape


def _types(
    result: Suggestion, calls: Calls, tensors: list[str], taken: set[str], sizes: list[dict[str, object]]
) -> dict[str, str]:
    """The format of each tensor; those that vary together share a type name, the floats first."""
    columns: dict[str, tuple[Any, ...]] = {n: calls.column(n, lambda v: _format(v["dtype"])) for n in tensors}
    varied = any(len({v for v in column if v is not None}) > 1 for column in columns.values())
    names: dict[tuple[Any, ...], str] = {}
    types: dict[str, str] = {}
    for name, column in columns.items():
        known = list(dict.fromkeys(v for v in column if v is not None))
        unknown = [v for v in known if of_torch(v) is None and v.startswith("?")]
        if unknown:
            note(result, f"{name} has the format {unknown[0][1:]}, which no spec can name; fp32 stands in")
            known = ["fp32"]
        shared = column in names or (not names and not varied)
        if len(known) == 1 and not (shared and known[0] in ("fp16", "bf16", "fp32")):
            types[name] = known[0]
            continue
        match = next((k for k in names if all(a == b for a, b in zip(k, column, strict=True) if a and b)), None)
        if match is None:
            names[column] = free("T", {*taken, *calls.columns, *names.values()})
            match = column
        elif None in match:
            joined = tuple(a or b for a, b in zip(match, column, strict=True))
            names[joined] = names.pop(match)
            match = joined
        types[name] = names[match]
    for column, name in names.items():
        known = list(dict.fromkeys(v for v in column if v is not None))
        result.dtypes[name] = f"({', '.join(_source(v) for v in known)},)"
        for i, value in enumerate(column):
            if len(known) > 1 and value is not None:
                sizes[i][name] = value
    return types


def _format(torch_name: str) -> str:
    found = of_torch(torch_name)
    return found.name if found is not None else f"?{torch_name}"


def _fill(dtype: str, name: str, result: Suggestion) -> str:
    if dtype.startswith(("int", "uint")):
        note(result, f"{name} holds whole numbers: say how they are drawn, as in fill='integers(0, N)'")
    return ""


def _scalar(
    result: Suggestion, calls: Calls, name: str, sizes: list[dict[str, object]], steps: dict[tuple[int, ...], str]
) -> None:
    column = calls.column(name, lambda v: float(v["float"]) if isinstance(v, dict) else v)
    known = list(dict.fromkeys(v for v in column if v is not None))
    if not known:
        note(result, f"{name} is left out: it was always None")
        return
    if None in column:
        note(result, f"{name} is None in some calls, and a number is never None in a spec; {known[0]!r} stands in")
    kind = "bool" if all(type(v) is bool for v in known) else "int" if all(type(v) is int for v in known) else "float"
    axis = next((n for n, c in calls.columns.items() if kind == "int" and c == column and len(known) >= 1), None)
    if axis is not None and (len(known) > 1 or axis == name.upper() or (len(name) == 1 and known[0] > 1)):
        result.inputs[name] = f'Scalar("int", "{axis}")'
    elif kind == "int" and column in steps and (len(known) > 1 or (known[0] > 1 and _is_stride(name))):
        result.inputs[name] = f'Scalar("int", "{steps[column]}")'
    elif len(known) == 1:
        result.inputs[name] = f'Scalar("{kind}", {_source(known[0], kind)})'
    else:
        choices = ", ".join(_source(v, kind) for v in known)
        result.inputs[name] = f'Scalar("{kind}", choices=({choices}))'
        for values, value in zip(sizes, column, strict=True):
            values[name] = known[0] if value is None else value


def _axes(result: Suggestion, calls: Calls, sizes: list[dict[str, object]]) -> None:
    for name, column in calls.columns.items():
        known = sorted({v for v in column if v is not None})
        one = known[0] if len(known) == 1 else None
        result.axes[name] = f"Axis(choices=({one},))" if one is not None else f"Axis({known[0]}, {known[-1]})"
        for i, value in enumerate(column):
            sizes[i] = {**sizes[i], name: known[0] if value is None else value}
    for i, values in enumerate(sizes):  # sizes first, as one reads them
        sizes[i] = {n: values[n] for n in [*calls.columns, *(k for k in values if k not in calls.columns)]}


def _source(value: object, kind: str = "") -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if kind == "float" and isinstance(value, int | float):
        value = float(value)
    return f'float("{value}")' if isinstance(value, float) and repr(value) in ("inf", "-inf", "nan") else repr(value)
