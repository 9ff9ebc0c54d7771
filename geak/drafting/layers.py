"""Modules: what torch's own do to shapes, and how those of the file are read through."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from geak.drafting import torch_ops, windows
from geak.drafting.dims import Dim, unify
from geak.drafting.source import Function, dotted
from geak.drafting.values import Arr, Layer, Num, Seq, Value, arguments_of, constant, sizes

if TYPE_CHECKING:
    from geak.drafting.shapes import Reader

_CONVOLUTIONS = {f"Conv{t}{n}d": n + 2 for t in ("", "Transpose") for n in (1, 2, 3)}
_POOLS = {f"{kind}Pool{n}d": n + 2 for kind in ("Max", "Avg", "AdaptiveAvg", "AdaptiveMax") for n in (1, 2, 3)}
_NORMS = {"BatchNorm1d": 2, **{f"{kind}Norm{n}d": n + 2 for kind in ("Batch", "Instance") for n in (2, 3)}}


def made(kind: str, args: list[Value], keywords: dict[str, Value]) -> Value:
    """One of torch's modules, or a parameter."""
    if kind == "Parameter":
        return args[0] if args else Value()
    if kind in ("ModuleList", "Sequential"):
        inner = args[0].items if len(args) == 1 and isinstance(args[0], Seq) else args
        return Seq(list(inner)) if kind == "ModuleList" else Layer(kind, list(inner))
    layer = Layer(kind, args, keywords)
    if kind in _CONVOLUTIONS:  # asked where it is made, whether it is ever called or only lends its weights
        groups = layer.arg(6 + ("Transpose" in kind), "groups")
        _divided(_size(layer, 1, "out_channels"), groups)
        _divided(_size(layer, 0, "in_channels"), groups)
    if kind == "GroupNorm":
        _divided(_size(layer, 1, "num_channels"), layer.arg(0, "num_groups"))
    return layer


def built(reader: Reader, node: ast.ClassDef, args: list[Value], keywords: dict[str, Value]) -> Value:
    """An instance of a class in the file: its `__init__` is read for the attributes."""
    layer = Layer(node.name, args, keywords, node=node)
    init = find(reader, node, "__init__")
    if init is not None:
        reader.inner(init, arguments_of(init, [layer, *args], keywords))
    else:  # a dataclass: its fields are its arguments
        fields = [s for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
        for position, item in enumerate(fields):
            assert isinstance(item.target, ast.Name)
            given = layer.arg(position, item.target.id)
            layer.attributes[item.target.id] = given if given is not None else constant(item.value)
    return layer


def find(reader: Reader, node: ast.ClassDef, name: str) -> Function | None:
    """A method of a class, or of a base of it in the file."""
    for statement in node.body:
        if isinstance(statement, Function) and statement.name == name:
            return statement
    for base in node.bases:
        inherited = reader.source.classes.get(dotted(base))
        if inherited is not None and inherited is not node:
            return find(reader, inherited, name)
    return None


def applied(reader: Reader, layer: Layer, args: list[Value], keywords: dict[str, Value]) -> Value:
    """The result of calling a module."""
    if layer.node is not None:
        forward = find(reader, layer.node, "forward") or find(reader, layer.node, "__call__")
        return reader.inner(forward, arguments_of(forward, [layer, *args], keywords)) if forward else Value()
    x = args[0] if args else Value()
    if layer.kind == "Sequential":
        for part in layer.args:
            x = applied(reader, part, [x], {}) if isinstance(part, Layer) else x
        return x
    if layer.kind == "Embedding":
        table = Arr([_size(layer, 0, "num_embeddings"), _size(layer, 1, "embedding_dim")])
        return torch_ops.function(reader, "embedding", [x, table], {})
    if not isinstance(x, Arr):
        return Value()
    if layer.kind in ("Linear", "LazyLinear"):
        x.set_last(_size(layer, 0, "in_features"))
        return x.like([*x.dims[:-1], _size(layer, 1, "out_features")]) if x.dims else x.like()
    if layer.kind in ("LayerNorm", "RMSNorm"):
        shape = layer.arg(0, "normalized_shape")
        x.set_last(*(sizes(shape) or []) if shape is not None else [])
        return x.like()
    if layer.kind in _CONVOLUTIONS:
        x.rank(_CONVOLUTIONS[layer.kind])
        _channels(x, _size(layer, 0, "in_channels"))
        return windows.convolved(layer, x, _size(layer, 1, "out_channels"))
    if layer.kind in _NORMS:
        x.rank(_NORMS[layer.kind])
        if not layer.kind.startswith("Instance"):  # that takes any number of channels
            _channels(x, _size(layer, 0, "num_features"))
        _several(x)
        return x.like()
    if layer.kind in _POOLS:
        # One dimension less is a pool as well, of one sample; what is known to be so keeps its channels.
        x.rank(_POOLS[layer.kind])
        return windows.pooled(layer, x, _POOLS[layer.kind] - 2)
    if layer.kind == "GroupNorm":
        x.least = max(x.least, 2)
        _channels(x, _size(layer, 1, "num_channels"))
        _several(x)
        return x.like()
    if layer.kind in ("Flatten", "Softmax", "LogSoftmax"):
        return torch_ops.function(reader, layer.kind.lower(), [x, Num(Dim(1))], {}) if layer.kind == "Flatten" else x
    return x


def _size(layer: Layer, position: int, name: str) -> Dim:
    value = layer.arg(position, name)
    return value.dim if isinstance(value, Num) else Dim()


def _divided(size: Dim, by: Value | None) -> None:
    if isinstance(by, Num) and size.free and by.dim.root() is not size.root():
        size.root().divisors.append(by.dim)


def _several(x: Arr) -> None:
    """A norm over a batch or a group wants more than one value, whatever the channels."""
    if x.dims:
        x.dims[0 if len(x.dims) == 2 else -1].at_least(2)


def _channels(x: Arr, size: Dim) -> None:
    if x.dims is not None and len(x.dims) > 1:
        unify(x.dims[1], size)


def parameter(layer: Layer, name: str) -> Value:
    """`self.proj.weight` of one of torch's modules."""
    known = layer.attributes.get(name)
    if known is not None:
        return known
    if layer.kind == "Linear" and name in ("weight", "bias"):
        out = _size(layer, 1, "out_features")
        return Arr([out, _size(layer, 0, "in_features")] if name == "weight" else [out])
    if layer.kind in _CONVOLUTIONS and name == "weight":
        kernel = windows.each(layer.arg(2, "kernel_size"), _CONVOLUTIONS[layer.kind] - 2, None)
        return Arr([Dim(), Dim(), *(Dim(size) for size in kernel)])
    if layer.kind == "Embedding" and name == "weight":
        return Arr([_size(layer, 0, "num_embeddings"), _size(layer, 1, "embedding_dim")])
    if layer.kind in ("LayerNorm", "RMSNorm") and name in ("weight", "bias"):
        shape = layer.arg(0, "normalized_shape")
        return Arr(sizes(shape)) if shape is not None else Value()
    return Value()
