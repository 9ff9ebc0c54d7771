"""From the files that a program's processes left to one record: the distinct calls, with counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geak_evaluator.schema.codec import WireError, loads


@dataclass
class Record:
    """What was seen of a function in all processes of a command."""

    signature: list[dict[str, Any]] = field(default_factory=list)
    """By argument: name, kind, and a default where there is one."""
    calls: list[dict[str, Any]] = field(default_factory=list)
    """Distinct calls, `{"count": n, "args": {name: description}}`, the most frequent first."""
    lost: int = 0
    """Calls past the limit of distinct ones, which were only counted."""
    processes: int = 0
    imported: bool = False
    problems: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    near: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How often the function was called."""
        return sum(int(call["count"]) for call in self.calls) + self.lost


def merge(folder: Path) -> Record:
    """Reads every process's file; one that cannot be read is passed over."""
    record = Record()
    counts: dict[str, tuple[dict[str, Any], int]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        try:
            about, *calls = [loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError, WireError):
            continue
        record.processes += 1
        record.imported |= bool(about.get("imported"))
        record.lost += int(about.get("lost", 0))
        record.signature = record.signature or about.get("signature", [])
        record.functions = record.functions or about.get("functions", [])
        record.near = list(dict.fromkeys([*record.near, *about.get("near", [])]))
        if about.get("problem") and about["problem"] not in record.problems:
            record.problems.append(about["problem"])
        for call in calls:
            bound = bind(about.get("signature", []), call["args"], call["kwargs"])
            key = repr(bound)
            counts[key] = (bound, counts.get(key, (bound, 0))[1] + int(call["count"]))
    ordered = sorted(counts.values(), key=lambda item: -item[1])
    record.calls = [{"count": count, "args": bound} for bound, count in ordered]
    return record


def bind(signature: list[dict[str, Any]], args: list[Any], kwargs: list[Any]) -> dict[str, Any]:
    """A call's arguments by name, defaults included; what a `*args` takes is called `args[0]` and so on."""
    given = dict(kwargs)
    bound: dict[str, Any] = {}
    places = iter(_places(signature, len(args)))
    rest = [(name, value) for name, value in zip(places, args, strict=False)]
    positional = dict(rest)
    for entry in signature:
        name = entry["name"]
        if entry["kind"] == "var_positional":
            bound.update({n: plain(v) for n, v in positional.items() if n.startswith(f"{name}[")})
        elif entry["kind"] == "var_keyword":
            continue
        elif name in positional:
            bound[name] = plain(positional[name])
        elif name in given:
            bound[name] = plain(given.pop(name))
        elif "default" in entry:
            bound[name] = plain(entry["default"])
    bound.update({n: plain(v) for n, v in positional.items() if n not in bound})
    bound.update({n: plain(v) for n, v in given.items() if n not in bound})
    return bound


def _places(signature: list[dict[str, Any]], count: int) -> Iterator[str]:
    number = 0
    for entry in signature:
        if entry["kind"] in ("positional_only", "positional_or_keyword"):
            yield entry["name"]
            number += 1
        elif entry["kind"] == "var_positional":
            yield from (f"{entry['name']}[{i}]" for i in range(count - number))
            return
    yield from (f"argument {i}" for i in range(number, count))


def plain(value: Any) -> Any:
    """A description as the output has it: `{"tensor": [2, 3], "dtype": "float16"}`, a number, a list."""
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        return value
    kind, *rest = value
    if kind == "tensor":
        shape, dtype, strides = rest
        return {"tensor": shape, "dtype": dtype, **({"strides": strides} if strides is not None else {})}
    if kind in ("tuple", "list"):
        items = [plain(v) for v in rest[0]]
        return {kind: items, **({"length": rest[1]} if rest[1] != len(items) else {})}
    if kind == "dict":
        return {"dict": {k: plain(v) for k, v in rest[0]}}
    if kind in ("str", "bool") or (kind == "float" and not isinstance(rest[0], str)):
        return rest[0]
    return {kind: rest[0]}
