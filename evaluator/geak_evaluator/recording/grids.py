"""The grid of a kernel that a test launches itself, from the numbers and shapes that it is passed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from geak_evaluator.recording.drawing import is_tensor, renamed
from geak_evaluator.schema.observed import Entry, Seen


def grid(entry: Entry, kept: list[Seen]) -> tuple[str, list[int]]:
    """The grid as source, and which of its numbers have to be arguments."""
    words: list[str] = []
    more: list[int] = []
    for i in range(max(len(one.grid) for one in kept)):
        column = [one.grid[i] if i < len(one.grid) else 1 for one in kept]
        text = _size(column, kept)
        if text is None:
            more.append(i)
            text = f"grid_{i}"
        words.append(text)
    return f"({', '.join(words)},)", more


def _size(column: list[int], kept: list[Seen]) -> str | None:
    """One number of a grid from the numbers and shapes that are passed; None where it follows from none of them."""
    if set(column) == {1}:
        return "1"
    # Numbers before shapes: a launch is written with what its author had at hand.
    known = dict(sorted(_numbers(kept), key=lambda pair: "." in pair[0]))
    for name, values in known.items():
        if values == column:
            return name
    for (a, left), (b, right) in itertools.permutations(known.items(), 2):
        if all(y and -(-x // y) == c for x, y, c in zip(left, right, column, strict=True)):
            return f"-(-{a} // {b})"
    for (a, left), (b, right) in itertools.combinations(known.items(), 2):
        if all(x * y == c for x, y, c in zip(left, right, column, strict=True)):
            return f"{a} * {b}"
    return None


def _numbers(kept: list[Seen]) -> Iterator[tuple[str, list[int]]]:
    """Whole numbers that an entry can see, as source, with their value in each call."""
    for name in kept[0].args:
        values: list[Any] = [one.args.get(name) for one in kept]
        word = renamed(name)
        if all(type(v) is int and v > 0 for v in values):
            yield word, values
        elif all(map(is_tensor, values)) and len({len(v["tensor"]) for v in values}) == 1:
            yield f"{word}.numel()", [math.prod(v["tensor"]) for v in values]
            for i in range(len(values[0]["tensor"])):
                yield f"{word}.shape[{i}]", [v["tensor"][i] for v in values]
