"""Triton's interpreter builder with its arithmetic put right.

Triton's own builder keeps bfloat16 and fp8 as bit patterns and then computes on the patterns; it truncates where the
devices round; its matrix product knows no tf32. Here each operation on such a type is done on the values in fp32 and
rounded back, as the devices do it. What older versions of that builder got wrong and newer ones do not is here too.
"""

from typing import Any

import numpy as np
import triton.language as tl
from numpy.typing import NDArray
from triton._C.libtriton import ir
from triton.runtime import interpreter as upstream

from geak_evaluator.device import mathlib
from geak_evaluator.device.errors import beyond
from geak_evaluator.device.formats import (
    FP8,
    decode_bf16,
    decode_fp8,
    encode_bf16,
    encode_fp8,
    float_to_int,
    round_bf16,
    round_tf32,
)
from geak_evaluator.device.undefined import undefined

Array = NDArray[Any]
Handle = Any  # triton's TensorHandle
# Asked for with every operation, and Triton answers from a table that it makes anew each time.
_NP_DTYPES: dict[str, np.dtype[Any]] = {}
_PACKED = frozenset(["bf16", *FP8])
_BITWISE = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift)


def np_dtype(scalar: Any) -> np.dtype[Any]:
    """The numpy type that holds a scalar Triton type."""
    name = scalar.name
    if name not in _NP_DTYPES:
        _NP_DTYPES[name] = np.dtype(upstream._get_np_dtype(scalar))
    return _NP_DTYPES[name]


def values_of(handle: Handle) -> Array:
    """The values of a handle: itself for the types numpy has, fp32 for bfloat16 and fp8."""
    scalar = handle.dtype.scalar
    data: Array = handle.data
    name = scalar.name
    if name not in _PACKED:
        return data
    if name == "bf16":
        return decode_bf16(data) if data.dtype == np.uint16 else data
    return decode_fp8(data, name) if data.dtype == np.uint8 else data


def handle_of(values: Array, scalar: Any, toward_zero: bool = False) -> Handle:
    """A handle of that type from computed values, rounded to it."""
    if scalar.name == "bf16":
        data: Array = encode_bf16(values.astype(np.float32), toward_zero)
    elif scalar.name in FP8:
        data = encode_fp8(values, scalar.name, toward_zero)
    else:
        data = values.astype(np_dtype(scalar), copy=False)
    return upstream.TensorHandle(data, scalar)


def is_packed(handle: Handle) -> bool:
    """Is the handle of a type that is kept as bit patterns."""
    return handle.dtype.scalar.name in _PACKED


class Arithmetic(upstream.InterpreterBuilder):  # type: ignore[misc]
    """The elementwise operations, casts and matrix products of the builder."""

    # -- arithmetic --

    def binary_op(self, lhs: Handle, rhs: Handle, op: Any) -> Handle:
        """An elementwise operation of two operands, comparisons included."""
        if is_packed(lhs) and op not in _BITWISE:
            values = np.asarray(op(values_of(lhs), values_of(rhs)))
            return handle_of(values, tl.int1 if values.dtype == np.bool_ else lhs.dtype.scalar)
        if lhs.data.dtype == np.bool_ and rhs.data.dtype == np.bool_:
            # int1 is an integer of one bit that wraps round; numpy's booleans saturate.
            narrow = np.asarray(op(lhs.data.astype(np.int8), rhs.data.astype(np.int8))) & 1
            return upstream.TensorHandle(narrow.astype(np.bool_), tl.int1)
        out = super().binary_op(lhs, rhs, op)
        if out.data.dtype == np.bool_ and out.dtype.scalar != tl.int1:
            return upstream.TensorHandle(out.data, tl.int1)
        return out

    def create_splat(self, ret_ty: Any, arg: Handle) -> Handle:
        """A block of one value."""
        return upstream.TensorHandle(
            np.full(ret_ty.shape, arg.data.reshape(()), dtype=arg.data.dtype), arg.dtype.scalar
        )

    def create_maxnumf(self, lhs: Handle, rhs: Handle) -> Handle:
        """The larger one, leaving out a NaN."""
        return self.binary_op(lhs, rhs, np.fmax)

    def create_minnumf(self, lhs: Handle, rhs: Handle) -> Handle:
        """The smaller one, leaving out a NaN."""
        return self.binary_op(lhs, rhs, np.fmin)

    def create_shl(self, lhs: Handle, rhs: Handle) -> Handle:
        """Shift left."""
        return _shifted(super().create_shl(lhs, rhs), lhs, rhs)

    def create_lshr(self, lhs: Handle, rhs: Handle) -> Handle:
        """Shift right, filling in zeros."""
        return _shifted(super().create_lshr(lhs, rhs), lhs, rhs)

    def create_ashr(self, lhs: Handle, rhs: Handle) -> Handle:
        """Shift right, keeping the sign; the operands stay as they are."""
        signed = np.dtype(f"i{lhs.data.itemsize}")
        shifted = np.right_shift(lhs.data.view(signed), rhs.data.astype(signed))
        return _shifted(upstream.TensorHandle(shifted.view(lhs.data.dtype), lhs.dtype.scalar), lhs, rhs)

    def create_idiv(self, lhs: Handle, rhs: Handle) -> Handle:
        """A whole quotient, rounded towards zero; by zero it is anything."""
        return undefined(super().create_idiv(lhs, rhs), rhs.data == 0)

    def create_srem(self, lhs: Handle, rhs: Handle) -> Handle:
        """What such a division leaves."""
        return undefined(super().create_srem(lhs, rhs), rhs.data == 0)

    create_urem = create_srem

    def create_gather(self, src: Handle, indices: Handle, axis: int) -> Handle:
        """Elements along an axis by their indices; one that is none there gets anything."""
        size = src.data.shape[axis]
        inside = np.clip(indices.data, 0, size - 1)
        found = np.take_along_axis(src.data, inside.astype(np.int64), axis=axis)
        return undefined(upstream.TensorHandle(found, src.dtype.scalar), indices.data != inside)

    def create_umulhi(self, lhs: Handle, rhs: Handle) -> Handle:
        """The high half of an unsigned product."""
        unsigned = np.dtype(f"u{lhs.data.itemsize}")
        high = mathlib.mulhi(lhs.data.view(unsigned), rhs.data.view(unsigned))
        return upstream.TensorHandle(high.view(lhs.data.dtype), lhs.dtype.scalar)

    def create_histogram(self, data: Handle, bins: int, mask: Any) -> Handle:
        """How often each number from 0 up to the number of bins occurs; others count nowhere."""
        keep = (data.data >= 0) & (data.data < bins)
        if mask is not None:
            keep = keep & mask.data
        counts = np.bincount(data.data[keep].astype(np.int64), minlength=bins)
        return upstream.TensorHandle(counts.astype(np.int32), tl.int32)

    def get_bf16(self, value: float) -> Handle:
        """A bfloat16 constant."""
        return handle_of(np.array([value], dtype=np.float32), tl.bfloat16)

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
        raise beyond("inline assembly", f"'{first}'")

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
            whole = upstream.TensorHandle(float_to_int(values, np_dtype(target)), target)
            return undefined(whole, _too_large(values, np_dtype(target)))
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
        total = acc.astype(np.float32, copy=False)
        if a.dtype.scalar == tl.float32:
            return handle_of(_fp32_product(x, y, input_precision) + total, d.dtype.scalar)
        if a.dtype.scalar.name in FP8 and x.shape[-2] >= 64 and self.options.max_num_imprecise_acc_default:
            return handle_of(_short_sums(x, y, total, max_num_imprecise_acc), d.dtype.scalar)
        return handle_of(np.matmul(x, y) + total, d.dtype.scalar)

    def create_dot_scaled(
        self,
        lhs: Handle,
        lhs_scale: Any,
        lhs_format: Any,
        rhs: Handle,
        rhs_scale: Any,
        rhs_format: Any,
        fast_math: bool,
        lhs_k_pack: bool,
        rhs_k_pack: bool,
        acc: Handle,
    ) -> Handle:
        """A product of blocks that share a scale; the smallest floats of 8 bits, which the stock one loses, count."""
        if not hasattr(upstream, "_prepare_dot_scaled_operand"):  # older versions
            raise beyond("the operation 'dot_scaled'")
        halves = ir.ScaleDotElemTypeTY.FP16 in (lhs_format, rhs_format)
        kind = tl.float16 if halves else tl.bfloat16
        x = _scaled(lhs, lhs_scale, lhs_format, lhs_k_pack, kind, is_rhs=False)
        y = _scaled(rhs, rhs_scale, rhs_format, rhs_k_pack, kind, is_rhs=True)
        return upstream.TensorHandle(np.matmul(x, y) + acc.data, tl.float32)


def _scaled(value: Handle, scale: Any, format: Any, packed: bool, kind: Any, *, is_rhs: bool) -> Array:
    """An operand in float32; of 4 bits, two to a byte, it is stock Triton's."""
    if format == ir.ScaleDotElemTypeTY.E2M1:
        made: Array = upstream._prepare_dot_scaled_operand(value, scale, format, packed, kind, is_rhs=is_rhs)
        return made
    data: Array = values_of(value).astype(np.float32, copy=False)
    if scale is None:
        return data
    groups = data.shape[-2 if is_rhs else -1] // scale.data.shape[-1]
    factor: Array = np.repeat(upstream._dot_scaled_scale_to_f32(scale, kind), groups, axis=-1)
    return data * (np.swapaxes(factor, -1, -2) if is_rhs else factor)


def _shifted(made: Handle, lhs: Handle, by: Handle) -> Handle:
    # Devices keep the low bits of the distance, or let everything fall out.
    if lhs.data.dtype == np.bool_:
        return made
    return undefined(made, by.data.view(f"u{by.data.itemsize}") >= lhs.data.itemsize * 8)


def _too_large(values: Array, whole: np.dtype[Any]) -> NDArray[np.bool_]:
    # Of fewer than 32 bits some devices cut the low ones off a number of 32, and others off one of 16.
    if whole.itemsize >= 4:
        return np.zeros((), np.bool_)
    limits = np.iinfo(np.int16 if whole.kind == "i" else np.uint16)
    return ~((values > float(limits.min) - 1) & (values < float(limits.max) + 1))


def _short_sums(x: Array, y: Array, total: Array, most: int) -> Array:
    """A product of 8-bit floats as Hopper's tensor cores add it up: in 14 bits, until it is added to the total.

    That is after `most` elements, or never (DeepSeek-V3's report, section 3.5.2, found the 14 bits).
    """
    length = x.shape[-1]
    part = total if most >= length else np.zeros_like(total)
    for start in range(0, length, 32):
        end = min(start + 32, length)
        part = part + np.matmul(x[..., start:end], y[..., start:end, :])
        part = (part.view(np.uint32) & np.uint32(0xFFFFFC00)).view(np.float32)
        if most < length and (end % max(most, 32) == 0 or end == length):
            total, part = total + part, np.zeros_like(total)
    return part if most >= length else total


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
