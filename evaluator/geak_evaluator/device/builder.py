"""Triton's interpreter builder with its arithmetic put right, and every memory access checked.

Triton's own builder keeps bfloat16 and fp8 as bit patterns and then computes on the patterns; it truncates where the
devices round; its matrix product knows no tf32. Here each operation on such a type is done on the values in fp32 and
rounded back, as the devices do it.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import triton.language as tl
from numpy.typing import NDArray
from triton._C.libtriton import interpreter as _memory
from triton._C.libtriton import ir
from triton.runtime import interpreter as upstream

from . import mathlib
from .bounds import Memory
from .errors import KernelAssertion, Unsupported
from .formats import FP8, decode_bf16, decode_fp8, encode_bf16, encode_fp8, float_to_int, round_bf16, round_tf32
from .reductions import Block

Array = NDArray[Any]
Handle = Any  # triton's TensorHandle
_BITWISE = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift)


def np_dtype(scalar: Any) -> np.dtype[Any]:
    """The numpy type that holds a scalar Triton type."""
    return np.dtype(upstream._get_np_dtype(scalar))


def values_of(handle: Handle) -> Array:
    """The values of a handle: itself for the types numpy has, fp32 for bfloat16 and fp8."""
    scalar = handle.dtype.scalar
    data: Array = handle.data
    if scalar == tl.bfloat16 and data.dtype == np.uint16:
        return decode_bf16(data)
    if scalar.name in FP8 and data.dtype == np.uint8:
        return decode_fp8(data, scalar.name)
    return data


def handle_of(values: Array, scalar: Any, toward_zero: bool = False) -> Handle:
    """A handle of that type from computed values, rounded to it."""
    if scalar == tl.bfloat16:
        data: Array = encode_bf16(values.astype(np.float32), toward_zero)
    elif scalar.name in FP8:
        data = encode_fp8(values, scalar.name, toward_zero)
    else:
        data = values.astype(np_dtype(scalar), copy=False)
    return upstream.TensorHandle(data, scalar)


def _is_packed(handle: Handle) -> bool:
    scalar = handle.dtype.scalar
    return not scalar.is_ptr() and (scalar == tl.bfloat16 or scalar.name in FP8)


class Builder(upstream.InterpreterBuilder):  # type: ignore[misc]
    """Computes with numpy what the compiler's builder would emit."""

    def __init__(self, options: Any, module_map: dict[str, Any], memory: Memory) -> None:
        super().__init__()
        # Overflow sanitizing only feeds device_assert, and costs four operations for every addition.
        self.options = SimpleNamespace(**{**_as_dict(options), "sanitize_overflow": False})
        self.module_map = module_map
        self.memory = memory
        self.program = 0
        self._block: Block | None = None
        self._returned: tuple[Handle, ...] = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("create_"):
            raise Unsupported(f"the interpreter has no '{name.removeprefix('create_')}'")
        raise AttributeError(name)

    def enter_program(self, number: int, x: int, y: int, z: int) -> None:
        """Start one program of the grid."""
        self.program = number
        self.grid_idx = (x, y, z)

    # -- regions of reductions and scans --

    def fill_region(self, region: Callable[[Any], None], operation: Any, arguments: list[Handle]) -> tuple[Handle, ...]:
        """Run the code that would describe a region to the compiler, on values; what it returns."""
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
        return None

    def restore_insertion_point(self, point: None) -> None:
        """Nothing is inserted anywhere here."""

    def get_void_ty(self) -> Any:
        """The type of nothing."""
        return tl.void

    # -- arithmetic --

    def binary_op(self, lhs: Handle, rhs: Handle, op: Any) -> Handle:
        """An elementwise operation of two operands, comparisons included."""
        if _is_packed(lhs) and op not in _BITWISE:
            values = np.asarray(op(values_of(lhs), values_of(rhs)))
            return handle_of(values, tl.int1 if values.dtype == np.bool_ else lhs.dtype.scalar)
        out = super().binary_op(lhs, rhs, op)
        if out.data.dtype == np.bool_ and out.dtype.scalar != tl.int1:
            return upstream.TensorHandle(out.data, tl.int1)
        return out

    def unary_op(self, arg: Handle, op: Any) -> Handle:
        """An elementwise operation of one operand."""
        return handle_of(np.asarray(op(values_of(arg))), arg.dtype.scalar)

    def create_clampf(self, arg: Handle, lo: Handle, hi: Handle, propagate_nans: Any) -> Handle:
        """Clamp; a NaN becomes a bound unless it is to be propagated."""
        x, low, high = values_of(arg), values_of(lo), values_of(hi)
        keep = propagate_nans != ir.PROPAGATE_NAN.NONE
        out = np.minimum(np.maximum(x, low), high) if keep else np.fmin(np.fmax(x, low), high)
        return handle_of(out, arg.dtype.scalar)

    def create_fma(self, x: Handle, y: Handle, z: Handle) -> Handle:
        """Multiply and add with one rounding."""
        return handle_of(mathlib.fma(values_of(x), values_of(y), values_of(z)), z.dtype.scalar)

    def create_erf(self, arg: Handle) -> Handle:
        """The error function."""
        return self.unary_op(arg, mathlib.erf)

    def create_rsqrt(self, arg: Handle) -> Handle:
        """One over the square root."""
        return self.unary_op(arg, lambda x: x.dtype.type(1) / np.sqrt(x))

    def create_extern_elementwise(
        self, lib_name: str, lib_path: str, symbol: str, args: list[Handle], ret_type: Any, is_pure: bool
    ) -> Handle:
        """A function of the device's math library."""
        out = np.asarray(mathlib.lookup(symbol)(*(values_of(a) for a in args)))
        scalar = ret_type.scalar
        # A predicate answers 0 or 1 in an int32, not a boolean.
        return upstream.TensorHandle(out.astype(np_dtype(scalar)), scalar)

    def create_inline_asm(
        self, asm: str, constraints: str, values: Any, types: Any, is_pure: bool, pack: int
    ) -> Handle:
        """Never: the assembly of a device means nothing here."""
        first = next((line.strip() for line in asm.splitlines() if line.strip()), "")
        raise Unsupported(f"the interpreter can not run inline assembly ('{first}')")

    # -- casts --

    def cast_impl(self, src: Handle, dst_type: Any) -> Handle:
        """A cast between any two scalar types, rounding to nearest even."""
        target = dst_type.scalar
        if target.is_ptr() or src.dtype.scalar.is_ptr():
            return super().cast_impl(src, dst_type)
        values = values_of(src)
        if target.is_floating():
            return handle_of(values, target)
        if values.dtype.kind == "f" and target != tl.int1:
            return upstream.TensorHandle(float_to_int(values, np_dtype(target)), target)
        return upstream.TensorHandle(values.astype(np_dtype(target)), target)

    def create_fp_to_fp(self, src: Handle, dst_type: Any, rounding_mode: Any) -> Handle:
        """A cast between floating types with a rounding mode."""
        target = dst_type.scalar
        if rounding_mode != ir.ROUNDING_MODE.RTZ:
            return self.cast_impl(src, dst_type)
        values = values_of(src)
        if target == tl.bfloat16 or target.name in FP8:
            return handle_of(values, target, toward_zero=True)
        near = values.astype(np_dtype(target))
        too_far = np.abs(near.astype(np.float64)) > np.abs(values.astype(np.float64))
        return upstream.TensorHandle(np.where(too_far, np.nextafter(near, near.dtype.type(0)), near), target)

    # -- matrix products --

    def create_dot(self, a: Handle, b: Handle, d: Handle, input_precision: Any, max_num_imprecise_acc: int) -> Handle:
        """A matrix product with the operand precision that the target was asked for."""
        x, y = values_of(a), values_of(b)
        acc = values_of(d)
        if x.dtype.kind in "iu":
            # float64 is exact for every sum of products of bytes, and much faster than numpy's integer product.
            product = np.matmul(x.astype(np.float64), y.astype(np.float64)).astype(np.int64)
            return upstream.TensorHandle((product + acc).astype(acc.dtype), d.dtype.scalar)
        if x.dtype == np.float64:
            return upstream.TensorHandle(np.matmul(x, y) + acc, d.dtype.scalar)
        x, y = x.astype(np.float32, copy=False), y.astype(np.float32, copy=False)
        if a.dtype.scalar == tl.float32:
            product = _fp32_product(x, y, input_precision)
        else:
            product = np.matmul(x, y)
        return handle_of(product + acc.astype(np.float32, copy=False), d.dtype.scalar)

    # -- memory --

    def _mask(self, mask: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        data = getattr(mask, "data", mask)  # block pointers of older versions hand over a bare array
        lanes = np.ones(shape, dtype=np.bool_) if mask is None else np.broadcast_to(np.asarray(data) != 0, shape)
        return np.ascontiguousarray(lanes)

    def _size(self, ptr: Handle) -> int:
        return max(1, int(ptr.get_element_ty().primitive_bitwidth) // 8)

    def _guard(self, action: str, ptr: Handle, mask: Any) -> tuple[Array, NDArray[np.bool_], NDArray[np.int64]]:
        pointers = np.ascontiguousarray(ptr.data)
        lanes = self._mask(mask, pointers.shape)
        place = self.memory.check(action, pointers, lanes, self._size(ptr), self.grid_idx)
        return pointers, lanes, place

    def create_masked_load(self, ptrs: Handle, mask: Any, other: Any, *policy: Any, **named: Any) -> Handle:
        """Load the active lanes; the others get `other`, or zero."""
        pointers, lanes, _ = self._guard("load", ptrs, mask)
        scalar = ptrs.get_element_ty()
        dtype = np_dtype(scalar)
        fill = np.zeros((), dtype) if other is None else getattr(other, "data", other)
        fill = np.ascontiguousarray(np.broadcast_to(fill, pointers.shape).astype(dtype, copy=False))
        return upstream.TensorHandle(_memory.load(pointers, lanes, fill, dtype), scalar)

    def create_masked_store(self, ptrs: Handle, value: Handle, mask: Any, *policy: Any, **named: Any) -> None:
        """Store the active lanes."""
        pointers, lanes, place = self._guard("store", ptrs, mask)
        data = np.ascontiguousarray(np.broadcast_to(value.data, pointers.shape))
        if data.itemsize != self._size(ptrs):
            # The lanes were checked for the pointer's type; anything wider would write past them.
            raise Unsupported(f"the interpreter can not store {data.dtype} through {ptrs.dtype}")
        if self.memory.tracks_stores and lanes.any():
            old = _memory.load(pointers, lanes, np.zeros_like(data), data.dtype)
            self.memory.note_store(pointers, data, lanes, place, old, self.program)
        _memory.store(pointers, data, lanes)

    def create_atomic_rmw(self, op: Any, ptr: Handle, val: Handle, mask: Any, sem: Any, scope: Any) -> Handle:
        """Read, modify and write the active lanes, one after the other; the old values."""
        pointers, lanes, _ = self._guard("atomic", ptr, mask)
        if not _is_packed(val):
            ptr = upstream.TensorHandle(pointers, ptr.dtype)
            val = upstream.TensorHandle(np.ascontiguousarray(np.broadcast_to(val.data, pointers.shape)), val.dtype)
            return super().create_atomic_rmw(op, ptr, val, upstream.TensorHandle(lanes, tl.int1), sem, scope)
        combine = {"FADD": np.add, "MAX": np.fmax, "MIN": np.fmin, "XCHG": lambda old, new: new}.get(op.name)
        if combine is None:
            raise Unsupported(f"the interpreter has no atomic '{op.name}' on {val.dtype.scalar}")
        scalar = val.dtype.scalar
        bits = np.broadcast_to(val.data, pointers.shape)
        old = np.zeros(pointers.shape, np_dtype(scalar))
        for index in np.ndindex(*pointers.shape):
            if lanes[index]:
                where, active = pointers[index].reshape(1), np.ones(1, dtype=np.bool_)
                was = _memory.load(where, active, np.zeros(1, old.dtype), old.dtype)
                new = upstream.TensorHandle(bits[index].reshape(1), scalar)
                result = combine(values_of(upstream.TensorHandle(was, scalar)), values_of(new))
                _memory.store(where, handle_of(np.asarray(result), scalar).data, active)
                old[index] = was[0]
        return upstream.TensorHandle(old, scalar)

    def create_atomic_cas(self, ptr: Handle, cmp: Handle, val: Handle, sem: Any, scope: Any) -> Handle:
        """Compare and swap."""
        pointers, _, _ = self._guard("atomic", ptr, None)
        shape = pointers.shape

        def full(handle: Handle) -> Handle:
            return upstream.TensorHandle(np.ascontiguousarray(np.broadcast_to(handle.data, shape)), handle.dtype)

        return super().create_atomic_cas(
            upstream.TensorHandle(pointers, ptr.dtype), full(cmp), full(val), sem, scope
        )

    # -- promises of the kernel --

    def create_assert(self, condition: Handle, message: str) -> None:
        """A device_assert of a kernel compiled with debug."""
        if not condition.data.all():
            raise KernelAssertion(f"device_assert failed: {message}")

    def create_assume(self, condition: Handle) -> None:
        """What the compiler was told to rely on must hold."""
        if not condition.data.all():
            raise KernelAssertion("tl.assume is given something false")


def _as_dict(options: Any) -> dict[str, Any]:
    known = dict(vars(upstream.InterpreterOptions()))
    known.update(vars(options) if not isinstance(options, dict) else options)
    return known


def _fp32_product(x: Array, y: Array, precision: Any) -> Array:
    name = precision.name if hasattr(precision, "name") else str(precision)
    if name == "TF32":
        return np.asarray(np.matmul(round_tf32(x), round_tf32(y)))
    if name == "BF16x3":
        # Three products of the two leading bfloat16 parts of each operand.
        x_high, y_high = round_bf16(x), round_bf16(y)
        x_low, y_low = round_bf16(x - x_high), round_bf16(y - y_high)
        small = np.matmul(x_low, y_high) + np.matmul(x_high, y_low)
        return np.asarray(small + np.matmul(x_high, y_high))
    # TF32x3 and BF16x6 recover the precision of fp32.
    return np.asarray(np.matmul(x, y))
