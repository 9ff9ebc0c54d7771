"""The configurations under `@triton.autotune`, written out or made by a comprehension."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from geak_evaluator.tune.knobs import OPTIONS, List, Values
from geak_evaluator.tune.syntax import Source, integer

_MOST = 512


class _Unread(Exception):
    pass


def configurations(source: Source, node: ast.expr | None, kernel: str) -> List | str:
    """The list of one kernel; or why it cannot be read, in a sentence."""
    if node is None:
        return f"the configurations of {kernel} are not given to triton.autotune by name"
    if isinstance(node, ast.Name):
        node = source.bound(node.id, node) or node
    makers: list[str] = []
    try:
        entries = tuple(_entries(source, node, makers))
    except _Unread as error:
        return f"line {node.lineno}: the configurations of {kernel} {error}; write them out as a list"
    if not entries:
        return f"line {node.lineno}: the configurations of {kernel} are an empty list; put one into it"
    return List(kernel, source.span(node), makers[0], entries)


def _entries(source: Source, node: ast.expr, makers: list[str]) -> Iterator[Values]:
    if isinstance(node, ast.List | ast.Tuple):
        for part in node.elts:
            yield _entry(source, part, {}, makers)
    elif isinstance(node, ast.ListComp):
        for count, names in enumerate(_turns(source, node.generators, {})):
            if count == _MOST:
                raise _Unread(f"are more than {_MOST}")
            yield _entry(source, node.elt, names, makers)
    else:
        raise _Unread("are computed")


def _turns(source: Source, loops: list[ast.comprehension], names: Values) -> Iterator[Values]:
    if not loops:
        yield names
        return
    first, *rest = loops
    over = first.iter
    if isinstance(over, ast.Name):
        over = source.bound(over.id, over) or over
    if not isinstance(over, ast.List | ast.Tuple) or not isinstance(first.target, ast.Name):
        raise _Unread("are computed")
    for item in over.elts:
        inner = {**names, first.target.id: _number(item, names)}
        if all(_holds(test, inner) for test in first.ifs):
            yield from _turns(source, rest, inner)


def _holds(test: ast.expr, names: Values) -> bool:
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        left, right = _number(test.left, names), _number(test.comparators[0], names)
        kinds: dict[type, bool] = {ast.Lt: left < right, ast.LtE: left <= right, ast.Gt: left > right}
        kinds |= {ast.GtE: left >= right, ast.Eq: left == right, ast.NotEq: left != right}
        if type(test.ops[0]) in kinds:
            return kinds[type(test.ops[0])]
    raise _Unread("are chosen by a condition that is more than one comparison")


def _entry(source: Source, node: ast.expr, names: Values, makers: list[str]) -> Values:
    if not isinstance(node, ast.Call) or source.full(node.func) != "triton.Config":
        raise _Unread("are not all triton.Config(...)")
    makers.append(ast.unparse(node.func))
    given = dict(zip(("kwargs", *OPTIONS), node.args))  # noqa: B905
    given |= {keyword.arg or "": keyword.value for keyword in node.keywords}
    constants = given.pop("kwargs", ast.Dict([], []))
    if given.keys() - set(OPTIONS):
        raise _Unread(f"say more than {' and '.join(OPTIONS)} ({', '.join(sorted(given.keys() - set(OPTIONS)))})")
    if not isinstance(constants, ast.Dict):
        raise _Unread("hold something that is no dict")
    values: Values = {}
    for key, value in zip(constants.keys, constants.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            raise _Unread("hold a dict whose keys are not all names")
        values[key.value] = _number(value, names)
    return values | {name: _number(value, names) for name, value in given.items()}


def _number(node: ast.expr, names: Values) -> int:
    if (number := integer(node)) is not None:
        return number
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.FloorDiv):
        left, right = _number(node.left, names), _number(node.right, names)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if right:
            return left // right
    raise _Unread("hold something that is no whole number")
