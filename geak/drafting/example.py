"""What a file's own `get_init_inputs` and `get_inputs` pass: which numbers are sizes, and which sizes are one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from geak.drafting.arguments import RANDOM, Argument
from geak.drafting.dims import Dim, parse
from geak.drafting.infer import several
from geak.drafting.shapes import Reader
from geak.drafting.source import Source, value_of
from geak.drafting.values import Arr, Known, Num, Seq, Value

_LAYER = re.compile(r"kernel|stride|pad|dilat|pool|group")
"""What a layer is made of; it stays as the file has it."""
_FEW = 8
_LAYERS = 64
"""From here on a number in a list is the size of a layer."""


def follow(source: Source, built: list[Argument], given: list[Argument]) -> None:
    """Settles the constructor's and the call's arguments by what the file passes itself."""
    called: dict[str, str] = {}
    passed = _returned(source, "get_init_inputs")
    pairs = list(zip(built, passed, strict=False))
    for argument, node in pairs:
        value = _literal(source, node)
        if isinstance(value, int | float):
            _number(argument, node, value, called)
    for argument, node in pairs:
        if not isinstance(_literal(source, node), int | float):
            _bind(source, argument, node, called)
    for argument in built[len(pairs) :] if "get_init_inputs" in source.functions else ():
        if argument.default is not None:  # it is called without
            argument.kind, argument.passed, argument.question, argument.optional = "bound", "", "", False
    for argument in built:
        if argument.kind == "tensor" and not argument.optional and "a tensor" in argument.question:
            number = re.search(r"factor|slope|value|rate|prob|_min|_max|scale", argument.name)
            argument.kind = "float" if number else "int"
            argument.question = f"the constructor's {argument.name} is taken for one {argument.kind}"
    fixed = {node.id for argument, node in pairs if argument.fixed and isinstance(node, ast.Name)}
    _shapes(source, given, called, fixed)


def _number(argument: Argument, node: ast.expr, value: float, called: dict[str, str]) -> None:
    """A number that is passed: a size that may be another one, or what the module is made of."""
    size = isinstance(value, int) and not isinstance(value, bool) and value > _FEW and not _LAYER.search(argument.name)
    if size and argument.kind in ("int", "tensor"):
        argument.kind, argument.default, argument.question = "int", None, ""
        if isinstance(node, ast.Name):
            called.setdefault(node.id, argument.name)
        return
    value = 0.0 if RANDOM.search(argument.name) else value  # nothing random comes in
    argument.kind = "bool" if isinstance(value, bool) else "int" if isinstance(value, int) else "float"
    argument.default, argument.passed, argument.question, argument.fixed = ast.Constant(value), "", "", True


def _bind(source: Source, argument: Argument, node: ast.expr, called: dict[str, str]) -> None:
    """A tuple or list of numbers, or what no spec can pass: that stands in the constructor's call."""
    fields: list[Argument] = []
    given = _Inlined(source, called, fields).visit(ast.parse(ast.unparse(node), mode="eval").body)
    several = isinstance(given, ast.Tuple | ast.List) and all(map(_is_size, given.elts))
    argument.kind = "numbers" if several else "bound"
    argument.passed, argument.fields, argument.optional = ast.unparse(given), tuple(fields) if several else (), False
    argument.question = "" if several else f"the constructor's {argument.name} is left at {argument.passed}"


def _is_size(node: ast.expr) -> bool:
    return parse(ast.unparse(node), lambda _: Dim()) is not None


class _Inlined(ast.NodeTransformer):
    """An expression in terms of the constructor's arguments: constants of the file become numbers or arguments."""

    def __init__(self, source: Source, called: dict[str, str], fields: list[Argument]) -> None:
        self.source, self.called, self.fields = source, called, fields
        self.open: set[str] = set()

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.called:
            return ast.Name(self.called[node.id])
        given, value = value_of(self.source, node.id), _literal(self.source, node)
        if isinstance(value, int) and value > _FEW and not _LAYER.search(node.id):
            self.called[node.id] = node.id
            self.fields.append(Argument(node.id, "int"))
            return node
        if isinstance(value, list | tuple) and any(type(size) is int and size >= _LAYERS for size in value):
            return self._layers(node.id, value)
        if value is not None:
            return ast.parse(repr(value), mode="eval").body
        if given is None or node.id in self.open:
            return node
        self.open.add(node.id)
        inner: ast.expr = self.visit(ast.parse(ast.unparse(given), mode="eval").body)
        return inner

    def _layers(self, name: str, sizes: list[int] | tuple[int, ...]) -> ast.expr:
        """The sizes of layers, one by one: large ones may be others, and equal ones are one."""
        parts: list[ast.expr] = []
        for size in sizes:
            field = f"{name}_{size}"
            if type(size) is not int or size < _LAYERS:
                parts.append(ast.Constant(size))
                continue
            if field not in {one.name for one in self.fields}:
                self.fields.append(Argument(field, "int"))
            self.called[field] = field
            parts.append(ast.Name(field))
        return ast.List(parts) if isinstance(sizes, list) else ast.Tuple(parts)


def _shapes(source: Source, given: list[Argument], called: dict[str, str], fixed: set[str]) -> None:
    """The inputs' shapes and kinds, by the names of the sizes that they are made with."""
    example = source.functions.get("get_inputs")
    if example is None:
        return
    passed = {n.id for node in _returned(source, "get_init_inputs") for n in ast.walk(node) if isinstance(n, ast.Name)}
    sizes = {
        name: Dim(name=called.get(name, name))
        for name in source.constants
        if isinstance(value := _literal(source, ast.Name(name)), int)
        and (name in called or (name not in passed and value > 0))
    }
    known: dict[str, Value] = {name: Num(dim) for name, dim in sizes.items()}
    names = {id(dim): dim.name for dim in sizes.values()}
    for name in source.constants:
        value = _literal(source, ast.Name(name))
        if name in fixed and name not in sizes and type(value) is int:  # the module is made for it
            known[name] = Num(stays := Dim())
            names[id(stays)] = str(value)
        if isinstance(value, tuple) and all(type(size) is int for size in value):
            parts = [Dim() for _ in value]
            known[name] = Seq([Num(part) for part in parts])
            names |= {id(part): f"?{name}{i}" for i, part in enumerate(parts)}
    value = Reader(source).call(example, known, name_sizes=False)
    for argument, item in zip(given, value.items if isinstance(value, Seq) else [], strict=False):
        guessed = argument.kind in ("int", "float") and argument.question
        if isinstance(item, Arr) and item.dims is not None and (argument.kind == "tensor" or guessed):
            argument.kind = "tensor"
            argument.hint.shape = tuple(_text(dim, names) for dim in item.dims)
            argument.hint.dtype = item.dtype if item.dtype != "fp32" else ""
            argument.hint.fill = "uniform(0, 1)" if "share" in item.roles else ""
            argument.role, argument.question = argument.role or ("arithmetic" if item.dtype == "fp32" else ""), ""
        elif isinstance(item, Known) and isinstance(item.value, float) and argument.literal is None:
            argument.kind, argument.default, argument.question = "float", ast.Constant(item.value), ""


def own_sizes(source: Source, built: list[Argument], given: list[Argument]) -> dict[str, int | tuple[int, ...]]:
    """What the file itself passes: numbers by argument, and the shapes of tensors, as far as they can be read."""
    numbers: dict[str, int] = {}
    for argument, node in zip(built, _returned(source, "get_init_inputs"), strict=False):
        for inner, part in [(argument, node), *((f, ast.Name(f.name)) for f in argument.fields)]:
            value = _literal(source, part)
            if value is None and (layer := re.fullmatch(r"\w+_(\d+)", inner.name)):
                value = int(layer[1])
            if type(value) is int:
                numbers[inner.name] = value
    found: dict[str, int | tuple[int, ...]] = {**numbers}
    for argument in (one for one in built if one.kind == "numbers"):
        items = [dim.root().value for dim in several(argument, lambda name: Dim(numbers.get(name)))]
        if None not in items:
            found[argument.name] = tuple(item for item in items if item is not None)
    example = source.functions.get("get_inputs")
    if example is None:
        return found
    known: dict[str, Value] = {}
    for name in source.constants:
        value = _literal(source, ast.Name(name))
        if type(value) is int:
            known[name] = Num(Dim(value))
        elif isinstance(value, tuple | list) and all(type(size) is int for size in value):
            known[name] = Seq([Num(Dim(size)) for size in value])
    passed = Reader(source).call(example, known, name_sizes=False)
    for argument, item in zip(given, passed.items if isinstance(passed, Seq) else [], strict=False):
        if isinstance(item, Arr) and item.dims is not None:
            sizes = tuple(size for dim in item.dims if (size := dim.root().value) is not None)
            found |= {argument.name: sizes} if len(sizes) == len(item.dims) else {}
    return found


def _text(dim: Dim, names: dict[int, str]) -> str:
    known = all(id(v) in names for v in dim.variables())
    return dim.text(names) if known and (dim.root().formula or dim.free) else "?"


def _returned(source: Source, name: str) -> list[ast.expr]:
    example = source.functions.get(name)
    found: Iterator[ast.expr | None] = (n.value for n in ast.walk(example or ast.Pass()) if isinstance(n, ast.Return))
    return next((node.elts for node in found if isinstance(node, ast.List | ast.Tuple)), [])


def _literal(source: Source, node: ast.expr) -> object:
    """What an expression of literals and constants of the file is; None where it is more."""
    for _ in range(5):
        if isinstance(node, ast.Name) and (given := value_of(source, node.id)) is not None:
            node = given
    if isinstance(node, ast.BinOp):
        left, right = _literal(source, node.left), _literal(source, node.right)
        if isinstance(left, list | tuple) and type(right) is int and isinstance(node.op, ast.Mult):
            return left * right if len(left) * right <= _LAYERS else None
        size = parse(
            ast.unparse(node), lambda name: Dim(n if type(n := _literal(source, ast.Name(name))) is int else None)
        )
        return size.root().value if size is not None else None
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
