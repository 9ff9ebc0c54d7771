"""Reads a function as shapes only: walks its statements once, with sizes for values, and never runs it."""

from __future__ import annotations

import ast

from geak.drafting import dims, layers, ops, products
from geak.drafting.dims import Dim, unify
from geak.drafting.hints import DTYPES
from geak.drafting.launches import blocks, bound, launches
from geak.drafting.source import Function, Source, dotted, value_of
from geak.drafting.syntax import is_method, is_none, is_sizes, load
from geak.drafting.values import Arr, Config, DType, Known, Layer, Num, Seq, Shape, Value, broadcast, items, sizes

_TORCH_S = {**DTYPES, "float": "fp32", "int": "int32"}
_DEPTH = 6
_STEPS = 20_000


class Reader:
    """One reading of one function: what its names stand for so far, and what it returns."""

    def __init__(self, source: Source, trailing: frozenset[str] = frozenset(), depth: int = 0) -> None:
        self.source = source
        self.trailing = trailing
        self.depth = depth
        self.steps = 0
        self.names: dict[str, Value] = {}
        self.returned: list[Value] = []
        self.unpacked: dict[str, Dim] = {}
        self.stores: set[str] = set()
        """Arguments that are written in place."""

    def call(self, function: Function, values: dict[str, Value], name_sizes: bool = True) -> Value:
        """The value of a call, with arguments by name."""
        self.names = dict(values)
        self.naming = name_sizes
        self.block(function.body)
        real = [v for v in self.returned if not (isinstance(v, Known) and v.value is None)]
        return real[-1] if real else Value()

    def block(self, body: list[ast.stmt]) -> None:
        """Reads statements in order; both branches of an `if` are read, the first one last."""
        for node in body:
            self.steps += 1
            if self.steps > _STEPS:
                return
            self.statement(node)

    def statement(self, node: ast.stmt) -> None:
        """Reads one statement."""
        if isinstance(node, ast.Assign):
            value = self.value(node.value)
            for target in node.targets:
                self.bind(target, value, node.value)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self.bind(node.target, self.value(node.value), node.value)
        elif isinstance(node, ast.AugAssign):
            joined = ast.BinOp(left=load(node.target), op=node.op, right=node.value)
            self._store(node.target, always=True)
            self.bind(node.target, self.value(ast.copy_location(joined, node)), joined, augmented=True)
        elif isinstance(node, ast.Return):
            self.returned.append(self.value(node.value) if node.value is not None else Known(None))
        elif isinstance(node, ast.Expr):
            self.value(node.value)
        elif isinstance(node, ast.If):
            self._if(node)
        elif isinstance(node, ast.For):
            over = self.value(node.iter)
            self.bind(node.target, over.items[0] if isinstance(over, Seq) and over.items else Num(Dim()), node.iter)
            self.block(node.body)
        elif isinstance(node, ast.While):
            self.block(node.body)
        elif isinstance(node, ast.With):
            for item in node.items:
                self.value(item.context_expr)
            self.block(node.body)
        elif isinstance(node, ast.Try):
            self.block([*node.body, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.Assert):
            self._assert(node.test)

    def _if(self, node: ast.If) -> None:
        self.value(node.test)
        absent = is_none(node.test)
        given = absent is not None and not (isinstance(v := self.names.get(absent), Known) and v.value is None)
        if all(isinstance(s, ast.Raise) for s in node.body):
            self._assert(node.test, negated=True)
            self.block(node.orelse)
            return
        before = dict(self.names)
        if not given:
            self.block(node.orelse)
            self.names = {**before, **{k: v for k, v in self.names.items() if k not in before}}
            self.block(node.body)
        else:  # `if x is None: x = ...`: the drafted case passes it
            self.block(node.body)
            made = {k: v for k, v in self.names.items() if k not in before}
            self.names = {**before, **made}
            self.block(node.orelse)

    def _assert(self, test: ast.expr, negated: bool = False) -> None:
        if isinstance(test, ast.BoolOp):
            for part in test.values:
                self._assert(part, negated)
            return
        wanted = ast.NotEq if negated else ast.Eq
        if not (isinstance(test, ast.Compare) and isinstance(test.ops[0], wanted) and len(test.ops) == 1):
            self.value(test)
            return
        left, right = self.value(test.left), self.value(test.comparators[0])
        if (isinstance(test.left, ast.Attribute) and test.left.attr == "ndim") or is_method(test.left, "dim"):
            inner = test.left.func if isinstance(test.left, ast.Call) else test.left
            about = self.value(inner.value) if isinstance(inner, ast.Attribute) else Value()
            if isinstance(about, Arr) and isinstance(right, Num) and right.dim.value is not None:
                about.rank(right.dim.value)
        elif isinstance(left, Num) and isinstance(right, Num):
            unify(left.dim, right.dim)
        else:
            one, two = sizes(left), sizes(right)
            for shape, known in ((left, two), (right, one)):
                if isinstance(shape, Shape) and known is not None:
                    shape.of.rank(len(known))
            for a, b in zip(sizes(left) or [], sizes(right) or [], strict=False):
                unify(a, b)

    def bind(self, target: ast.expr, value: Value, given: ast.expr, augmented: bool = False) -> None:
        """Assigns; unpacking a shape says how many dimensions there are, and what they are called."""
        if isinstance(target, ast.Name):
            if isinstance(value, Num) and not augmented:
                self.name_size(target.id, value.dim, 3)
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            parts = self._parts(target, value)
            from_shape = isinstance(value, Shape) or is_sizes(given)
            for part, item in zip(target.elts, parts, strict=True):
                if isinstance(part, ast.Name) and isinstance(item, Num):
                    if from_shape and part.id in self.unpacked and part.id != "_":
                        unify(self.unpacked[part.id], item.dim)
                    self.name_size(part.id, item.dim, 2)
                    if from_shape:
                        self.unpacked[part.id] = item.dim
                self.bind(part.value if isinstance(part, ast.Starred) else part, item, given, augmented=True)
        elif isinstance(target, ast.Subscript):
            place = self.value(target)
            if isinstance(place, Arr) and isinstance(value, Arr) and value.dims:
                if place.dims is None and place.settles:
                    place.rank(len(value.dims))
                broadcast(place, value, self.trailing)
            self._store(target)
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value)
            if isinstance(owner, Layer):
                owner.attributes[target.attr] = value

    def _parts(self, target: ast.Tuple | ast.List, value: Value) -> list[Value]:
        count = len(target.elts)
        star = next((i for i, e in enumerate(target.elts) if isinstance(e, ast.Starred)), None)
        if isinstance(value, Shape):
            if star is None:
                value.of.rank(count)
            value.of.least = max(value.of.least, count - (star is not None))
        found = items(value, count if star is None else None)
        if found is None or (star is None and len(found) != count) or len(found) < count - 1:
            if isinstance(value, Shape) and star is not None:
                after = count - star - 1
                return [Num(value.of.at(i)) if i < star else Num(value.of.at(i - count)) if i > star else Value()
                        for i in range(star + 1 + after)]  # fmt: skip
            return [Value() for _ in range(count)]
        if star is None:
            return found
        after = count - star - 1
        return [*found[:star], Seq(found[star : len(found) - after]), *found[len(found) - after :]]

    def name_size(self, name: str, dim: Dim, strength: int) -> None:
        """A size was given a name in the code."""
        if self.naming and self.depth == 0 and name.strip("_") and len(name) <= 24:
            dim.call(name, strength)

    def _store(self, target: ast.expr, always: bool = False) -> None:
        inner = target
        while isinstance(inner, ast.Subscript):
            inner, always = inner.value, True
        value = self.value(inner) if always else Value()
        if isinstance(value, Arr) and value.origin:
            self.stores.add(value.origin)

    # Expressions

    def value(self, node: ast.expr | None) -> Value:
        """What an expression stands for."""
        self.steps += 1
        if node is None or self.steps > _STEPS:
            return Value()
        method = getattr(self, f"_{type(node).__name__}", None)
        result: Value = method(node) if method else self._children(node)
        return result

    def _children(self, node: ast.expr) -> Value:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)
        return Value()

    def _Constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            return Num(Dim(node.value))
        return Known(node.value)

    def _Name(self, node: ast.Name) -> Value:
        if node.id in self.names:
            return self.names[node.id]
        given = value_of(self.source, node.id)
        return self.value(given) if isinstance(given, ast.Constant | ast.Tuple | ast.UnaryOp) else Value()

    def _Tuple(self, node: ast.Tuple | ast.List) -> Value:
        return Seq([self.value(item) for item in node.elts])

    _List = _Tuple

    def _ListComp(self, node: ast.ListComp | ast.GeneratorExp) -> Value:
        before = dict(self.names)
        for loop in node.generators:
            over = self.value(loop.iter)
            first = over.items[0] if isinstance(over, Seq) and over.items else Value()
            self.bind(loop.target, first, loop.iter, augmented=True)
        item = self.value(node.elt)
        self.names = before
        return Seq([item])

    _GeneratorExp = _ListComp

    def _Starred(self, node: ast.Starred) -> Value:
        return self.value(node.value)

    def _NamedExpr(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self.bind(node.target, value, node.value)
        return value

    def _IfExp(self, node: ast.IfExp) -> Value:
        self.value(node.test)
        first, second = self.value(node.body), self.value(node.orelse)
        absent = is_none(node.test)
        if absent is not None:
            given = self.names.get(absent)
            return first if isinstance(given, Known) and given.value is None else second
        return first if type(first) is not Value and not isinstance(first, Known) else second

    def _Attribute(self, node: ast.Attribute) -> Value:
        if node.attr in _TORCH_S and dotted(node).startswith("torch."):
            return DType(_TORCH_S[node.attr])
        owner = self.value(node.value)
        if isinstance(owner, Layer):
            return layers.parameter(owner, node.attr)
        if isinstance(owner, Config):
            return owner.fields.get(node.attr, Value())
        return ops.attribute(owner, node.attr) if isinstance(owner, Arr) else Value()

    def _Subscript(self, node: ast.Subscript) -> Value:
        owner = self.value(node.value)
        return ops.subscript(self, owner, node.slice)

    def _BinOp(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.MatMult):
            return products.matmul(left, right)
        if isinstance(left, Num) and isinstance(right, Num):
            op = dims.operator_of(node.op)
            if not op or (isinstance(node.op, ast.Div)):
                return Known(0.5)
            return Num(dims.make(op, left.dim, right.dim))
        if isinstance(left, Seq | Shape) or isinstance(right, Seq | Shape):
            return ops.joined(left, right)
        arrays = [v for v in (left, right) if isinstance(v, Arr)]
        if not isinstance(node.op, ast.BitAnd | ast.BitOr):
            for array in arrays:
                array.mark("arithmetic")
        if len(arrays) == 2:
            return broadcast(arrays[0], arrays[1], self.trailing)
        if arrays:
            return arrays[0].like() if arrays[0].dims is not None else arrays[0]
        return Known(0.5) if isinstance(left, Num | Known) and isinstance(right, Num | Known) else Value()

    def _UnaryOp(self, node: ast.UnaryOp) -> Value:
        inner = self.value(node.operand)
        if isinstance(inner, Num) and isinstance(node.op, ast.USub) and inner.dim.root().value is not None:
            return Num(Dim(-(inner.dim.root().value or 0)))
        if isinstance(inner, Arr) and isinstance(node.op, ast.Invert):
            inner.mark("bool")
        return inner

    def _Compare(self, node: ast.Compare) -> Value:
        values = [self.value(v) for v in (node.left, *node.comparators)]
        arrays = [v for v in values if isinstance(v, Arr)]
        if not arrays:
            return Known(True)
        both = broadcast(arrays[0], arrays[1], self.trailing) if len(arrays) == 2 else arrays[0]
        return both.like(dtype="bool") if both.dims is not None else both

    def _BoolOp(self, node: ast.BoolOp) -> Value:
        values = [self.value(v) for v in node.values]
        return next((v for v in values if isinstance(v, Arr | Num)), values[-1])

    def _Call(self, node: ast.Call) -> Value:
        if isinstance(node.func, ast.Subscript):
            self._launched(node)
        return ops.call(self, node)

    def _launched(self, node: ast.Call) -> None:
        for kernel, call in launches(self.source, node):
            given = bound(kernel, call)
            for name in blocks(kernel) & given.keys():
                size = self.value(given[name])
                if isinstance(size, Num) and size.dim.free:
                    size.dim.root().power = True

    def inner(self, function: Function, values: dict[str, Value]) -> Value:
        """Reads a helper of the file, called with these."""
        if self.depth >= _DEPTH:
            return Value()
        reader = Reader(self.source, self.trailing, self.depth + 1)
        reader.steps = self.steps
        result = reader.call(function, values, name_sizes=False)
        self.steps = reader.steps
        self.stores |= reader.stores
        return result
