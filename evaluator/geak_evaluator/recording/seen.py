"""From the calls that a foreign test was seen to make to the parts of a spec."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from geak_evaluator.recording.calls import Suggestion
from geak_evaluator.recording.drawing import drawn, is_tensor, literal, renamed
from geak_evaluator.recording.grids import grid as grid_of
from geak_evaluator.recording.merge import Record
from geak_evaluator.recording.suggest import suggest
from geak_evaluator.schema.observed import Entry, Seen, Sketch


class CannotPass(ValueError):
    """An entry that is given what no spec can pass, in a sentence."""


def sketch(entry: Entry) -> Sketch | None:
    """What the calls of an entry say of a spec; None where nothing was called."""
    calls = [one for one in entry.calls if not any(0 in shape for shape in _shapes(one))] or list(entry.calls)
    if not calls:
        return None
    calls = [replace(one, args=_laid_out(one.args)) for one in calls]
    loose = _loose(calls)
    groups = Counter(_fixed_key(one, loose) for one in calls if not one.timed)
    groups = groups or Counter(_fixed_key(one, loose) for one in calls)
    chosen = max(groups, key=lambda key: ("tensor" in key, groups[key]) if not loose else (True, groups[key]))
    kept = [one for one in calls if _fixed_key(one, loose) == chosen]
    loose = _loose(kept)
    kept.sort(key=lambda one: one.timed)
    notes = [f"{len(calls) - len(kept)} calls with other arguments that no spec can pass are left out"]
    notes = notes if len(kept) < len(calls) else []
    names = {name: renamed(name) for one in kept for name in one.args}
    grid, more = grid_of(entry, kept) if entry.kind == "kernel" else ("", [])
    record = Record()
    for i, one in enumerate(kept):
        passed = {names[n]: v for n, v in _passed(one.args, loose).items()}
        passed |= {f"grid_{g}": one.grid[g] for g in more}
        record.calls.append({"count": 1, "args": passed, "seen": i})
    found = suggest(record, drawn)
    return _sketched(entry, kept, found, loose, names, grid, more, notes)


def _laid_out(args: dict[str, Any]) -> dict[str, Any]:
    """Arguments with the tensors of a sequence as arguments of their own, and it as source that names them."""
    found: dict[str, Any] = {}
    for name, value in args.items():
        kind = next((k for k in ("tuple", "list") if isinstance(value, dict) and k in value), "")
        if not kind or not any(map(is_tensor, value[kind])):
            found[name] = value
            continue
        plain = name.lstrip("*")
        words = []
        for i, item in enumerate(value[kind]):
            if is_tensor(item) or _number(item):
                found[f"{plain}_{i}"] = item
                words.append(f"{plain}_{i}")
            else:
                words.append(source(item))
        left, right = ("(", ")") if kind == "tuple" else ("[", "]")
        text = f"{left}{', '.join(words)}{',' * (kind == 'tuple')}{right}"
        found[name] = {"source": text, "of": [f"{plain}_{i}" for i in range(len(words))]}
    return found


def _shapes(one: Seen) -> Iterator[list[int]]:
    for value in one.args.values():
        if is_tensor(value):
            yield value["tensor"]


def _number(value: Any) -> bool:
    """One that a spec can pass: not an infinity."""
    return isinstance(value, int | float)


def _loose(calls: list[Seen]) -> frozenset[str]:
    """The arguments that a spec can pass: tensors, or None in their place, and numbers."""
    names = dict.fromkeys(name for one in calls for name in one.args)
    found = set()
    for name in names:
        values = [one.args.get(name) for one in calls]
        tensors = [v for v in values if v is not None]
        if (tensors and all(map(is_tensor, tensors))) or all(map(_number, values)):
            found.add(name)
    return frozenset(found)


def _passed(args: dict[str, Any], loose: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in args.items() if name in loose}


def _fixed_key(one: Seen, loose: frozenset[str]) -> str:
    fixed = {name: _undrawn(value) for name, value in one.args.items() if name not in loose}
    return json.dumps(fixed, sort_keys=True)


def _undrawn(value: Any) -> Any:
    """What of a fixed argument makes two calls different: its form, not the sizes of tensors within."""
    if isinstance(value, dict):
        if "tensor" in value:
            return {"tensor": len(value["tensor"])}
        return {k: _undrawn(v) for k, v in value.items()}
    return [_undrawn(v) for v in value] if isinstance(value, list) else value


def _sketched(
    entry: Entry,
    kept: list[Seen],
    found: Suggestion,
    loose: frozenset[str],
    names: dict[str, str],
    grid: str,
    more: list[int],
    notes: list[str],
) -> Sketch:
    calls = [kept[call["seen"]] for call in found.calls]
    exact = [name for name in found.inputs if literal(found, name)]
    values = []
    for call in found.calls:
        given = {n: call["args"][n] for n in exact if is_tensor(call["args"].get(n))}
        values.append({n: v["drawn"]["values"] for n, v in given.items() if "values" in v.get("drawn", {})})
    floats = []
    for call in found.calls:
        drawn_as = {n: v.get("drawn", {}) for n, v in call["args"].items() if is_tensor(v) and n in found.inputs}
        told = {n: drawn.get("floats", drawn.get("values")) for n, drawn in drawn_as.items()}
        floats.append({n: numbers for n, numbers in told.items() if numbers is not None})
    first = calls[0]
    parts = []
    parts_of = {item for value in first.args.values() if isinstance(value, dict) for item in value.get("of", ())}
    for name, value in first.args.items():
        if name in parts_of:
            continue
        word = names[name] if name in loose and names[name] in found.inputs else source(value)
        if name.startswith("*"):
            parts.append(f"*{word}")
        elif name in first.by_name or (entry.kind == "kernel" and name in first.by_name):
            parts.append(f"{name}={word}")
        else:
            parts.append(word)
    order = [names[n] for n in first.args if n in loose]
    plain = entry.kind == "function" and not first.by_name and order == list(first.args) == list(found.inputs)
    target = f"{entry.name}[{grid}]" if entry.kind == "kernel" else entry.name
    changed = {names[n] for one in entry.calls for n in one.changed if n in loose}
    derived = _derived(found)
    for name, text in derived.items():
        named = re.compile(rf"\b{name}\b")
        found.inputs = {n: _within_quotes(named, text, declared) for n, declared in found.inputs.items()}
        found.shapes = {n: tuple(named.sub(text, d) for d in shape) for n, shape in found.shapes.items()}
        for sizes in found.sizes:
            del sizes[name]
    axes = {n: tuple(sorted({s[n] for s in found.sizes})) for n in found.axes if n not in derived}  # type: ignore[type-var]
    types = {
        name: tuple(dict.fromkeys(str(s[name]) for s in found.sizes if name in s)) or _choices(text)
        for name, text in found.dtypes.items()
    }
    return Sketch(
        axes=axes,  # type: ignore[arg-type]
        dtypes=types,
        inputs=found.inputs,
        shapes=found.shapes,
        cases=tuple(found.sizes),
        without=tuple(found.left),
        values=tuple(values),
        floats=tuple(floats),
        timed=tuple(one.timed for one in calls),
        call=f"{target}({', '.join(parts)})",
        plain=plain,
        changes=tuple(n for n in found.inputs if n in changed),
        notes=(*notes, *found.notes),
    )


def _derived(found: Suggestion) -> dict[str, str]:
    """Axes that were a plain function of another in every call: N // 8, 2 * N, N + 1, M * N, M + N."""
    columns = {name: [int(str(s[name])) for s in found.sizes] for name in found.axes}
    derived: dict[str, str] = {}
    for number, (name, column) in enumerate(columns.items()):
        if len(set(column)) < 2:
            continue
        bases = {n: columns[n] for n in list(columns)[:number] if n not in derived and len(set(columns[n])) > 1}
        if (text := next(_relations(column, bases), None)) is not None:
            derived[name] = text
    return derived


def _relations(column: list[int], bases: dict[str, list[int]]) -> Iterator[str]:
    for name, base in bases.items():
        if len(set(zip(base, column, strict=True))) < 3:
            continue
        more, factor = column[0] - base[0], column[0] // base[0] if base[0] else 0
        parts = -(-base[0] // column[0]) if column[0] else 0
        if factor > 1 and all(c == factor * b for b, c in zip(base, column, strict=True)):
            yield f"{factor} * {name}"
        for divisor in (parts, 2 * parts - 1):
            if divisor > 1 and all(c == -(-b // divisor) for b, c in zip(base, column, strict=True)):
                yield f"cdiv({name}, {divisor})"
        if 0 < more <= 16 and all(c == b + more for b, c in zip(base, column, strict=True)):
            yield f"{name} + {more}"
    for (a, left), (b, right) in itertools.combinations(bases.items(), 2):
        if all(x * y == c for x, y, c in zip(left, right, column, strict=True)):
            yield f"{a} * {b}"
        if len(set(zip(left, right, strict=True))) > 2 and all(
            x + y == c for x, y, c in zip(left, right, column, strict=True)
        ):
            yield f"{a} + {b}"


def _within_quotes(word: re.Pattern[str], text: str, declared: str) -> str:
    """The declaration with an axis replaced where it is named, and not where it is a word of the language."""
    parts = declared.split('"')
    return '"'.join(_replaced(word, text, part) if i % 2 else part for i, part in enumerate(parts))


def _replaced(word: re.Pattern[str], text: str, part: str) -> str:
    return ", ".join(word.sub(text if word.fullmatch(one) else f"({text})", one) for one in part.split(", "))


def _choices(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip('"') for part in text.strip("()").split(",") if part.strip())


def source(value: Any) -> str:
    """A fixed argument as source; CannotPass where it has none."""
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, dict):
        if "float" in value:
            return f'float("{value["float"]}")'
        if "dtype" in value and "tensor" not in value:
            return str(value["dtype"])
        for kind in ("triton", "torch", "source"):
            if kind in value:
                return str(value[kind])
        if "device" in value:
            return f'torch.device("{value["device"]}")'
        for kind, (left, right) in {"tuple": ("(", ")"), "list": ("[", "]")}.items():
            if kind in value:
                items = ", ".join(map(source, value[kind]))
                return f"{left}{items}{',' if kind == 'tuple' and len(value[kind]) == 1 else ''}{right}"
        if "object" in value:
            raise CannotPass(f"it is called with a {value['object']}, which no spec can pass")
    raise CannotPass("it is called with tensors inside a nest, which no spec can pass")
