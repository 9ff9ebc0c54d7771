"""The builder that Triton's semantics talk to: arithmetic, regions as calls, and memory checked lane by lane."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import triton.language as tl
from numpy.typing import NDArray
from triton._C.libtriton import interpreter as _memory
from triton.runtime import interpreter as upstream

from geak_evaluator.device import hints
from geak_evaluator.device.arithmetic import Arithmetic, Array, Handle, handle_of, is_packed, np_dtype, values_of
from geak_evaluator.device.bounds import Memory, Place
from geak_evaluator.device.errors import KernelAssertion, Unsupported, beyond
from geak_evaluator.device.reductions import KNOWN, Block, reduced, scanned
from geak_evaluator.device.tape import Recording, Types
from geak_evaluator.device.undefined import undefined

_PATIENCE = 32
"""So often a program asks the same of memory before others get their turn."""


def _where_they_meet(name: str) -> Any:
    """An operation that may bring lanes together by way of shared memory, where each thread waits for all others."""
    operation: Any = getattr(Arithmetic, f"create_{name}", None)

    def meet(self: "Builder", *arguments: Any, **named: Any) -> Any:
        if operation is None:  # older versions have fewer
            raise beyond(f"the operation '{name}'")
        self.memory.threads.meet()
        return operation(self, *arguments, **named)

    return meet


class Builder(Arithmetic):
    """Computes with numpy what the compiler's builder would emit."""

    def __init__(self, options: Any, module_map: dict[str, Any], memory: Memory) -> None:
        super().__init__()
        # Overflow sanitizing only feeds device_assert, and costs four operations for every addition.
        self.options = SimpleNamespace(**{**_as_dict(options), "sanitize_overflow": False})
        self.module_map = module_map
        self.memory = memory
        self.program = 0
        self.types = Types()
        self._everywhere: dict[tuple[int, ...], NDArray[np.bool_]] = {}  # masks that nobody writes to
        self.recording: Recording | None = None
        self._block: Block | None = None
        self._returned: tuple[Handle, ...] = ()
        self.elsewhere: Callable[[], None] | None = None
        # What has no order is turned round as well where programs are: lanes of one store, elements that may move.
        self.turned = False
        # The lanes of one warp never wait for one another.
        self._together = np.inf if self.options.num_warps == 1 else getattr(self.options, "warp_size", 32)
        self._asked: tuple[object, ...] = ()
        self._times = 0
        # A launch that depends on those before it only where its programs say so; these have.
        self._dependent = bool(getattr(self.options, "launch_pdl", False))
        self._waited: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("create_"):
            raise beyond(f"the operation '{name.removeprefix('create_')}'")
        raise AttributeError(name)

    def enter_program(self, number: int, x: int, y: int, z: int) -> None:
        """Start one program of the grid."""
        self.program = number
        self.grid_idx = (x, y, z)
        self.memory.threads.meet()

    def _again(self, *asked: object) -> None:
        """Called for what a program waits by; one that asks the same over and over waits for another program."""
        self._times = self._times + 1 if asked == self._asked else 0
        self._asked = asked
        if self._times >= _PATIENCE and self.elsewhere is not None:
            self._times = 0
            self.elsewhere()

    @contextmanager
    def recorded(self, recording: Recording) -> Iterator[None]:
        """Note down every call that is made from outside within a with block."""
        kind = type(self)
        self.recording = recording
        self.__class__ = _recorded(kind)  # type: ignore[arg-type] # mypy wants classes to hash as their instances
        try:
            yield
        finally:
            self.__class__ = kind
            self.recording = None

    def next_turn(self) -> None:
        """Called where a loop begins its next turn; for builders that count."""

    # -- reductions and scans, and the regions of those with a combine function of the kernel's own --

    def create_reduction(self, inputs: list[Handle], axis: int, combine: str, shape: Any) -> list[Handle]:
        """A reduction with a combine function of triton.language, by its name."""
        self.memory.threads.meet()
        arrays = reduced([np.moveaxis(h.data, axis, 0) for h in inputs], KNOWN[combine])
        return [
            upstream.TensorHandle(np.array(a[0]).reshape(shape or 1), h.dtype.scalar)
            for a, h in zip(arrays, inputs, strict=True)
        ]

    def create_scanning(self, inputs: list[Handle], axis: int, combine: str, reverse: bool) -> list[Handle]:
        """A scan with a combine function of triton.language, by its name."""
        self.memory.threads.meet()
        arrays = scanned([np.moveaxis(h.data, axis, 0) for h in inputs], KNOWN[combine], reverse)
        return [
            upstream.TensorHandle(np.ascontiguousarray(np.moveaxis(a, 0, axis)), h.dtype.scalar)
            for a, h in zip(arrays, inputs, strict=True)
        ]

    def fill_region(self, region: Callable[[Any], None], operation: Any, arguments: list[Handle]) -> tuple[Handle, ...]:
        """Run the code that would describe a region to the compiler, on values; what it returns."""
        self.memory.threads.meet()
        outer = self._block
        self._block = Block(arguments)
        try:
            region(operation)
        finally:
            self._block = outer
        return self._returned

    def create_block_with_parent(self, region: Any, types: Any) -> Block | None:
        """The block whose arguments are the values now being combined."""
        return self._block

    def create_reduce_ret(self, *handles: Handle) -> None:
        """Take what the combine function returned."""
        self._returned = handles

    create_scan_ret = create_reduce_ret

    def get_insertion_point(self) -> None:
        """Nothing is inserted anywhere here."""
        return

    def restore_insertion_point(self, point: None) -> None:
        """Nothing is inserted anywhere here."""

    def get_void_ty(self) -> Any:
        """The type of nothing."""
        return tl.void

    # -- where the lanes of a program meet, or change places --

    def create_barrier(self) -> None:
        """Each thread of the program waits for all others."""
        self.memory.threads.meet()

    create_dot, create_dot_scaled, create_histogram, create_gather, create_trans, create_join, create_split = map(
        _where_they_meet, ("dot", "dot_scaled", "histogram", "gather", "trans", "join", "split")
    )

    def create_reshape(self, arg: Handle, shape: Any, allow_reorder: bool) -> Handle:
        """Another shape; where they may be reordered, the elements come in an order of any kind."""
        self.memory.threads.meet()
        made = super().create_reshape(arg, shape, allow_reorder)
        if not allow_reorder or made.data.size == 1:
            return made
        self.memory.reordered = "tl.view, or tl.reshape with can_reorder"
        return upstream.TensorHandle(np.flip(made.data), made.dtype.scalar) if self.turned else made

    def create_cat(self, lhs: Handle, rhs: Handle) -> Handle:
        """Two blocks in one, in an order of any kind: devices put the lanes' registers beside each other."""
        self.memory.reordered = "tl.cat with can_reorder"
        if not self.turned:
            return super().create_cat(lhs, rhs)
        return upstream.TensorHandle(np.stack([lhs.data, rhs.data], axis=-1).reshape(-1), lhs.dtype.scalar)

    # -- memory --

    def _threads(self, action: str, pointers: Array, lanes: Array, place: Place, size: int) -> None:
        if pointers.size > self._together:
            self.memory.note_threads(action, pointers, lanes, place, size, self.program)

    def _mask(self, mask: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        if mask is None:
            if shape not in self._everywhere:
                self._everywhere[shape] = np.ones(shape, dtype=np.bool_)
            return self._everywhere[shape]
        data = np.asarray(getattr(mask, "data", mask))  # block pointers of older versions hand over a bare array
        return _full(data if data.dtype == np.bool_ else data != 0, shape)

    def _size(self, ptr: Handle) -> int:
        return max(1, int(ptr.get_element_ty().primitive_bitwidth) // 8)

    def _guard(self, action: str, ptr: Handle, mask: Any) -> tuple[Array, NDArray[np.bool_], Place]:
        pointers = np.ascontiguousarray(ptr.data)
        lanes = self._mask(mask, pointers.shape)
        place, lanes = self.memory.check(action, pointers, lanes, self._size(ptr), self.grid_idx)
        if action != "load":
            self.memory.note_written(lanes, place)
        if self._dependent and self.program not in self._waited:
            self.memory.note_early(action, lanes, place)
        return pointers, lanes, place

    def create_masked_load(self, ptrs: Handle, mask: Any, other: Any, *policy: Any, **named: Any) -> Handle:
        """Load the active lanes; the others get `other`, or zero."""
        pointers, lanes, place = self._guard("load", ptrs, mask)
        scalar = ptrs.get_element_ty()
        dtype = np_dtype(scalar)
        if other is None:
            fill = np.zeros(pointers.shape, dtype)
        else:
            fill = _full(np.asarray(getattr(other, "data", other)), pointers.shape).astype(dtype, copy=False)
        found = _memory.load(pointers, lanes, fill, dtype)
        if self.memory.tracks_stores and lanes.any():
            self.memory.note_load(pointers, lanes, place, self._size(ptrs), self.program)
        self._threads("load", pointers, lanes, place, self._size(ptrs))
        if named.get("is_volatile") or any(one is True for one in policy):
            self.memory.note_wait(pointers, lanes, self.program)
            self._again("load", pointers.tobytes(), found.tobytes())
        else:
            self._asked = ()
        return upstream.TensorHandle(found, scalar)

    def create_masked_store(self, ptrs: Handle, value: Handle, mask: Any, *policy: Any, **named: Any) -> None:
        """Store the active lanes."""
        pointers, lanes, place = self._guard("store", ptrs, mask)
        data = _full(value.data, pointers.shape)
        if data.itemsize != self._size(ptrs):
            # The lanes were checked for the pointer's type; anything wider would write past them.
            raise Unsupported(f"the interpreter can not store {data.dtype} through {ptrs.dtype}")
        if self.memory.tracks_stores and lanes.any():
            self.memory.note_store(pointers, data, lanes, place, self.program, partial(_read, dtype=data.dtype))
        self._threads("store", pointers, lanes, place, data.itemsize)
        _memory.store(pointers, data, lanes)
        self._settle(pointers, data, lanes)
        self._asked = ()

    def _settle(self, pointers: Array, data: Array, lanes: NDArray[np.bool_]) -> None:
        """After a store: where lanes had different values for one element, either may be the one that stays."""
        bits = f"u{data.itemsize}"
        clash = lanes & (_read(pointers, data.dtype, lanes).view(bits) != data.view(bits))
        if clash.any():
            self.memory.note_clash(pointers, clash, data.itemsize, self.program)
            if self.turned:
                _memory.store(*(np.ascontiguousarray(part.reshape(-1)[::-1]) for part in (pointers, data, lanes)))

    def _atomically(self, ptr: Handle, mask: Any, val: Handle, sem: Any, scope: Any) -> tuple[Array, NDArray[np.bool_]]:
        """Before an atomic: whom it makes wait, and whom it does not."""
        pointers, lanes, place = self._guard("atomic", ptr, mask)
        self.memory.threads.meet()
        if scope.name == "CTA":
            # To other programs it is a load and a store, whatever it comes to.
            if self.memory.tracks_stores and lanes.any():
                self.memory.note_load(pointers, lanes, place, self._size(ptr), self.program)
                there = _read(pointers, val.data.dtype, lanes)
                other = np.bitwise_not(there.view(f"u{there.itemsize}"))
                read = partial(_read, dtype=other.dtype)
                self.memory.note_store(pointers, other, lanes, place, self.program, read)
        else:
            self.memory.note_wait(pointers, lanes, self.program, sem.name)
        return pointers, lanes

    def create_atomic_rmw(self, op: Any, ptr: Handle, val: Handle, mask: Any, sem: Any, scope: Any) -> Handle:
        """Read, modify and write the active lanes, one after the other in no order of theirs; the old values."""
        pointers, lanes = self._atomically(ptr, mask, val, sem, scope)
        turn = slice(None, None, -1 if self.turned else 1)

        def in_turn(data: Array) -> Array:
            return np.array(np.broadcast_to(data, pointers.shape).reshape(-1)[turn])  # which older versions write to

        at, active, new = in_turn(pointers), in_turn(lanes), in_turn(val.data)
        scalar = val.dtype.scalar
        if is_packed(val) or (op.name == "XCHG" and scalar.is_floating()):
            old = _one_by_one(op, at, active, new, scalar)
        else:
            handles = (upstream.TensorHandle(part, kind) for part, kind in ((at, ptr.dtype), (new, val.dtype)))
            old = super().create_atomic_rmw(op, *handles, upstream.TensorHandle(active, tl.int1), sem, scope).data
            self._again(op, at.tobytes(), new.tobytes(), old.tobytes())
        return undefined(upstream.TensorHandle(old[turn].reshape(pointers.shape), scalar), ~lanes)

    def create_atomic_cas(self, ptr: Handle, cmp: Handle, val: Handle, sem: Any, scope: Any) -> Handle:
        """Compare and swap."""
        pointers, lanes = self._atomically(ptr, None, val, sem, scope)
        if not lanes.all():
            raise beyond("a compare and swap that leaves out lanes")
        shape = pointers.shape

        def full(handle: Handle) -> Handle:
            return upstream.TensorHandle(np.ascontiguousarray(np.broadcast_to(handle.data, shape)), handle.dtype)

        expected, new = full(cmp), full(val)
        found = super().create_atomic_cas(upstream.TensorHandle(pointers, ptr.dtype), expected, new, sem, scope)
        self._again("CAS", pointers.tobytes(), expected.data.tobytes(), new.data.tobytes(), found.data.tobytes())
        return found

    # -- launches that begin before those before them have ended --

    def create_grid_dependency_wait(self) -> None:
        """From here on the program sees all that was launched before."""
        self._waited.add(self.program)

    def create_grid_dependency_launch_dependents(self) -> None:
        """The next launch may begin: whether it waits is its own affair."""

    def create_inline_asm(self, asm: str, constraints: str, values: Any, types: Any, is_pure: bool, pack: int) -> Any:
        """Only what older versions have these two as; no other assembly of a device means anything here."""
        instruction = asm.partition(";")[0].strip()
        known = {"griddepcontrol.wait": True, "griddepcontrol.launch_dependents": False}
        if values or instruction not in known:
            return super().create_inline_asm(asm, constraints, values, types, is_pure, pack)
        if known[instruction]:
            self.create_grid_dependency_wait()
        return _Nothing(np.zeros(1, np.int32), tl.int32)

    # -- promises of the kernel --

    def create_assert(self, condition: Handle, message: str) -> None:
        """A device_assert of a kernel compiled with debug."""
        if not condition.data.all():
            raise KernelAssertion(f"device_assert failed: {message}")

    def create_assume(self, condition: Handle) -> None:
        """What the compiler was told to rely on must hold."""
        if not condition.data.all():
            raise KernelAssertion("tl.assume is given something false")

    def create_assumed_hint(self, name: str, arg: Handle, values: list[int]) -> None:
        """The same of how numbers lie."""
        unit = self._size(arg) if arg.dtype.scalar.is_ptr() else 1
        if not hints.HOLDS[name](arg.data, values, unit):
            raise KernelAssertion(f"tl.{name} is told {values}, which is not so")


class _Nothing(upstream.TensorHandle):  # type: ignore[misc]
    """What assembly gives that is there for its effect."""

    def get_result(self, number: int) -> Handle:
        """Its only result."""
        return self


class _Recorded:
    """A builder while a pass is recorded."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if not name.startswith(("create_", "get_")):
            return value
        recording = super().__getattribute__("recording")
        if recording.depth:
            return value

        def call(*arguments: Any, **keywords: Any) -> Any:
            recording.depth += 1
            try:
                result = value(*arguments, **keywords)
            finally:
                recording.depth -= 1
            recording.note(name, arguments, keywords, result)
            return result

        return call


@cache
def _recorded(kind: type[Builder]) -> type[Builder]:
    return type(f"_Recorded{kind.__name__}", (_Recorded, kind), {})


def _one_by_one(op: Any, at: Array, active: Array, new: Array, scalar: Any) -> Array:
    """An atomic on what Triton's own interpreter knows none for; the old values."""
    combine: Any = {"FADD": np.add, "MAX": np.fmax, "MIN": np.fmin, "XCHG": lambda old, new: new}.get(op.name)
    if combine is None:
        raise beyond(f"an atomic '{op.name}' on {scalar}")
    old = np.zeros(at.shape, np_dtype(scalar))
    one = np.ones(1, dtype=np.bool_)
    for i in np.flatnonzero(active):
        where = at[i : i + 1]
        old[i : i + 1] = _read(where, old.dtype)
        was, given = (values_of(upstream.TensorHandle(part[i : i + 1], scalar)) for part in (old, new))
        _memory.store(where, handle_of(np.asarray(combine(was, given)), scalar).data, one)
    return old


def _read(where: Array, dtype: Any, lanes: Any = None) -> Array:
    """What is there now."""
    lanes = np.ones(where.shape, np.bool_) if lanes is None else lanes
    return np.asarray(_memory.load(where, lanes, np.zeros(where.shape, dtype), dtype))


def _full(data: Array, shape: tuple[int, ...]) -> Array:
    """The data in that shape, contiguous."""
    return np.ascontiguousarray(data if data.shape == shape else np.broadcast_to(data, shape))


def _as_dict(options: Any) -> dict[str, Any]:
    known = dict(vars(upstream.InterpreterOptions()))
    known.update(vars(options) if not isinstance(options, dict) else options)
    return known
