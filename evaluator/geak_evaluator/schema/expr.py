"""Small integer expressions over axis names ("2 * N", "K % G == 0"), read without `eval`."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Number = int | float

_MAX_BITS = 128  # a size never needs more, and a power tower must not eat the judge

_LONGEST = 4000

_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _cdiv(a: Number, b: Number) -> Number:
    return -(-a // b)


_CALLS: dict[str, Callable[..., Number]] = {"min": min, "max": max, "abs": abs, "cdiv": _cdiv}

RESERVED = frozenset(_CALLS)
"""Names that no axis may have."""

_GRAMMAR = (
    *(ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.IfExp),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context),
)


OPERATORS = "+ - * / // % **, comparisons, and or not, if else, min max abs cdiv"


class ExprError(ValueError):
    """An expression that cannot be read or has no value here."""


@lru_cache(maxsize=4096)
def _parse(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise ExprError(f"the expression is {len(text)} characters long; {_LONGEST} is the most")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExprError(f"{text!r} is not an expression") from error


def split(text: str) -> tuple[str, ...]:
    """The parts of "M, N // 2": each an expression of its own; "" has none."""
    if not text.strip():
        return ()
    node = _parse(f"({text},)" if not text.rstrip().endswith(",") else f"({text})")
    if not isinstance(node, ast.Tuple):
        raise ExprError(f"{text!r} is not a list of expressions")
    return tuple(_text(part) for part in node.elts)


@lru_cache(maxsize=4096)
def names_in(text: str) -> frozenset[str]:
    """The axis names that an expression mentions; ExprError where it is more than arithmetic."""
    names = set()
    for node in ast.walk(_parse(text)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif not isinstance(node, _GRAMMAR) or (isinstance(node, ast.Call) and not _is_known(node)):
            shown = _text(node) if isinstance(node, ast.expr) else text
            raise ExprError(f"{shown!r} is not arithmetic over axis names ({OPERATORS})")
    return frozenset(names - _CALLS.keys())


def call(text: str) -> tuple[str, tuple[str, ...]]:
    """Reads "uniform(-1, N)" as a name and its argument expressions; "normal" has none."""
    node = _parse(text)
    if isinstance(node, ast.Name):
        return node.id, ()
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return node.func.id, tuple(_text(arg) for arg in node.args)
    raise ExprError(f"{text!r} is neither a name nor a call such as 'uniform(-1, 1)'")


def _text(node: ast.expr) -> str:
    try:
        return ast.unparse(node)
    except RecursionError:
        raise ExprError("an expression is nested too deeply") from None


def _is_known(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in _CALLS and not node.keywords


def value(text: str, names: Mapping[str, Number | str | bool]) -> Number:
    """What an expression is worth, given the axes' sizes."""
    try:
        return _value(_parse(text), names)
    except ZeroDivisionError as error:
        raise ExprError(f"{text!r} divides by zero") from error
    except (OverflowError, RecursionError, TypeError, ValueError) as error:
        if isinstance(error, ExprError):
            raise
        raise ExprError(f"{text!r} has no value: {error}") from error


def integer(text: str, names: Mapping[str, Number | str | bool]) -> int:
    """The same, where only a whole number makes sense."""
    result = value(text, names)
    if isinstance(result, float):
        if not result.is_integer():
            raise ExprError(f"{text!r} is {result}, which is not a whole number")
        return int(result)
    return int(result)


def _value(node: ast.expr, names: Mapping[str, Number | str | bool]) -> Number:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return _bounded(node.value)
    if isinstance(node, ast.Name):
        found = names.get(node.id)
        if isinstance(found, str):
            raise ExprError(f"{node.id!r} is a type here, not a number")
        if found is None:
            raise ExprError(f"nothing is named {node.id!r}; known are {', '.join(sorted(names)) or 'no names'}")
        return _bounded(found)
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        left, right = _value(node.left, names), _value(node.right, names)
        if isinstance(node.op, ast.Pow) and (abs(right) > _MAX_BITS or abs(left) > 1 << 32):
            raise ExprError("a power is too large")
        return _bounded(_BINARY[type(node.op)](left, right))
    if isinstance(node, ast.UnaryOp):
        inner = _value(node.operand, names)
        if isinstance(node.op, ast.USub):
            return -inner
        if isinstance(node.op, ast.UAdd):
            return inner
        if isinstance(node.op, ast.Not):
            return not inner
    if isinstance(node, ast.BoolOp):
        values = [_value(part, names) for part in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)
    if isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
        if len(node.ops) == 1 and (words := _words(node, names)) is not None:
            return _COMPARE[type(node.ops[0])](*words)
        terms = [_value(part, names) for part in (node.left, *node.comparators)]
        return all(_COMPARE[type(op)](a, b) for op, a, b in zip(node.ops, terms, terms[1:], strict=False))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and _is_known(node):
        return _CALLS[node.func.id](*(_value(arg, names) for arg in node.args))
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, names) else node.orelse, names)
    raise ExprError(f"{_text(node)!r} is not arithmetic over axis names ({OPERATORS})")


def _words(node: ast.Compare, names: Mapping[str, Number | str | bool]) -> tuple[str, str] | None:
    """Both sides of `T == "fp32"`, a type and a number format; None where it compares numbers."""
    if not isinstance(node.ops[0], ast.Eq | ast.NotEq):
        return None
    found = [
        names.get(side.id) if isinstance(side, ast.Name) else side.value if isinstance(side, ast.Constant) else None
        for side in (node.left, node.comparators[0])
    ]
    left, right = found
    return (left, right) if isinstance(left, str) and isinstance(right, str) else None


@lru_cache(maxsize=4096)
def formats_in(text: str) -> frozenset[str]:
    """The number formats that an expression mentions, as texts."""
    nodes = ast.walk(_parse(text))
    return frozenset(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _bounded(number: Number) -> Number:
    if isinstance(number, complex) or (isinstance(number, int) and number.bit_length() > _MAX_BITS):
        raise ExprError("a number is too large")
    return number
