"""What changes a tensor's shape and not its values: views, transposes, joins."""

from __future__ import annotations

from collections.abc import Callable

from geak.drafting import dims
from geak.drafting.dims import Dim, unify
from geak.drafting.values import Arr, Num, Seq, Shape, Value, integer, sizes

Keywords = dict[str, Value]
Handler = Callable[[list[Value], Keywords], Value]


def axis(value: Value | None, rank: int) -> int | None:
    """The dimension that a literal `dim=` means, counted from the front."""
    number = integer(value)
    return number % rank if number is not None and -rank <= number < rank else None


def need(x: Arr, value: Value | None) -> None:
    """A literal `dim=` says how many dimensions there are at least."""
    number = integer(value)
    if number is not None:
        x.at(number)


def first(args: list[Value], keywords: Keywords) -> Arr | None:
    """The tensor that a function is about."""
    found = args[0] if args else keywords.get("input")
    return found if isinstance(found, Arr) else None


def swapped(x: Arr, i: int, j: int) -> Arr:
    """The tensor with two dimensions exchanged."""
    x.at(i)
    x.at(j)
    if x.dims is None:
        return x.made()
    order = list(x.dims)
    if not all(-len(order) <= k < len(order) for k in (i, j)):
        return Arr()
    order[i], order[j] = order[j], order[i]
    return _view(x, order)


def _view(x: Arr, shape: list[Dim]) -> Arr:
    """A view shares its storage: writing it writes the argument."""
    result = x.like(shape)
    result.origin, result.base = x.origin, x
    return result


def _transpose(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    i = integer(args[1] if len(args) > 1 else keywords.get("dim0"))
    j = integer(args[2] if len(args) > 2 else keywords.get("dim1"))
    if x is None or i is None or j is None:
        return Value()
    if x.dims is not None and max(abs(i), abs(j)) > len(x.dims):
        return Value()
    return swapped(x, i, j)


def _t(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    if x is None:
        return Value()
    x.rank(2)
    return swapped(x, -1, -2) if len(x.dims or []) == 2 else x


def _permute(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    order = args[1].items if len(args) == 2 and isinstance(args[1], Seq) else args[1:]
    if x is None or not order:
        return Value()
    x.rank(len(order))
    places = [axis(p, len(order)) for p in order]
    if x.dims is None or len(x.dims) != len(order) or None in places:
        return Value()
    return _view(x, [x.dims[p] for p in places if p is not None])


def _reshape(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    given = args[1] if len(args) == 2 and isinstance(args[1], Seq | Shape) else Seq(args[1:])
    wanted = sizes(given)
    if x is None:
        return Value()
    if wanted is None:
        return Arr()
    open_at = next((i for i, d in enumerate(wanted) if d.root().value == -1), None)
    if x.dims is None and sum(d.root().value != 1 for d in wanted) == 1 and len(wanted) > 1:
        x.rank(1)  # view(1, -1, 1): a vector laid along one dimension
    if x.dims is None:
        result = Arr([Dim() if i == open_at else d for i, d in enumerate(wanted)], x.dtype)
        result.base = x
        return result
    if open_at is not None:
        rest = [d for i, d in enumerate(wanted) if i != open_at]
        last = x.dims[-1].root() if x.dims else Dim(1)
        if open_at == 0 and len(rest) == 1 and len(x.dims) > 1 and last.free and not last.name and rest[0].free:
            unify(last, rest[0])  # view(-1, N) keeps the last dimension
        return _view(x, [dims.quotient(x.dims, rest) if i == open_at else d for i, d in enumerate(wanted)])
    old, new = list(x.dims), list(wanted)
    for end in (0, -1):  # what is equal at either end says nothing; the middle must hold the same
        while old and new and (len(old) > 1 or len(new) > 1) and (dims.same(old[end], new[end])):
            old.pop(end)
            new.pop(end)
    while len(old) > 1 and len(new) > 1 and old[0].free and new[0].free and len(old) != len(new):
        unify(old.pop(0), new.pop(0))
    if len(old) == len(new):
        for a, b in zip(old, new, strict=True):
            unify(a, b)
    elif len(old) == 1:
        unify(old[0], dims.product(new))
    elif len(new) == 1:
        unify(new[0], dims.product(old))
    return _view(x, wanted)


def _flatten(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    if x is None:
        return Value()
    start = integer(args[1] if len(args) > 1 else keywords.get("start_dim"), 0) or 0
    end = integer(args[2] if len(args) > 2 else keywords.get("end_dim"), -1)
    x.at(start)
    if x.dims is None or end is None:
        return Arr()
    rank = len(x.dims)
    start, end = start % max(rank, 1), end % max(rank, 1)
    return _view(x, [*x.dims[:start], dims.product(x.dims[start : end + 1]), *x.dims[end + 1 :]])


def _unsqueeze(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    at = integer(args[1] if len(args) > 1 else keywords.get("dim"))
    if x is None or at is None:
        return Value()
    if x.dims is None:
        return x.made(1)
    shape = list(x.dims)
    shape.insert(at % (len(shape) + 1), Dim(1))
    return _view(x, shape)


def _squeeze(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    if x is None or x.dims is None:
        return Value() if x is None else x.made(-1)
    at = axis(args[1] if len(args) > 1 else keywords.get("dim"), len(x.dims))
    return _view(x, [d for i, d in enumerate(x.dims) if i != at and (at is not None or d.root().value != 1)])


def _expand(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    wanted = sizes(args[1] if len(args) == 2 else Seq(args[1:]))
    if x is None or wanted is None:
        return Value()
    if x.dims is None:
        return Arr()
    shape = [x.dims[i - len(wanted)] if d.root().value == -1 and len(wanted) - i <= len(x.dims) else d
             for i, d in enumerate(wanted)]  # fmt: skip
    for have, want in zip(reversed(x.dims), reversed(shape), strict=False):
        if have.root().value != 1:
            unify(have, want)
    return x.like(shape)


def _repeat_interleave(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    count = args[1] if len(args) > 1 else keywords.get("repeats")
    if x is None or x.dims is None:
        return Arr()
    at = axis(args[2] if len(args) > 2 else keywords.get("dim"), len(x.dims))
    if at is None or not isinstance(count, Num):
        return Value()
    return x.like([dims.make("*", d, count.dim) if i == at else d for i, d in enumerate(x.dims)])


def _cat(args: list[Value], keywords: Keywords) -> Value:
    parts = args[0].items if args and isinstance(args[0], Seq) else []
    arrays = [p for p in parts if isinstance(p, Arr)]
    at = integer(args[1] if len(args) > 1 else keywords.get("dim", keywords.get("axis")), 0) or 0
    known = next((p for p in arrays if p.dims is not None), None)
    if known is None or known.dims is None:
        return arrays[0].made() if arrays else Arr()
    rank, total = len(known.dims), Dim(0)
    for part in arrays:
        part.rank(rank)
        for i, (a, b) in enumerate(zip(known.dims, part.dims or [], strict=False)):
            if i != at % rank:
                unify(a, b)
        total = dims.make("+", total, part.at(at))
    return known.like([total if i == at % rank else d for i, d in enumerate(known.dims)])


def _stack(args: list[Value], keywords: Keywords) -> Value:
    parts = args[0].items if args and isinstance(args[0], Seq) else []
    at = integer(args[1] if len(args) > 1 else keywords.get("dim"), 0) or 0
    known = next((p for p in parts if isinstance(p, Arr) and p.dims is not None), None)
    if not isinstance(known, Arr) or known.dims is None:
        return Arr()
    shape = list(known.dims)
    shape.insert(at % (len(shape) + 1), Dim(len(parts)))
    return known.like(shape)


def _chunk(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    count = integer(args[1] if len(args) > 1 else keywords.get("chunks"))
    at = integer(args[2] if len(args) > 2 else keywords.get("dim"), 0) or 0
    if x is None or count is None or not 0 < count < 65:
        return Value()
    x.at(at)
    if x.dims is None:
        return Seq([x.made() for _ in range(count)])
    part = dims.make("//", x.at(at), Dim(count))
    return Seq([x.like([part if i == at % len(x.dims) else d for i, d in enumerate(x.dims)]) for _ in range(count)])


def _split(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    at = integer(args[2] if len(args) > 2 else keywords.get("dim"), 0) or 0
    size = args[1] if len(args) > 1 else Value()
    if x is None:
        return Value()
    x.at(at)
    if isinstance(size, Num):
        whole = x.at(at)
        if whole.free and size.dim.root().formula is None:
            return Value()
        count = dims.make("//", whole, size.dim).root().value
        parts = [size.dim] * count if count and count < 65 else []
    else:
        parts = sizes(size) or []
        if parts:
            total = Dim(0)
            for part in parts:
                total = dims.make("+", total, part)
            unify(x.at(at), total)
    if x.dims is None:
        return Seq([x.made() for _ in parts])
    return Seq([x.like([p if i == at % len(x.dims) else d for i, d in enumerate(x.dims)]) for p in parts])


def _unbind(args: list[Value], keywords: Keywords) -> Value:
    x = first(args, keywords)
    at = integer(args[1] if len(args) > 1 else keywords.get("dim"), 0) or 0
    if x is None or x.dims is None:
        return Value()
    count = x.at(at).root().value
    rest = [d for i, d in enumerate(x.dims) if i != at % len(x.dims)]
    return Seq([x.like(rest) for _ in range(count)]) if count and count < 65 else Value()


TABLE: dict[str, Handler] = {
    "transpose": _transpose,
    "swapaxes": _transpose,
    "t": _t,
    "permute": _permute,
    "view": _reshape,
    "reshape": _reshape,
    "flatten": _flatten,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "expand": _expand,
    "repeat_interleave": _repeat_interleave,
    "cat": _cat,
    "concat": _cat,
    "concatenate": _cat,
    "stack": _stack,
    "chunk": _chunk,
    "split": _split,
    "unbind": _unbind,
}
"""By name, as functions of the positional and the keyword arguments."""
