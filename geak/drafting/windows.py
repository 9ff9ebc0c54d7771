"""What a window that slides over an input leaves of its sizes: convolutions and pools."""

from __future__ import annotations

from collections.abc import Callable

from geak.drafting.dims import Dim, make
from geak.drafting.values import Arr, Known, Layer, Num, Seq, Value, integer


def convolved(layer: Layer, x: Arr, channels: Dim) -> Arr:
    """The output of a convolution."""
    assert x.dims is not None
    count = len(x.dims) - 2
    kernel, stride, padding = (each(layer.arg(i, n), count, d) for i, n, d in _CONVOLUTION[:3])
    if "Transpose" in layer.kind:
        more, dilation = each(layer.arg(5, "output_padding"), count, 0), each(layer.arg(8, "dilation"), count, 1)
        sides = zip(x.dims[2:], kernel, stride, padding, dilation, more, strict=True)
        return x.like([x.dims[0], channels, *(_spread(*side) for side in sides)])
    dilation = each(layer.arg(5, "dilation"), count, 1)
    whole = layer.arg(2, "kernel_size")
    if isinstance(whole, Num) and whole.dim.root().value is None:
        for size in x.dims[2:]:
            size.root().floors.append(whole.dim)
    sides = zip(x.dims[2:], kernel, stride, padding, dilation, strict=True)
    return x.like([x.dims[0], channels, *(_slid(*side) for side in sides)])


def pooled(layer: Layer, x: Arr, count: int) -> Arr:
    """The output of a pool over the last `count` dimensions."""
    dims = list(x.dims or [])
    if len(dims) < count:
        return Arr()
    before, over = dims[:-count], dims[-count:]
    if layer.kind.startswith("Adaptive"):
        sizes = each(layer.arg(0, "output_size"), count, None)
        return x.like([*before, *(Dim(size) for size in sizes)])
    whole = layer.arg(0, "kernel_size")
    kernel, padding = each(whole, count, None), each(layer.arg(2, "padding"), count, 0)
    given = layer.arg(1, "stride")
    stride = kernel if given is None or (isinstance(given, Known) and given.value is None) else each(given, count, 1)
    dilation = each(layer.arg(3, "dilation") if layer.kind.startswith("Max") else None, count, 1)
    for size, width in zip(over, kernel, strict=True):
        size.at_least(width or 1)  # torch asks it of some, whatever the padding
    sides = zip(over, kernel, stride, padding, dilation, strict=True)
    return x.like([*before, *(_slid(*side) for side in sides)])


_CONVOLUTION = ((2, "kernel_size", None), (3, "stride", 1), (4, "padding", 0))


def each(value: Value | None, count: int, default: int | None) -> list[int | None]:
    """A setting for each dimension; None where it is not known."""
    if value is None:
        return [default] * count
    if isinstance(value, Seq):
        return [integer(item) for item in value.items] if len(value.items) == count else [None] * count
    return [integer(value)] * count


def _slid(size: Dim, kernel: int | None, stride: int | None, padding: int | None, dilation: int | None) -> Dim:
    """How often a window fits."""
    if kernel is None or stride is None or padding is None or dilation is None or stride < 1:
        return Dim()
    reach = dilation * (kernel - 1) + 1 - 2 * padding
    return _window(_plus(_over(_plus(size, -reach), stride), 1), size, lambda n: (n - 1) * stride + reach)


def _spread(
    size: Dim, kernel: int | None, stride: int | None, padding: int | None, dilation: int | None, more: int | None
) -> Dim:
    """How far windows reach that are laid out."""
    if kernel is None or stride is None or padding is None or dilation is None or more is None or stride < 1:
        return Dim()
    rest = dilation * (kernel - 1) + 1 - 2 * padding + more - stride
    return _window(_plus(make("*", size, Dim(stride)), rest), size, lambda n: -(-(n - rest) // stride))


def _window(made: Dim, source: Dim, needed: Callable[[int], int]) -> Dim:
    if made is not source.root() and made.root().value is None:
        made.window = (source, needed)
    made.at_least(1)
    return made


def _plus(size: Dim, number: int) -> Dim:
    root = size.root()
    if root.formula is not None and root.formula[0] in "+-" and (by := root.formula[2].root().value) is not None:
        return _plus(root.formula[1], number + (by if root.formula[0] == "+" else -by))
    return make("+", size, Dim(number)) if number >= 0 else make("-", size, Dim(-number))


def _over(size: Dim, by: int) -> Dim:
    value = size.root().value
    if by == 1 or value is not None:
        return size if value is None else Dim(value // by)
    return Dim(formula=("//", size.root(), Dim(by)))  # rounded down: nothing has to divide it
