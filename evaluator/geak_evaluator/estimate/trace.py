"""Counting what a launch asks for while its programs are interpreted: an observer for the device's interpreter.

Values are of no account here, only where they steer: floats are not loaded but are zero, products are not computed.
Integers and booleans are, since addresses, masks and loops follow from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import triton.language as tl
from numpy.typing import NDArray
from triton.runtime import interpreter as upstream

from geak_evaluator.device.arithmetic import Handle, np_dtype
from geak_evaluator.device.bounds import Memory
from geak_evaluator.device.builder import Builder
from geak_evaluator.estimate.sampling import PROGRAMS, Sample, Sectors, chosen, scaled, unique
from geak_evaluator.schema.estimate import Traffic, Work

SECTOR, LINE = 32, 128
_LEAST = 4
"""How many programs are looked at, however dear: causal masks and tails make the first and the last unlike others."""
_CALL = 8000
"""What one call costs, in elements: deciding is dearer than computing."""
ENOUGH = 6_000_000
"""Elements computed with, after which no further program of a launch is begun; the calibration counted no more."""
TOO_MANY = 40_000_000
"""Elements after which a program is given up."""


class TooLong(Exception):
    """A program that takes longer to count than its estimate is worth."""


class Observer:
    """What is seen of one launch."""

    def __init__(
        self,
        kernel: str,
        grid: tuple[int, int, int],
        most: int = PROGRAMS,
        *,
        enough: int = ENOUGH,
        too_many: int = TOO_MANY,
    ) -> None:
        self._kernel, self._grid, self._most = kernel, grid, most
        self._enough, self._too_many = enough, too_many
        self._samples: list[Sample] = []
        self._trouble = ""
        self.counting: Counting | None = None

    def programs(self, count: int) -> Iterator[int]:
        """All of them where they are few, else the first, the last, and some between."""
        assert self.counting is not None
        for number in chosen(count, self._most):
            if len(self._samples) >= _LEAST and self.counting.cost > self._enough:
                self._trouble = f"{len(self._samples)} of its {count} programs were looked at"
                return
            self.counting.begin(number)
            yield number
            self._samples.append(self.counting.end())

    def builder(self, options: Any, module_map: dict[str, Any], memory: Memory) -> Builder:
        """The builder that counts."""
        self.counting = Counting(options, module_map, memory, self._too_many)
        return self.counting

    def stopped(self, why: str) -> None:
        """The launch came to an end before its time."""
        self._trouble = why

    def work(self) -> Work:
        """What the launch asks for, scaled up from the programs that were run."""
        if not self._samples:
            return Work(self._kernel, self._grid, trouble=self._trouble or "no program of it could be looked at")
        count = self._grid[0] * self._grid[1] * self._grid[2]
        assert self.counting is not None
        total = scaled([sample.counts for sample in self._samples], count)
        regions = [(start - start % LINE, end - start % LINE) for start, end in self.counting.memory.extents]
        moved = {}
        for way, touched in (
            ("read", [sample.read for sample in self._samples]),
            ("written", [sample.written for sample in self._samples]),
        ):
            moved[way] = Traffic(
                asked=total[f"{way} asked"],
                sectors=total[f"{way} sectors"],
                lines=total[f"{way} lines"],
                own=SECTOR * total[f"{way} own"],
                unique=SECTOR * unique(touched, regions, count),
            )
        return Work(
            kernel=self._kernel,
            grid=self._grid,
            traced=len(self._samples),
            most_written=float(SECTOR * max(sample.counts["written own"] for sample in self._samples)),
            products=total["products"] / count,
            tile=total["tiles"] / total["products"] if total["products"] else 0.0,
            dots={key[4:]: value for key, value in total.items() if key.startswith("dot ")},
            vector=total["vector"],
            special=total["special"],
            integer=total["integer"],
            atomics=total["atomics"],
            lanes=total["lanes"],
            masked=total["masked"],
            turns=total["turns"] / count,
            longest=max(sample.counts["turns"] for sample in self._samples),
            steps=total["steps"] / count,
            trouble=self._trouble,
            **moved,
        )


class Counting(Builder):
    """The interpreter's builder, with a tally of what it is asked to do."""

    def __init__(self, options: Any, module_map: dict[str, Any], memory: Memory, too_many: int) -> None:
        super().__init__(options, module_map, memory)
        self.cost, self._too_many = 0, too_many
        self._shifts = [np.uint64(start % LINE) for start, _ in memory.extents]
        self._zeros: dict[tuple[Any, tuple[int, ...]], NDArray[Any]] = {}
        self.begin(0)

    def begin(self, number: int) -> None:
        """A program begins."""
        self._number = number
        self._counts: Counter[str] = Counter()
        self._read: list[Sectors] = []
        self._written: list[Sectors] = []
        self._waiting: dict[int, Handle] = {}  # what follows from loads since the program last waited
        self._first_cost = self.cost

    def end(self) -> Sample:
        """The program ends."""
        self._wait()
        read, written = (_union(parts) for parts in (self._read, self._written))
        self._counts["read own"] = len(read)
        self._counts["written own"] = len(written)
        return Sample(self._number, self._counts, read, written)

    # -- waiting for memory --

    def next_turn(self) -> None:
        """The next turn's loads are issued once this turn's are used."""
        if len(self._waiting) > self._loaded:
            self._wait()

    def _wait(self) -> None:
        if self._waiting:
            self._counts["turns"] += 1
            self._waiting.clear()
        self._loaded = 0

    _loaded = 0
    """How many of those that wait are loads themselves: with no more, nothing was computed from them."""

    def _follows(self, result: Handle, *inputs: Any) -> Handle:
        if self._waiting and any(id(one) in self._waiting for one in inputs):
            self._waiting[id(result)] = result
        return result

    def _meets(self, *inputs: Any) -> None:
        """The program goes on only when it has these."""
        if any(id(one) in self._waiting for one in inputs):
            self._wait()

    def _spend(self, elements: int) -> None:
        self.cost += elements + _CALL
        if self.cost - self._first_cost > self._too_many:
            raise TooLong("one program of it is too long to be counted here")

    # -- memory --

    def _guard(self, action: str, ptr: Handle, mask: Any) -> Any:
        self._meets(ptr, mask)
        pointers, lanes, place = super()._guard(action, ptr, mask)
        active = pointers.reshape(-1) if lanes.all() else pointers[lanes]
        size = self._size(ptr)
        # A device's storages begin at a line; here they may not.
        sectors = _sectors(active - self._shifts[place] if isinstance(place, int) else active, size)
        for way in {"load": ("read",), "store": ("written",)}.get(action, ("read", "written")):
            self._counts[f"{way} asked"] += active.size * size
            self._counts[f"{way} sectors"] += len(sectors)
            self._counts[f"{way} lines"] += len(_distinct(sectors >> np.uint64(2)))
            (self._read if way == "read" else self._written).append(sectors)
        self._counts["lanes"] += pointers.size
        self._counts["masked"] += pointers.size - active.size
        self._counts["atomics"] += active.size * (action == "atomic")
        self._spend(4 * pointers.size)
        return pointers, lanes, place

    def create_masked_load(self, ptrs: Handle, mask: Any, other: Any, *policy: Any, **named: Any) -> Handle:
        """Count it; of floats no value is needed."""
        scalar = ptrs.get_element_ty()
        if scalar.is_floating() and ptrs.data.size > 1:
            self._guard("load", ptrs, mask)
            result = upstream.TensorHandle(self._blank(np_dtype(scalar), ptrs.data.shape), scalar)
        else:
            result = super().create_masked_load(ptrs, mask, other, *policy, **named)
        self._waiting[id(result)] = result
        self._loaded += 1
        return result

    def create_masked_store(self, ptrs: Handle, value: Handle, mask: Any, *policy: Any, **named: Any) -> None:
        """Count it; of floats no value is kept."""
        if ptrs.get_element_ty().is_floating():
            self._guard("store", ptrs, mask)
        else:
            super().create_masked_store(ptrs, value, mask, *policy, **named)

    def _blank(self, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        key = (dtype, shape)
        if key not in self._zeros:
            self._zeros[key] = np.zeros(shape, dtype)
        return self._zeros[key]

    # -- arithmetic --

    def _tally(self, kind: str, result: Handle, *inputs: Handle) -> Handle:
        if result.data.size > 1:
            self._counts[kind] += result.data.size
        self._spend(result.data.size)
        return self._follows(result, *inputs)

    def binary_op(self, lhs: Handle, rhs: Handle, op: Any) -> Handle:
        """An elementwise operation of two operands."""
        if not lhs.dtype.scalar.is_floating():
            kind = "integer"
        else:
            kind = "special" if op in (np.divide, np.true_divide, np.fmod) else "vector"
        return self._tally(kind, super().binary_op(lhs, rhs, op), lhs, rhs)

    def unary_op(self, arg: Handle, op: Any) -> Handle:
        """An elementwise operation of one operand."""
        kind = "vector" if op in (np.floor, np.ceil, np.abs) else "special"
        return self._tally(kind, super().unary_op(arg, op), arg)

    def ternary_op(self, lhs: Handle, rhs: Handle, other: Handle, op: Any) -> Handle:
        """A choice between two, for each lane."""
        result = super().ternary_op(lhs, rhs, other, op)
        kind = "vector" if result.dtype.scalar.is_floating() else "integer"
        return self._tally(kind, result, lhs, rhs, other)

    def create_fma(self, x: Handle, y: Handle, z: Handle) -> Handle:
        """One instruction."""
        return self._tally("vector", super().create_fma(x, y, z), x, y, z)

    def create_extern_elementwise(self, *arguments: Any) -> Handle:
        """A function of the device's math library."""
        return self._tally("special", super().create_extern_elementwise(*arguments), *arguments[3])

    def cast_impl(self, src: Handle, dst_type: Any) -> Handle:
        """A cast."""
        floats = src.dtype.scalar.is_floating() or dst_type.scalar.is_floating()
        return self._tally("vector" if floats else "integer", super().cast_impl(src, dst_type), src)

    def create_assume(self, *promise: Any) -> None:
        """Of values that are not there nothing can be asked."""

    def create_assumed_hint(self, *promise: Any) -> None:
        """The same."""

    def create_addptr(self, ptr: Handle, offset: Handle) -> Handle:
        """An address."""
        return self._tally("integer", super().create_addptr(ptr, offset), ptr, offset)

    # -- where the warps of a program meet --

    def create_dot(self, a: Handle, b: Handle, d: Handle, input_precision: Any, max_num_imprecise_acc: int) -> Handle:
        """Count the product, and go on with the sum as it was."""
        return self._product(_operands(a, input_precision), a, b, d)

    def create_dot_scaled(self, a: Handle, a_scale: Any, a_format: Any, b: Handle, *rest: Any) -> Handle:
        """The same, of operands with scales."""
        result = super().create_dot_scaled(a, a_scale, a_format, b, *rest)
        self._counts[f"dot {str(a_format).rsplit('.', 1)[-1].lower()}"] += 2 * result.data.size * a.data.shape[-1]
        self._counts["products"] += 1
        self._counts["tiles"] += result.data.size
        return result

    def _product(self, name: str, a: Handle, b: Handle, d: Handle) -> Handle:
        self._counts[f"dot {name}"] += 2 * d.data.size * a.data.shape[-1]
        self._counts["products"] += 1
        self._counts["tiles"] += d.data.size
        self._joins(a.data.size + b.data.size + d.data.size, a, b, d)
        return upstream.TensorHandle(d.data, d.dtype.scalar)

    def create_reduction(self, inputs: list[Handle], axis: int, combine: str, shape: Any) -> list[Handle]:
        """A reduction by a function that is known."""
        self._counts["vector"] += sum(handle.data.size for handle in inputs)
        self._joins(2 * inputs[0].data.size, *inputs)
        return super().create_reduction(inputs, axis, combine, shape)

    def create_scanning(self, inputs: list[Handle], axis: int, combine: str, reverse: bool) -> list[Handle]:
        """A scan by a function that is known."""
        self._counts["vector"] += 2 * sum(handle.data.size for handle in inputs)
        self._joins(4 * inputs[0].data.size, *inputs)
        return super().create_scanning(inputs, axis, combine, reverse)

    def fill_region(self, region: Any, operation: Any, arguments: list[Handle]) -> tuple[Handle, ...]:
        """One round of a reduction by a function of the kernel's own."""
        self._joins(0, *arguments)
        return super().fill_region(region, operation, arguments)

    def _joins(self, elements: int, *inputs: Handle) -> None:
        self._counts["steps"] += 1
        self._meets(*inputs)
        if self._waiting:
            self._wait()  # it was issued before the warps meet
        self._spend(elements)


def _passed_on(name: str) -> Any:
    """A change of shape: what follows from it follows from what it changes."""
    original = getattr(Builder, name)

    def change(self: Counting, arg: Handle, *rest: Any, **named: Any) -> Any:
        result = original(self, arg, *rest, **named)
        for handle in result if isinstance(result, tuple) else (result,):
            self._follows(handle, arg)
        return result

    change.__name__ = name
    return change


for _name in ("create_expand_dims", "create_broadcast", "create_reshape", "create_trans", "create_bitcast"):
    setattr(Counting, _name, _passed_on(_name))


def _operands(a: Handle, precision: Any) -> str:
    scalar = a.dtype.scalar
    name = getattr(precision, "name", str(precision)).lower()
    if scalar == tl.float32:
        return "tf32" if name.startswith("tf32") else "bf16" if name.startswith("bf16") else "fp32"
    return "fp8" if scalar.name.startswith("fp8") else str(scalar.name)


def _sectors(addresses: NDArray[np.uint64], size: int) -> Sectors:
    """The sectors of these addresses, each once, in order."""
    flat = addresses.reshape(-1) >> np.uint64(5)
    if size > SECTOR or not flat.size:
        return _distinct(np.sort(flat))
    keep = np.empty(flat.shape, np.bool_)
    keep[0] = True
    np.not_equal(flat[1:], flat[:-1], out=keep[1:])
    few = flat[keep]
    return few if (few[1:] > few[:-1]).all() else _distinct(np.sort(few))


def _distinct(ordered: Sectors) -> Sectors:
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if ordered.size else ordered


def _union(parts: list[Sectors]) -> Sectors:
    if not parts:
        return np.zeros(0, np.uint64)
    return parts[0] if len(parts) == 1 else _distinct(np.sort(np.concatenate(parts)))
