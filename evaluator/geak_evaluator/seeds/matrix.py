"""Products, convolutions and attention where Inductor would call a library: loops of its own that feed `tl.dot`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sympy  # type: ignore[import-untyped]
import torch
from torch._inductor import config, ir
from torch._inductor.choices import InductorChoices
from torch._inductor.codegen.simd import SIMDKernel
from torch._inductor.lowering import broadcast_tensors, lowerings, make_pointwise, make_reduction
from torch._inductor.virtualized import V, ops
from torch.utils._sympy.functions import FloorDiv, Mod

aten = torch.ops.aten

DOTS = hasattr(config.triton, "native_matmul")
"""Whether this Inductor writes products with `tl.dot`; where not, they are multiplied and summed."""


@contextlib.contextmanager
def taken_over(*, wide: bool = False) -> Iterator[None]:
    """Lets Inductor lower products and convolutions to kernels of its own, for the length of a with block.

    With `wide` a product that a later kernel reads stays in fp32 between the two.
    """
    own: dict[Any, Callable[..., Any]] = {
        aten.mm: _product(wide),
        aten.bmm: _product(wide),
        aten.addmm: lambda *args, **kwargs: _added(aten.mm, *args, **kwargs),
        aten.baddbmm: lambda *args, **kwargs: _added(aten.bmm, *args, **kwargs),
        torch.ops.geak.convolution: _convolution,
    }
    mended = {name: lower for packet, lower in own.items() for name in (packet, packet.default)}
    before = {name: lowerings.get(name) for name in mended}
    lowerings.update(mended)
    try:
        with V.set_choices_handler(_Choices()), config.patch({"triton.native_matmul": True} if DOTS else {}):
            yield
    finally:
        for name, lower in before.items():
            if lower is None:
                del lowerings[name]
            else:
                lowerings[name] = lower


class _Choices(InductorChoices):
    @staticmethod
    def should_use_persistent_reduction(features: Any, cooperative_reduction: bool) -> bool:
        """Products walk over their depth in blocks: a whole row of both operands need not fit."""
        if any(_is_dot(node) for node in features.node_schedule):
            return False
        return InductorChoices.should_use_persistent_reduction(features, cooperative_reduction)

    @staticmethod
    def can_fuse(scheduler: Any, node1: Any, node2: Any, shared_data_score: int) -> bool:
        """What joins a product must fit its tiles, which Inductor asks of reductions alone."""
        fits = _fits_tiles(node1, node2) and _fits_tiles(node2, node1)
        return fits and InductorChoices.can_fuse(scheduler, node1, node2, shared_data_score)


def _fits_tiles(product: Any, other: Any) -> bool:
    for node in filter(_is_dot, product.get_nodes()):
        tile, depth = node.get_ranges()
        whole = sympy.prod(depth)
        for joins in other.get_nodes():
            same = not joins.is_reduction() and joins.group[1][0] == node.group[1][0]
            if same and not SIMDKernel.is_compatible((*tile, whole), joins.get_ranges(), whole):
                return False
    return True


def _is_dot(node: Any) -> bool:
    buffer = getattr(node, "node", None)
    return isinstance(buffer, ir.ComputedBuffer) and buffer.get_reduction_type() == "dot"


def _has_dot(a: Any, b: Any) -> bool:
    if not DOTS:
        return False
    from torch._inductor.kernel.mm_common import use_native_matmul

    return bool(use_native_matmul(a, b))  # type: ignore[no-untyped-call]


def _product(wide: bool) -> Callable[..., Any]:
    def product(a: Any, b: Any, out_dtype: Any = None, **_: Any) -> Any:
        dtype, depth = out_dtype or a.get_dtype(), len(a.get_size()) - 1
        pair = lowerings[aten.unsqueeze](a, -1), lowerings[aten.unsqueeze](b, -3)
        if not _has_dot(a, b):
            # Vectors, and numbers that no `tl.dot` takes: each product by itself, and their sum.
            return lowerings[aten.sum](lowerings[aten.mul](*pair), [depth], dtype=dtype)
        operands = [make_pointwise(_as(box.get_dtype()))(box) for box in broadcast_tensors(*pair)]
        kept = torch.float32 if wide and dtype.is_floating_point else dtype
        sums = make_reduction("dot", override_return_dtype=kept)(make_pointwise(ops.dot)(*operands), depth)
        return sums if kept == dtype else lowerings[torch.ops.prims.convert_element_type](sums, dtype)

    return product


def _as(dtype: Any) -> Callable[[Any], Any]:
    return lambda value: ops.to_dtype(value, dtype, use_compute_types=False)


def _added(product: Any, to: Any, a: Any, b: Any, *, beta: Any = 1, alpha: Any = 1, **_: Any) -> Any:
    found = lowerings[product](a, b)
    if alpha != 1:
        found = lowerings[aten.mul](found, alpha)
    if beta == 0:
        return found
    return lowerings[aten.add](found, to if beta == 1 else lowerings[aten.mul](to, beta))


def _convolution(
    x: Any,
    weight: Any,
    bias: Any,
    stride: Sequence[Any],
    padding: Sequence[Any],
    dilation: Sequence[Any],
    transposed: bool,
    groups: Any,
    out: Sequence[Any],
) -> Any:
    """A product of the filters with the patches under them, which are gathered as they are multiplied."""
    dims = len(weight.get_size()) - 2
    alone = len(x.get_size()) == dims + 1
    if alone:
        x = lowerings[aten.unsqueeze](x, 0)
    groups, out = sympy.sympify(groups), [sympy.sympify(size) for size in out]
    kernel = weight.get_size()[2:]
    window = _Window(stride, padding, dilation, transposed, x.get_size()[2:], kernel)
    channels = FloorDiv(x.get_size()[1], groups)
    filters = weight.get_size()[1] if transposed else FloorDiv(weight.get_size()[0], groups)
    for operand in (x, weight):
        if not _moves_alone(operand):
            operand.realize()  # it is read once for each tap and each tile of filters
    read_x, read_weight = x.make_loader(), weight.make_loader()

    def patch(at: Sequence[Any]) -> Any:
        image, group, channel = at[:3]
        place, inside = window.place(at[3 : 3 + dims], at[3 + dims :])

        def read() -> Any:
            return read_x([image, group * channels + channel, *place])

        return read() if inside is None else ops.masked(inside(), read, 0.0)

    def filter(at: Sequence[Any]) -> Any:
        _, group, number, channel, *tap = at
        if transposed:
            return read_weight([group * channels + channel, number, *tap])
        return read_weight([group * filters + number, channel, *tap])

    images = x.get_size()[0]
    patches = _pointwise(x, patch, [images, groups, channels, *kernel, *out])
    all_filters = _pointwise(weight, filter, [images, groups, filters, channels, *kernel])
    depth, spots = sympy.prod([channels, *kernel]), sympy.prod(out)
    view = lowerings[aten.view]
    if channels == 1 and filters == 1:  # a matrix of one row would leave a matrix unit idle
        wide = view(all_filters, [images * groups, depth, 1]), view(patches, [images * groups, depth, spots])
        y = lowerings[aten.sum](lowerings[aten.mul](*wide), [1], keepdims=True)
    else:
        y = lowerings[aten.bmm](
            view(all_filters, [images * groups, filters, depth]), view(patches, [images * groups, depth, spots])
        )
    if bias is not None:  # in the product's own shape, whose tiles it has to fit
        rows = lowerings[aten.expand](view(bias, [1, groups, filters]), [images, groups, filters])
        y = lowerings[aten.add](y, view(rows, [images * groups, filters, 1]))
    y = view(y, [images, groups * filters, *out])
    return lowerings[aten.squeeze](y, 0) if alone else y


_MOVES = {"load", "masked", "constant", "index_expr", "to_dtype", "and_", "eq", "ge", "gt", "le", "lt"}


def _moves_alone(box: Any) -> bool:
    """Whether a tensor is but another arrangement of what is in memory, as after a padding."""
    inner = box.data
    while isinstance(inner, ir.BaseView):
        inner = inner.data
    inner = getattr(inner, "data", None)
    return isinstance(inner, ir.Pointwise) and set(inner.inner_fn_opcount().used_ops) <= _MOVES


class _Window:
    """Where a filter's taps lie for a spot of the output, dimension by dimension."""

    def __init__(
        self,
        stride: Sequence[Any],
        padding: Sequence[Any],
        dilation: Sequence[Any],
        transposed: bool,
        sizes: Sequence[Any],
        kernel: Sequence[Any],
    ) -> None:
        self._dims = [
            tuple(map(sympy.sympify, one)) for one in zip(stride, padding, dilation, sizes, kernel, strict=True)
        ]
        self._transposed = transposed

    def place(self, taps: Sequence[Any], spots: Sequence[Any]) -> tuple[list[Any], Callable[[], Any] | None]:
        """The indices of what is read, and the test whether that is inside of the image; None where it always is."""
        place, tests = [], []
        for tap, spot, (stride, padding, dilation, size, kernel) in zip(taps, spots, self._dims, strict=True):
            if self._transposed:
                at = spot + padding - tap * dilation
                tests.append((ops.ge, at, sympy.S.Zero))
                # No remainder is taken of what may be below 0: nobody agrees what it is.
                shift = dilation * (kernel - 1)
                if stride != 1:
                    tests.append((ops.eq, Mod(at + stride * shift, stride), sympy.S.Zero))
                at = FloorDiv(at + stride * shift, stride) - shift
                tests.append((ops.lt, at, size))
            else:
                at = spot * stride + tap * dilation - padding
                if padding != 0:
                    tests += [(ops.ge, at, sympy.S.Zero), (ops.lt, at, size)]
            place.append(at)

        def inside() -> Any:
            found = None
            for test, left, right in tests:
                holds = test(ops.index_expr(left, torch.int64), ops.index_expr(right, torch.int64))
                found = holds if found is None else ops.and_(found, holds)
            return found

        return place, inside if tests else None


def _pointwise(like: Any, read: Callable[[Sequence[Any]], Any], ranges: Sequence[Any]) -> Any:
    return ir.Pointwise.create(device=like.get_device(), dtype=like.get_dtype(), inner_fn=read, ranges=list(ranges))
