"""tl.reduce and tl.associative_scan with the kernel's own combine function, run on many elements at once."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import triton.language as tl
from numpy.typing import NDArray
from triton.language.semantic import TritonSemantic
from triton.runtime.interpreter import TensorHandle

Array = NDArray[Any]
Arrays = list[Array]
Combine = Callable[[Arrays, Arrays], Arrays]


class TruthOfMany(Exception):
    """A combine function branches on a value that here stands for many elements."""


class _Operation:
    """Stands where the compiler has a reduce operation whose region is being filled."""

    def get_region(self, index: int) -> None:
        return None


class Block:
    """Stands where the compiler has the block of a region: the arguments are values instead of names."""

    def __init__(self, handles: list[Any]) -> None:
        self.handles = handles

    def arg(self, index: int) -> Any:
        """The value of one argument."""
        return self.handles[index]


def _arg_extreme(better: Any) -> Combine:
    def combine(left: Arrays, right: Arrays) -> Arrays:
        (v1, i1), (v2, i2) = left, right
        take = better(v1, v2) | ((v1 == v2) & (i1 < i2))
        return [np.where(take, v1, v2), np.where(take, i1, i2)]

    return combine


# The combine functions of triton.language, said in numpy: the same arithmetic, without visiting their source each
# time. fmax and fmin because tl.maximum and tl.minimum leave a NaN out unless told to propagate it.
KNOWN: dict[str, Combine] = {
    "_sum_combine": lambda left, right: [left[0] + right[0]],
    "_prod_combine": lambda left, right: [left[0] * right[0]],
    "_elementwise_max": lambda left, right: [np.fmax(left[0], right[0])],
    "_elementwise_min": lambda left, right: [np.fmin(left[0], right[0])],
    "_xor_combine": lambda left, right: [left[0] ^ right[0]],
    "_or_combine": lambda left, right: [left[0] | right[0]],
    "_argmax_combine_tie_break_left": _arg_extreme(np.greater),
    "_argmin_combine_tie_break_left": _arg_extreme(np.less),
}
_PLAIN = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "fp16", "fp32", "fp64")


def _known(region: Any, types: list[Any]) -> str:
    """The name of a combine function that is said in numpy here; empty if it is another."""
    cells = dict(zip(region.__code__.co_freevars, region.__closure__ or (), strict=True))
    cell = cells.get("combine_fn")
    function: Any = cell.cell_contents if cell is not None else None
    if getattr(function, "__module__", "") != "triton.language.standard" or any(t.name not in _PLAIN for t in types):
        return ""
    return function.__name__ if function.__name__ in KNOWN else ""


def reduced(arrays: Arrays, combine: Combine) -> Arrays:
    """Each array reduced along its first axis to one entry; its length is a power of two.

    Lanes meet as they do on a device, which has no order: a function that does not commute gives something else.
    """
    while (half := arrays[0].shape[0] // 2) > 0:
        arrays = combine([a[half:] for a in arrays], [a[:half] for a in arrays])
    return arrays


def scanned(arrays: Arrays, combine: Combine, reverse: bool) -> Arrays:
    """Each array scanned along its first axis, doubling the reach with every step."""
    arrays = [a[::-1] for a in arrays] if reverse else arrays
    reach = 1
    while reach < arrays[0].shape[0]:
        merged = combine([a[:-reach] for a in arrays], [a[reach:] for a in arrays])
        arrays = [np.concatenate([a[:reach], m]) for a, m in zip(arrays, merged, strict=True)]
        reach *= 2
    return [a[::-1] for a in arrays] if reverse else arrays


class Semantic(TritonSemantic):  # type: ignore[misc]
    """Triton's own semantics, with reductions and scans done here instead of described for the compiler."""

    def _combiner(self, region: Any, types: list[Any]) -> Combine:
        def run(left: Arrays, right: Arrays) -> Arrays:
            # The builder hands these out as the arguments of the region that the next call fills.
            arguments = [TensorHandle(a, t) for a, t in zip([*left, *right], [*types, *types], strict=True)]
            results = self.builder.fill_region(region, _Operation(), arguments)
            return [np.broadcast_to(np.asarray(r.data), left[0].shape) for r in results]

        def one_by_one(left: Arrays, right: Arrays) -> Arrays:
            out = [np.array(a) for a in left]
            for index in np.ndindex(left[0].shape):
                parts = run([a[index].reshape(1) for a in left], [a[index].reshape(1) for a in right])
                for place, part in zip(out, parts, strict=True):
                    place[index] = part[0]
            return out

        def combine(left: Arrays, right: Arrays) -> Arrays:
            try:
                return run(left, right)
            except TruthOfMany:
                return one_by_one(left, right)

        return combine

    def reduction(self, inputs: Sequence[Any], axis: int | None, region_builder_fn: Any) -> tuple[Any, ...]:
        """Reduce along an axis."""
        if axis is None:
            inputs = tuple(self.reshape(t, [t.handle.data.size], can_reorder=False) for t in inputs)
            axis = 0
        types = [t.type.scalar for t in inputs]
        shape = [s for i, s in enumerate(inputs[0].type.shape) if i != axis]
        if known := _known(region_builder_fn, types):
            handles = self.builder.create_reduction([t.handle for t in inputs], axis, known, shape)
            return tuple(self.wrap_tensor(h, t, shape) for h, t in zip(handles, types, strict=True))
        arrays = reduced(
            [np.moveaxis(t.handle.data, axis, 0) for t in inputs], self._combiner(region_builder_fn, types)
        )
        return tuple(
            self.wrap_tensor(TensorHandle(np.array(a[0]).reshape(shape or 1), t), t, shape)
            for a, t in zip(arrays, types, strict=True)
        )

    def associative_scan(
        self, inputs: Sequence[Any], axis: int, region_builder_fn: Any, reverse: bool
    ) -> tuple[Any, ...]:
        """Scan along an axis."""
        types = [t.type.scalar for t in inputs]
        shape = inputs[0].type.shape
        if known := _known(region_builder_fn, types):
            handles = self.builder.create_scanning([t.handle for t in inputs], axis, known, bool(reverse))
            return tuple(self.wrap_tensor(h, t, shape) for h, t in zip(handles, types, strict=True))
        arrays = scanned(
            [np.moveaxis(t.handle.data, axis, 0) for t in inputs], self._combiner(region_builder_fn, types), reverse
        )
        return tuple(
            self.wrap_tensor(TensorHandle(np.ascontiguousarray(np.moveaxis(a, 0, axis)), t), t, shape)
            for a, t in zip(arrays, types, strict=True)
        )

    def _promised(self, name: str, x: Any, values: Sequence[int]) -> Any:
        self.builder.create_assumed_hint(name, x.handle, list(values))
        return x

    def multiple_of(self, x: Any, values: Any) -> Any:
        """A promise to the compiler."""
        return self._promised("multiple_of", x, values)

    def max_contiguous(self, x: Any, values: Any) -> Any:
        """A promise to the compiler."""
        return self._promised("max_contiguous", x, values)

    def max_constancy(self, x: Any, values: Any) -> Any:
        """A promise to the compiler."""
        return self._promised("max_constancy", x, values)

    def map_scalars(self, function: Callable[..., Any], tensors: Sequence[Any]) -> Any:
        """Apply a scalar function to every element; one tensor, or a tuple of them."""
        inputs = self.broadcast_tensors(*tensors)
        shape = inputs[0].type.shape

        def run(index: Any) -> list[Any]:
            scalars = []
            for t in inputs:
                data = t.handle.data if index is None else t.handle.data[index].reshape(1)
                scalars.append(tl.tensor(TensorHandle(data, t.type.scalar), t.type.scalar))
            result = function(*scalars)
            return [result] if isinstance(result, tl.tensor) else list(result)

        try:
            results = run(None)
            data = [np.broadcast_to(r.handle.data, shape) for r in results]
        except TruthOfMany:
            each = [run(index) for index in np.ndindex(*shape)]
            results = each[0]
            data = [
                np.concatenate([r[k].handle.data.reshape(1) for r in each]).reshape(shape) for k in range(len(results))
            ]
        out = [
            self.wrap_tensor(TensorHandle(d, r.type.scalar), r.type.scalar, shape)
            for d, r in zip(data, results, strict=True)
        ]
        return out[0] if len(out) == 1 else tuple(out)
