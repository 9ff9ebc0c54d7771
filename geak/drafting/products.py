"""What multiplies, looks up and normalises: operations that tie the sizes of several tensors together."""

from __future__ import annotations

from geak.drafting.dims import Dim, make, unify
from geak.drafting.values import Arr, Known, Num, Seq, Value, broadcast, integer, sizes
from geak.drafting.views import Handler, Keywords, first


def matmul(left: Value, right: Value) -> Value:
    """A product of matrices: the inner sizes are equal, and so are the leading ones."""
    if not (isinstance(left, Arr) and isinstance(right, Arr)):
        return Value()
    for x, other in ((left, right), (right, left)):
        if x.dims is None and x.settles and other.dims is not None and len(other.dims) > 1:
            batched = x.base is not None or x.source in ("k", "v", "key", "value", "keys", "values")
            x.rank(len(other.dims) if batched else 2)
    for x in (left, right):
        if x.dims is None:
            x.least = max(x.least, 2)
    if left.dims is None or right.dims is None or not left.dims or not right.dims:
        return Arr()
    if len(right.dims) == 1:
        unify(left.dims[-1], right.dims[0])
        return left.like(left.dims[:-1])
    unify(left.dims[-1], right.dims[-2])
    if len(left.dims) == 1:
        return left.like([*right.dims[:-2], right.dims[-1]])
    lead = broadcast(left.like(left.dims[:-2]), right.like(right.dims[:-2]), frozenset())
    return left.like([*(lead.dims or []), left.dims[-2], right.dims[-1]])


def given(args: list[Value], keywords: Keywords, position: int, *names: str) -> Arr | None:
    """A tensor among the arguments, by its place or one of its names."""
    value = args[position] if position < len(args) else next((keywords[n] for n in names if n in keywords), None)
    return value if isinstance(value, Arr) else None


def _matmul(args: list[Value], keywords: Keywords) -> Value:
    return matmul(args[0], args[1]) if len(args) > 1 else Value()


def _ranked(*ranks: int) -> Handler:
    def multiply(args: list[Value], keywords: Keywords) -> Value:
        arrays = [a for a in args if isinstance(a, Arr)]
        for array, rank in zip(arrays[-2:], ranks, strict=False):
            array.rank(rank)
        result = matmul(arrays[-2], arrays[-1]) if len(arrays) > 1 else Value()
        return broadcast(result, arrays[0], frozenset()) if len(arrays) == 3 and isinstance(result, Arr) else result

    return multiply


def _linear(args: list[Value], keywords: Keywords) -> Value:
    x, weight = given(args, keywords, 0, "input"), given(args, keywords, 1, "weight")
    bias = given(args, keywords, 2, "bias")
    if x is None or weight is None:
        return Value()
    weight.rank(2)
    assert weight.dims is not None
    x.set_last(weight.dims[-1])
    if bias is not None:
        bias.rank(1)
        bias.set_last(weight.dims[0])
    return x.like([*x.dims[:-1], weight.dims[0]]) if x.dims else Arr()


def _embedding(args: list[Value], keywords: Keywords) -> Value:
    index, table = given(args, keywords, 0, "input"), given(args, keywords, 1, "weight")
    if index is None or table is None:
        return Value()
    table.rank(2)
    assert table.dims is not None
    index.mark("index", table.dims[0])
    return table.like([*index.dims, table.dims[-1]]) if index.dims is not None else Arr()


def _normalised(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    shape = args[1] if len(args) > 1 else keywords.get("normalized_shape")
    known = (sizes(shape) if shape is not None else None) or []
    if x is None:
        return Value()
    x.set_last(*known)
    for vector in (given(args, keywords, 2, "weight"), given(args, keywords, 3, "bias")):
        if vector is not None:
            vector.rank(max(len(known), 1))
            vector.set_last(*(known or [x.at(-1)]))
    return x.like() if x.dims is not None else x


def _grouped(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    if x is None:
        return Value()
    channels = x.at(1)
    for vector in [v for v in [*args[1:], *keywords.values()] if isinstance(v, Arr)]:
        vector.rank(1)
        vector.set_last(channels)
    return x.like() if x.dims is not None else x


def _attention(args: list[Value], keywords: Keywords) -> Value:
    q, k, v = (given(args, keywords, i, n) for i, n in enumerate(("query", "key", "value")))
    mask = given(args, keywords, 3, "attn_mask")
    if q is None or k is None or v is None:
        return Value()
    for x in (q, k, v):
        if x.origin:
            x.rank(4)
    if q.dims is None or k.dims is None or v.dims is None:
        return Arr()
    for x, y in ((q, k), (k, v)):
        for a, b in zip((x.dims or [])[:-2], (y.dims or [])[:-2], strict=False):
            unify(a, b)
    unify(q.dims[-1], k.dims[-1])
    unify(k.dims[-2], v.dims[-2])
    if mask is not None:
        mask.mark("bool")
        mask.rank(2)
        mask.set_last(q.dims[-2], k.dims[-2])
    return q.like([*q.dims[:-1], v.dims[-1]])


def _entropy(args: list[Value], keywords: Keywords) -> Value:
    x, target = given(args, keywords, 0, "input"), given(args, keywords, 1, "target")
    reduction = keywords.get("reduction")
    if x is None or target is None:
        return Value()
    if x.origin:
        x.rank(2)
    target.mark("index", x.dims[1] if x.dims and len(x.dims) > 1 else None)
    target.rank(1)
    if x.dims and target.dims:
        unify(x.dims[0], target.dims[0])
    every = isinstance(reduction, Known) and reduction.value == "none"
    return x.like(list(target.dims or [])) if every else Arr([])


def _selected(args: list[Value], keywords: Keywords) -> Value:
    x, index = first(args, keywords), given(args, keywords, 2, "index")
    at = integer(args[1] if len(args) > 1 else keywords.get("dim"))
    if x is None or index is None or at is None:
        return Value()
    index.mark("index", x.at(at))
    index.rank(1)
    if x.dims is None or index.dims is None:
        return Arr()
    return x.like([index.dims[0] if i == at % len(x.dims) else d for i, d in enumerate(x.dims)])


def _einsum(args: list[Value], keywords: Keywords) -> Value:
    equation = args[0] if args else None
    if not isinstance(equation, Known) or not isinstance(equation.value, str) or "." in equation.value:
        return Value()
    left, _, right = equation.value.replace(" ", "").partition("->")
    arrays = args[1].items if len(args) == 2 and isinstance(args[1], Seq) else args[1:]
    letters: dict[str, Dim] = {}
    for term, array in zip(left.split(","), arrays, strict=False):
        if not isinstance(array, Arr):
            continue
        array.rank(len(term))
        for letter, dim in zip(term, array.dims or [], strict=False):
            unify(letters.setdefault(letter, dim), dim)
            dim.call(letter.upper(), 6)
    return Arr([letters.get(letter, Dim()) for letter in right])


def _outer(args: list[Value], keywords: Keywords) -> Value:
    arrays = [a for a in args if isinstance(a, Arr)]
    for array in arrays:
        array.rank(1)
    return Arr([array.at(0) for array in arrays[:2]])


def _topk(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    count = args[1] if len(args) > 1 else keywords.get("k")
    if x is None or x.dims is None or not isinstance(count, Num):
        return Seq([Arr(), Arr()])
    at = integer(args[2] if len(args) > 2 else keywords.get("dim"), -1)
    if at is not None and x.at(at).free:
        x.at(at).root().floors.append(count.dim)
    shape = [count.dim if at is not None and i == at % len(x.dims) else d for i, d in enumerate(x.dims)]
    return Seq([x.like(shape), x.like(shape, "int64")])


def _sort(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    return Seq([x.like(), x.like(dtype="int64")]) if x is not None and x.dims is not None else Seq([Arr(), Arr()])


def _arange(args: list[Value], keywords: Keywords) -> Value:
    if not args or not all(isinstance(a, Num) for a in args[:2]):
        return Arr([Dim()], "int64")
    ends = [a.dim for a in args[:2] if isinstance(a, Num)]
    whole = make("-", ends[1], ends[0]) if len(ends) > 1 else ends[0]
    step = integer(args[2]) if len(args) > 2 else 1
    return Arr([make("//", whole, Dim(step)) if step and step > 0 else Dim()], "int64")


def _convolved(rank: int) -> Handler:
    def convolve(args: list[Value], keywords: Keywords) -> Value:
        x, weight = given(args, keywords, 0, "input"), given(args, keywords, 1, "weight")
        bias = given(args, keywords, 2, "bias")
        if x is None or weight is None:
            return Value()
        x.rank(rank)
        weight.rank(rank)
        assert x.dims is not None
        assert weight.dims is not None
        if integer(keywords.get("groups"), 1) == 1 and len(args) < 7:
            unify(x.at(1), weight.at(1))
        for name, size in zip("OC", weight.dims, strict=False):
            size.call(name, 8)
        for name, size, kernel in zip(("KH", "KW", "KD"), x.dims[2:], weight.dims[2:], strict=False):
            kernel.call(name, 8)
            size.root().floors.append(kernel)
        if bias is not None:
            bias.rank(1)
            bias.set_last(weight.dims[0])
        return x.like([x.dims[0], weight.dims[0], *(Dim() for _ in x.dims[2:])])

    return convolve


TABLE: dict[str, Handler] = {
    "matmul": _matmul,
    "mm": _ranked(2, 2),
    "bmm": _ranked(3, 3),
    "mv": _ranked(2, 1),
    "dot": _ranked(1, 1),
    "addmm": _ranked(2, 2),
    "baddbmm": _ranked(3, 3),
    "linear": _linear,
    "embedding": _embedding,
    "layer_norm": _normalised,
    "rms_norm": _normalised,
    "group_norm": _grouped,
    "batch_norm": _grouped,
    "instance_norm": _grouped,
    "scaled_dot_product_attention": _attention,
    "cross_entropy": _entropy,
    "nll_loss": _entropy,
    "index_select": _selected,
    "einsum": _einsum,
    "outer": _outer,
    "ger": _outer,
    "topk": _topk,
    "sort": _sort,
    "arange": _arange,
    "conv1d": _convolved(3),
    "conv2d": _convolved(4),
    "conv3d": _convolved(5),
}
"""By name, as functions of the positional and the keyword arguments."""
