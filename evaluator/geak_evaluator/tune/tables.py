"""Tables of configurations by shape or device: a dict in the source, or the JSON file of a serving engine."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping

from geak_evaluator.schema.tuning import Ranking
from geak_evaluator.tune.knobs import Entry, Space, Table, Values
from geak_evaluator.tune.syntax import Source, integer

_MOST_ROWS = 1000


class NoTable(ValueError):
    """A JSON table that cannot be read; the message says why."""


def tables(source: Source, names: set[str]) -> tuple[Table, ...]:
    """Every dict of a file whose rows name constants or options of its kernels."""
    found: list[Table] = []
    inside: set[ast.AST] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Dict) and node not in inside:
            rows = _rows(source, node, names, "")
            if rows:
                inside |= set(ast.walk(node))
                found.append(Table(node.lineno, tuple(rows)))
    return tuple(found)


def _rows(source: Source, node: ast.Dict, names: set[str], label: str) -> list[Entry]:
    """The innermost dicts that are rows, each with its keys from the outside in."""
    rows: list[Entry] = []
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None or not isinstance(value, ast.Dict):
            return []
        path = f"{label}, {ast.unparse(key)}" if label else ast.unparse(key)
        numbers = {
            part.value: item
            for part, item in zip(value.keys, value.values, strict=True)
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value in names
            if integer(item) is not None
        }
        if numbers:
            spans = {name: source.span(item) for name, item in numbers.items()}
            rows.append(Entry(path, spans, {name: integer(item) or 0 for name, item in numbers.items()}))
        else:
            rows += _rows(source, value, names, path)
    return rows


def parse(text: str) -> dict[str, Values]:
    """The rows of a JSON table: by a size, or whatever its keys are."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoTable(f"the table is not JSON: {str(error)[:200]}") from None
    if not isinstance(said, dict):
        raise NoTable("the table is no JSON object; rows by size are expected, each a configuration")
    rows = {}
    for key, row in list(said.items())[:_MOST_ROWS]:
        if not isinstance(row, dict):
            continue  # serving engines note their versions beside the rows
        rows[key] = {name: value for name, value in row.items() if type(value) is int}
    if not rows:
        raise NoTable("the table holds no row: an object by size is expected, each a configuration of whole numbers")
    return rows


def mended(space: Space, ranking: Ranking, rows: Mapping[str, Values]) -> dict[str, Values]:
    """Rows with the best configuration where their own is out; which is best at a size is not known here."""
    best = next((one.values for one in ranking.configurations if one.proved), None)
    found: dict[str, Values] = {}
    for label, row in rows.items():
        known = space.by_name(row)
        out = any(one.cause and one.values == known for one in ranking.configurations)
        found[label] = {n: best.get(n, v) for n, v in row.items()} if out and best else dict(row)
    return found
