"""The grid of a kernel that is launched, from the numbers and shapes that it is passed, and its configuration."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from geak_evaluator.recording.drawing import is_tensor, renamed
from geak_evaluator.schema.observed import Entry, Gridded, Seen

Row = tuple[Seen, Gridded]
Columns = dict[str, tuple[int, ...]]
"""Whole numbers that an entry can see, as source, with their value in each launch."""
_TELLING = 3
"""So many different numbers must follow from four others for that to be no chance."""
_FACTORS = (2, 4, 8)


def grid(entry: Entry, kept: list[Seen]) -> tuple[str, list[int]]:
    """The grid as source, and which of its numbers have to be arguments."""
    rows = [(one, under) for one in kept for under in one.grids or (Gridded({}, one.grid),)]
    # Numbers before shapes: a launch is written with what its author had at hand.
    known = dict(sorted(_numbers(rows), key=lambda pair: "." in pair[0]))
    words: list[str] = []
    more: list[int] = []
    for i in range(max(len(under.grid) for _, under in rows)):
        column = tuple(under.grid[i] if i < len(under.grid) else 1 for _, under in rows)
        text = _size(column, known)
        if text is None:
            more.append(i)
            text = f"grid_{i}"
        words.append(text)
    text = f"({', '.join(words)},)"
    return (f"lambda META: {text}" if "META[" in text else text), more


def _size(column: tuple[int, ...], known: Columns) -> str | None:
    """One number of a grid as source; None where it follows from nothing that is known."""
    if set(column) == {1}:
        return "1"
    found = next((name for name, values in known.items() if values == column), None)
    if found is not None:
        return found
    parts: dict[tuple[int, ...], str] = {}
    for (a, left), (b, right) in itertools.permutations(known.items(), 2):
        if all(right):
            parts.setdefault(_cdiv(left, right), f"-(-{a} // {b})")
    if column in parts:
        return parts[column]
    for (a, left), (b, right) in itertools.combinations(known.items(), 2):
        if _product(left, right) == column:
            return f"{a} * {b}"
    named = _named(column, known)
    return named or (_of_four(column, known, parts) if len(set(column)) >= _TELLING else None)


def _named(column: tuple[int, ...], known: Columns) -> str | None:
    """The tiles of two sizes, each by the block that is called after it: M by BLOCK_M."""
    tiles = [
        (f"-(-{a} // {b})", _cdiv(left, right))
        for (a, left), (b, right) in itertools.permutations(known.items(), 2)
        if _plain(b) in (f"BLOCK_{a.upper()}", f"BLOCK_SIZE_{a.upper()}")
    ]
    pairs = itertools.combinations(tiles, 2)
    return next((f"{a} * {b}" for (a, left), (b, right) in pairs if _product(left, right) == column), None)


def _plain(word: str) -> str:
    return word.removeprefix("META['").removesuffix("']").upper()


def _of_four(column: tuple[int, ...], known: Columns, parts: dict[tuple[int, ...], str]) -> str | None:
    """The tiles of two sizes, tiles times a number, or tiles of several parts each."""
    factors = {**parts, **{values: name for name, values in known.items()}}
    for values, text in parts.items():
        if all(values) and not any(c % v for c, v in zip(column, values, strict=True)):
            other = factors.get(tuple(c // v for c, v in zip(column, values, strict=True)))
            if other is not None:
                return f"{text} * {other}"
    wide = [(b, right, str(n), (n,) * len(column)) for b, right in known.items() for n in _FACTORS]
    wide += [(b, right, c, more) for (b, right), (c, more) in itertools.combinations(known.items(), 2)]
    for a, left in known.items():
        for b, right, c, more in wide:
            tile = _product(right, more)
            if all(tile) and _cdiv(left, tile) == column:
                return f"-(-{a} // ({b} * {c}))"
    return None


def _cdiv(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-(-x // y) for x, y in zip(left, right, strict=True))


def _product(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(x * y for x, y in zip(left, right, strict=True))


def _numbers(rows: list[Row]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name in rows[0][1].meta:
        told: list[Any] = [under.meta.get(name) for _, under in rows]
        if all(type(v) is int and v > 0 for v in told):
            yield f"META[{name!r}]", tuple(told)
    for name in rows[0][0].args:
        values: list[Any] = [one.args.get(name) for one, _ in rows]
        word = renamed(name)
        if all(type(v) is int and v > 0 for v in values):
            yield word, tuple(values)
        elif all(map(is_tensor, values)) and len({len(v["tensor"]) for v in values}) == 1:
            yield f"{word}.numel()", tuple(math.prod(v["tensor"]) for v in values)
            for i in range(len(values[0]["tensor"])):
                yield f"{word}.shape[{i}]", tuple(v["tensor"][i] for v in values)
