"""Operations that look up what they are told where to find: by numbers along a dimension, at places, in windows."""

from __future__ import annotations

from geak.drafting import windows
from geak.drafting.dims import Dim, unify
from geak.drafting.products import given
from geak.drafting.values import Arr, Layer, Value, integer, sizes
from geak.drafting.views import Handler, Keywords, first


def _gathered(args: list[Value], keywords: Keywords) -> Value:
    x, index = first(args, keywords), given(args, keywords, 2, "index")
    if not _along(x, index, args, keywords):
        return Value()
    assert x is not None
    assert index is not None
    return x.like(index.dims) if index.dims is not None else Arr()


def _scattered(args: list[Value], keywords: Keywords) -> Value:
    x, index, source = first(args, keywords), given(args, keywords, 2, "index"), given(args, keywords, 3, "src")
    if not _along(x, index, args, keywords):
        return Value()
    assert x is not None
    assert index is not None
    if source is not None and index.dims is not None:
        source.rank(len(index.dims))
        for a, b in zip(source.dims or [], index.dims, strict=False):
            unify(a, b)
    return x.like()


def _along(x: Arr | None, index: Arr | None, args: list[Value], keywords: Keywords) -> bool:
    """Says of an index what it stays below, and that all other sizes are the tensor's."""
    at = integer(args[1] if len(args) > 1 else keywords.get("dim"))
    if x is None or index is None or at is None:
        return False
    index.mark("index", x.at(at))
    if x.dims is not None:
        index.rank(len(x.dims))
        for i, (a, b) in enumerate(zip(x.dims, index.dims or [], strict=False)):
            if i != at % len(x.dims):
                unify(a, b)
    return True


def _affine(args: list[Value], keywords: Keywords) -> Value:
    """Places for an image of a size, by a matrix of two rows each; volumes are not read."""
    matrix, size = first(args, keywords), args[1] if len(args) > 1 else keywords.get("size")
    wanted = sizes(size) if size is not None else None
    if matrix is None or wanted is None or len(wanted) != 4:
        return Arr()
    matrix.rank(3)
    matrix.set_last(Dim(2), Dim(3))
    unify(matrix.at(0), wanted[0])
    return matrix.like([wanted[0], *wanted[2:], Dim(2)])


def _sampled(args: list[Value], keywords: Keywords) -> Value:
    x, grid = first(args, keywords), given(args, keywords, 1, "grid")
    if x is None or grid is None:
        return Value()
    if x.dims is None and grid.dims is None:
        x.rank(4)
    count = len(x.dims or grid.dims or [])
    x.rank(count)
    grid.rank(count)
    if x.dims is None or grid.dims is None or len(x.dims) != len(grid.dims) or count < 4:
        return Arr()
    grid.set_last(Dim(count - 2))
    unify(x.dims[0], grid.dims[0])
    return x.like([*x.dims[:2], *grid.dims[1:-1]])


def _pooled(kind: str, count: int) -> Handler:
    def handle(args: list[Value], keywords: Keywords) -> Value:
        x = first(args, keywords)
        if x is None:
            return Value()
        x.rank(count + 2)
        return windows.pooled(Layer(kind, args[1:], keywords), x, count)

    return handle


_POOLS = {
    f"{kind}{count}d": _pooled(f"{layer}Pool{count}d", count)
    for kind, layer in (("max_pool", "Max"), ("avg_pool", "Avg"), ("adaptive_avg_pool", "AdaptiveAvg"))
    for count in (1, 2, 3)
}
TABLE: dict[str, Handler] = {
    **_POOLS,
    "gather": _gathered,
    "take_along_dim": _gathered,
    "scatter": _scattered,
    "scatter_add": _scattered,
    "scatter_reduce": _scattered,
    "affine_grid": _affine,
    "grid_sample": _sampled,
}
"""By name, as functions of the positional and the keyword arguments."""
