"""Traces of operator calls, as torch's benchmarks write them: read as text, never evaluated."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from geak.errors import UsageError

_NAMES = (
    *(("bf16", "bf16", "bfloat16"), ("f16", "fp16", "float16"), ("f32", "fp32", "float32"), ("f64", "fp64", "float64")),
    *((f"i{n}", f"int{n}", f"int{n}") for n in (8, 16, 32, 64)),
    *((f"u{n}", f"uint{n}", f"uint{n}") for n in (8, 16, 32, 64)),
    ("b8", "bool", "bool"),
)
FORMATS = {short: ours for short, ours, _ in _NAMES}
TORCH = {ours: long for _, ours, long in _NAMES}
_RENAMED = {"aten.sum.SymInt": "aten.sum.dim_IntList"}  # as an older torch called it
_CALL = re.compile(r"cnt: (\d+), (.*)")
_LIMIT = 1 << 28
_LONGEST = 20_000


@dataclass(frozen=True)
class Array:
    """A tensor of a call: sizes, format, strides where it is not contiguous."""

    shape: tuple[int, ...]
    format: str
    strides: tuple[int, ...] = ()


@dataclass(frozen=True)
class Type:
    """A number format as an argument."""

    format: str


Argument = Array | Type | int | float | bool | str | None | tuple["Argument", ...]


@dataclass(frozen=True)
class Call:
    """One call of an operator, and how often it was made."""

    args: tuple[Argument, ...]
    kwargs: tuple[tuple[str, Argument], ...]
    count: int


def is_trace(file: Path) -> bool:
    """Whether a file looks like a trace: an operator and a count near its beginning."""
    if file.suffix == ".parquet":
        return True
    try:
        with file.open("rb") as opened:
            head = opened.read(1 << 12)
    except OSError:
        return False
    return file.suffix == ".txt" and head.startswith(b"Operator: ") and b"\ncnt: " in head


def read(files: Iterable[Path]) -> dict[str, Counter[str]]:
    """By operator ("aten.add.Tensor"), the text of each different call and how often it was made."""
    found: dict[str, Counter[str]] = {}
    for file in files:
        for operator, text, count in _rows(file):
            found.setdefault(_RENAMED.get(operator, operator), Counter())[text] += max(count, 1)
    return found


def _rows(file: Path) -> Iterator[tuple[str, str, int]]:
    if file.suffix == ".parquet":
        yield from _parquet(file)
        return
    try:
        if file.stat().st_size > _LIMIT:
            raise UsageError(f"{file} is larger than a trace is read ({_LIMIT >> 20} MiB)")
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise UsageError(f"{file}: {(error.strerror or str(error)).lower()}") from None
    operator = ""
    for line in lines:
        if line.startswith("Operator: "):
            operator = line.removeprefix("Operator: ").strip()
        elif operator and (match := _CALL.fullmatch(line.strip())):
            yield operator, match[2], int(match[1])


def _parquet(file: Path) -> Iterator[tuple[str, str, int]]:
    """The rows of BackendBench's own table that it counts itself."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise UsageError(f"to read {file} takes pyarrow: pip install 'geak[parquet]'") from None
    try:
        rows = parquet.read_table(file).to_pylist()
        for row in rows:
            if row.get("included_in_benchmark", True):
                yield str(row["op_name"]), str(row["args"]), int(row.get("count") or 1)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{file} is no table of operator calls: {error}") from None


def parse(text: str, count: int = 1) -> Call | None:
    """A call from its text, `((T([8, 4], f16), 1), {'dim': 0})`; None where it is none or holds what is not known."""
    plain = text.strip().strip("'")
    if len(plain) > _LONGEST:
        return None
    try:
        tree = ast.parse(plain, mode="eval").body
        if not (isinstance(tree, ast.Tuple) and len(tree.elts) == 2):
            return None
        args, kwargs = tree.elts
        if not (isinstance(args, ast.Tuple) and isinstance(kwargs, ast.Dict)):
            return None
        named = [
            (str(key.value), _value(value))
            for key, value in zip(kwargs.keys, kwargs.values, strict=True)
            if isinstance(key, ast.Constant)
        ]
        return Call(tuple(_value(a) for a in args.elts), tuple(named), count)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _value(node: ast.expr) -> Argument:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool | int | float | str) or node.value is None:
            named = FORMATS.get(node.value) if isinstance(node.value, str) else None
            return Type(named) if named else node.value
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _value(node.operand)
        if isinstance(number, int | float):
            return -number
    elif isinstance(node, ast.List | ast.Tuple):
        return tuple(map(_value, node.elts))
    elif isinstance(node, ast.Name):
        if node.id == "inf":
            return math.inf
        return Type(FORMATS[node.id]) if node.id in FORMATS else _unknown(node.id)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("torch", "th"):
        known = {long: ours for ours, long in TORCH.items()}
        return Type(known[node.attr]) if node.attr in known else f"torch.{node.attr}"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "T":
        return _array(node)
    return _unknown(type(node).__name__)


def _array(node: ast.Call) -> Array:
    parts = [*map(_value, node.args), *(_value(k.value) for k in node.keywords)]
    if not (2 <= len(parts) <= 3 and isinstance(parts[1], Type)):
        return _unknown("a tensor")
    shape, strides = (_sizes(p) for p in (parts[0], parts[2] if len(parts) == 3 else ()))
    return Array(shape, parts[1].format, strides)


def _sizes(value: Argument) -> tuple[int, ...]:
    if not isinstance(value, tuple):
        return _unknown("sizes")
    return tuple(v if isinstance(v, int) and v >= 0 else _unknown("a size") for v in value)


def _unknown(what: str) -> NoReturn:
    raise ValueError(f"{what} is nothing that a call is known to hold")
