"""What indexing, attributes and calls do to shapes; `torch_ops` has torch's own operations, `layers` its modules."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from geak.drafting import dims, layers, torch_ops, views
from geak.drafting.dims import Dim
from geak.drafting.source import Function, dotted
from geak.drafting.values import (
    Arr,
    Config,
    DType,
    Known,
    Layer,
    Num,
    Seq,
    Shape,
    Value,
    arguments_of,
    integer,
    items,
    sizes,
)

if TYPE_CHECKING:
    from geak.drafting.shapes import Reader

_TORCH = ("torch.", "F.", "functional.", "nn.functional.", "tl.")


def attribute(owner: Arr, name: str) -> Value:
    """`x.shape`, `x.T` and the like."""
    if name == "shape":
        return Shape(owner)
    if name == "dtype":
        return DType(owner.dtype)
    if name == "ndim":
        return Num(Dim(len(owner.dims) if owner.dims is not None else None))
    if name in ("T", "mT", "H", "mH"):
        if name == "T":
            owner.rank(2)
        return views.swapped(owner, -1, -2)
    return owner if name in ("data", "grad", "real") else Value()


def joined(left: Value, right: Value) -> Value:
    """`x.shape[:-1] + (H, D)`, `[1] * n`."""
    if isinstance(left, Seq | Shape) and isinstance(right, Seq | Shape):
        one, two = items(left, None), items(right, None)
        return Seq([*one, *two]) if one is not None and two is not None else Value()
    seq, number = (left, right) if isinstance(left, Seq) else (right, left)
    count = integer(number)
    return Seq(seq.items * count) if isinstance(seq, Seq) and count is not None and count < 16 else Value()


def subscript(reader: Reader, owner: Value, index: ast.expr) -> Value:
    """`owner[index]`."""
    if isinstance(owner, Shape):
        return _shape_item(reader, owner, index)
    if isinstance(owner, Seq):
        if isinstance(index, ast.Slice):
            low, high = integer(reader.value(index.lower)), integer(reader.value(index.upper))
            return Seq(owner.items[low:high])
        number = integer(reader.value(index))
        return owner.items[number] if number is not None and -len(owner.items) <= number < len(owner.items) else Value()
    if isinstance(owner, Arr):
        return _indexed(reader, owner, index)
    key = reader.value(index)
    if isinstance(owner, Config) and isinstance(key, Known):
        return owner.fields.get(str(key.value), Value())
    return Value()


def _shape_item(reader: Reader, owner: Shape, index: ast.expr) -> Value:
    if isinstance(index, ast.Slice):
        low, high = integer(reader.value(index.lower)), integer(reader.value(index.upper))
        known = sizes(owner)
        if known is None:
            owner.of.least = max(owner.of.least, *(abs(v) for v in (low, high) if v is not None), 1)
            return Value()
        return Seq([Num(d) for d in known[low:high]])
    number = integer(reader.value(index))
    return Num(owner.of.at(number)) if number is not None else Num(Dim())


def _indexed(reader: Reader, owner: Arr, index: ast.expr) -> Value:
    parts = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    taken = [p for p in parts if not (isinstance(p, ast.Constant) and p.value in (None, ...))]
    dotted_at = next((i for i, p in enumerate(parts) if isinstance(p, ast.Constant) and p.value is ...), None)
    values = {id(p): (reader.value(p) if not isinstance(p, ast.Slice) else Value()) for p in taken}
    mask = values[id(taken[0])] if len(taken) == 1 else None
    if isinstance(mask, Arr) and ("bool" in mask.roles or mask.dtype == "bool" or "mask" in mask.origin):
        mask.mark("bool")
        return Value()  # how many are selected depends on the values
    owner.least = max(owner.least, len(taken))
    if owner.dims is None:
        for p in taken:
            _index_role(values[id(p)], None)
        if any(isinstance(values[id(p)], Arr) for p in taken):
            return Arr()
        return owner.made(sum(p not in taken for p in parts if not _is_dots(p)) - sum(_is_one(p) for p in taken))
    left = list(owner.dims)
    result: list[Dim] = []
    for i, part in enumerate(parts):
        if dotted_at == i:
            rest = len([p for p in parts[i + 1 :] if not (isinstance(p, ast.Constant) and p.value is None)])
            keep = len(left) - rest
            result += left[:keep]
            left = left[keep:]
        elif isinstance(part, ast.Constant) and part.value is None:
            result.append(Dim(1))
        elif left:
            result += _taken(reader, part, values[id(part)], left.pop(0))
    taken_from = owner.like([*result, *left])
    taken_from.base = owner
    return taken_from


def _is_dots(part: ast.expr) -> bool:
    return isinstance(part, ast.Constant) and part.value is ...


def _is_one(part: ast.expr) -> bool:
    return not isinstance(part, ast.Slice)


def _taken(reader: Reader, part: ast.expr, value: Value, size: Dim) -> list[Dim]:
    if isinstance(part, ast.Slice):
        low, high = reader.value(part.lower), reader.value(part.upper)
        step = integer(reader.value(part.step)) if part.step is not None else 1
        start = low.dim if isinstance(low, Num) else Dim(0)
        if part.lower is None and part.upper is None:
            whole = size
        elif isinstance(low, Arr) or isinstance(high, Arr):
            for bound in (low, high):
                if isinstance(bound, Arr):
                    bound.mark("offsets", size)
            return [Dim()]
        elif isinstance(high, Num) or part.upper is None:
            end = high.dim if isinstance(high, Num) else size
            if (end.root().value or 0) < 0:
                end = dims.make("+", size, end)
            if (start.root().value or 0) < 0:
                start = dims.make("+", size, start)
            whole = dims.make("-", end, start)
            if size.free and end.root().value is None and not dims.same(size, end):
                size.root().floors.append(end)
        else:
            return [Dim()]
        return [dims.make("//", whole, Dim(step)) if step and step > 1 else whole if step else Dim()]
    limit = value.dim.root().limit if isinstance(value, Num) else None
    if limit is not None and limit.free and size.free:
        dims.unify(limit, size)  # `for t in range(S): x[:, t]`
    if isinstance(value, Arr):
        _index_role(value, size)
        return list(value.dims) if value.dims is not None else [Dim()]
    return []


def _index_role(value: Value, size: Dim | None) -> None:
    if isinstance(value, Arr):
        value.mark("index", size)


def call(reader: Reader, node: ast.Call) -> Value:
    """A call: of a helper in the file, a module's attribute, a tensor's method or one of torch's functions."""
    args = _arguments(reader, node)
    keywords = {k.arg: reader.value(k.value) for k in node.keywords if k.arg}
    name = dotted(node.func)
    if isinstance(node.func, ast.Attribute):
        owner = reader.value(node.func.value)
        if isinstance(owner, Layer) and name.startswith("self.") and owner.node is not None:
            method = _method(owner.node, node.func.attr)
            if method is not None:
                return reader.inner(method, arguments_of(method, [owner, *args], keywords))
        target = reader.value(node.func)
        if isinstance(target, Layer):
            return layers.applied(reader, target, args, keywords)
        if isinstance(owner, Arr):
            return _method_call(reader, node, owner, args, keywords)
    known = _resolved(reader, name)
    if isinstance(target := reader.names.get(name, Value()), Layer):
        return layers.applied(reader, target, args, keywords)
    if name in reader.source.functions:
        function = reader.source.functions[name]
        return reader.inner(function, arguments_of(function, args, keywords))
    if name in reader.source.classes:
        return layers.built(reader, reader.source.classes[name], args, keywords)
    if known.startswith(("torch.nn.", "nn.")) and not known.startswith(("torch.nn.functional.", "nn.functional.")):
        return layers.made(known.rsplit(".", 1)[1], args, keywords)
    if known.startswith(_TORCH):
        return torch_ops.function(reader, known.rsplit(".", 1)[1], args, keywords)
    return _builtin(known, args)


def _arguments(reader: Reader, node: ast.Call) -> list[Value]:
    args: list[Value] = []
    for arg in node.args:
        value = reader.value(arg)
        if isinstance(arg, ast.Starred):
            args += items(value, None) or []
        else:
            args.append(value)
    return args


def _resolved(reader: Reader, name: str) -> str:
    """`softmax` as `torch.nn.functional.softmax` where it was imported from there."""
    head, _, rest = name.partition(".")
    found = reader.source.imports.get(head)
    if found is None:
        return name
    statement, alias = found
    origin = f"{statement.module}.{alias.name}" if isinstance(statement, ast.ImportFrom) else (
        alias.name if alias.asname else head
    )  # fmt: skip
    return f"{origin}.{rest}" if rest else origin


def _builtin(name: str, args: list[Value]) -> Value:
    first = args[0] if args else Value()
    if name == "len":
        if isinstance(first, Arr):
            return Num(first.at(0))
        known = sizes(first) if isinstance(first, Seq | Shape) else None
        return Num(Dim(len(known) if known is not None else None))
    if name == "int" and isinstance(first, Num):
        return first
    if name == "range" and len(args) == 1 and isinstance(first, Num):
        step = Dim()
        step.limit = first.dim
        return Seq([Num(step)])
    if name in ("cdiv", "triton.cdiv", "math.ceil", "int", "max", "min", "range", "triton.next_power_of_2"):
        return Num(Dim())
    if name in ("tuple", "list", "reversed"):
        return first
    return Known(0.5) if name.startswith("math.") or name == "float" else Value()


def _method(node: ast.ClassDef, name: str) -> Function | None:
    return next((s for s in node.body if isinstance(s, Function) and s.name == name), None)


def _method_call(reader: Reader, node: ast.Call, owner: Arr, args: list[Value], keywords: dict[str, Value]) -> Value:
    assert isinstance(node.func, ast.Attribute)
    name = node.func.attr
    if name in ("size", "stride"):
        if not args and name == "size":
            return Shape(owner)
        number = integer(args[0] if args else keywords.get("dim"))
        size = owner.at(number) if number is not None else Dim()
        return Num(size if name == "size" else Dim())
    if name == "dim":
        return Num(Dim(len(owner.dims) if owner.dims is not None else None))
    if name in ("numel", "nelement"):
        return Num(dims.product(owner.dims) if owner.dims is not None else Dim())
    if name.endswith("_") and not name.startswith("_") and owner.origin and name not in ("requires_grad_",):
        reader.stores.add(owner.origin)
    if name in ("to", "type", "type_as") and owner.dims is not None:
        said = next((v for v in [*args, *keywords.values()] if isinstance(v, DType | Arr)), None)
        dtype = said.name if isinstance(said, DType) else said.dtype if isinstance(said, Arr) else owner.dtype
        return owner.like(dtype=dtype)
    return torch_ops.function(reader, name.rstrip("_"), [owner, *args], keywords)
