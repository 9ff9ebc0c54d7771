"""What the interpreter must compute, against torch or float64; each of these is wrong in Triton's own interpreter."""

import numpy as np
import pytest
import torch
import triton
import triton.language as tl
from triton.language.extra import libdevice

from geak_evaluator import device

N = 128
pytestmark = pytest.mark.usefixtures("gfx942")


def random(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def exactly(got: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=0, atol=0, equal_nan=True)


@triton.jit
def _binary(x, y, out, N: tl.constexpr):
    i = tl.arange(0, N)
    a, b = tl.load(x + i), tl.load(y + i)
    tl.store(out + i, a * b + b)


def test_bf16_arithmetic_rounds_after_every_operation():
    x, y = random(N, dtype=torch.bfloat16), random(N, dtype=torch.bfloat16, seed=1)
    out = torch.empty_like(x)
    _binary[(1,)](x, y, out, N)
    exactly(out, x * y + y)


@triton.jit
def _compare(x, y, out, N: tl.constexpr):
    i = tl.arange(0, N)
    a, b = tl.load(x + i), tl.load(y + i)
    c = tl.where(a < b, -a, tl.abs(b))
    c = tl.maximum(c, tl.minimum(a, b))
    tl.store(out + i, tl.clamp(c, -0.5, 1.0))


def test_bf16_comparisons_negation_and_limits():
    x, y = random(N, dtype=torch.bfloat16), random(N, dtype=torch.bfloat16, seed=1)
    out = torch.empty_like(x)
    _compare[(1,)](x, y, out, N)
    expected = torch.maximum(torch.where(x < y, -x, y.abs()), torch.minimum(x, y)).clamp(-0.5, 1.0)
    exactly(out, expected)


@triton.jit
def _clamped(x, out, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out + i, tl.clamp(tl.load(x + i), -0.5, 1.0, propagate_nan=tl.PropagateNan.ALL))


def test_bf16_clamp_that_propagates_nan():
    x = random(N, dtype=torch.bfloat16)
    x[5] = float("nan")
    out = torch.empty_like(x)
    _clamped[(1,)](x, out, N)
    exactly(out, x.clamp(-0.5, 1.0))


@triton.jit
def _reduce(x, total, largest, running, place, N: tl.constexpr):
    v = tl.load(x + tl.arange(0, N))
    tl.store(total, tl.sum(v, 0))
    tl.store(largest, tl.max(v, 0))
    tl.store(place, tl.argmax(v, 0))
    tl.store(running + tl.arange(0, N), tl.cumsum(v, 0))


def test_bf16_reductions_and_scans():
    # Small integers: every partial sum is exact in bfloat16, whatever its order.
    x = torch.randint(-1, 2, (N,), generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    x[77] = 5
    total, largest = torch.empty(1, dtype=torch.bfloat16), torch.empty(1, dtype=torch.bfloat16)
    running, place = torch.empty(N, dtype=torch.bfloat16), torch.empty(1, dtype=torch.int32)
    _reduce[(1,)](x, total, largest, running, place, N)
    assert (total.item(), largest.item(), place.item()) == (x.sum().item(), 5.0, 77)
    exactly(running, x.float().cumsum(0).bfloat16())


@triton.jit
def _product(a, b, c, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr, HOW: tl.constexpr):
    m, n, k = tl.arange(0, M), tl.arange(0, N), tl.arange(0, K)
    x = tl.load(a + m[:, None] * K + k[None, :])
    y = tl.load(b + k[:, None] * N + n[None, :])
    if HOW == "default":
        z = tl.dot(x, y)
    else:
        z = tl.dot(x, y, input_precision=HOW)
    tl.store(c + m[:, None] * N + n[None, :], z)


def product(a: torch.Tensor, b: torch.Tensor, how: str = "default", out: torch.dtype = torch.float32) -> torch.Tensor:
    c = torch.empty(a.shape[0], b.shape[1], dtype=out)
    _product[(1,)](a, b, c, *c.shape, a.shape[1], how)
    return c


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_products_accumulate_in_fp32(dtype):
    a, b = random(32, 64, dtype=dtype), random(64, 32, dtype=dtype, seed=1)
    torch.testing.assert_close(product(a, b).double(), a.double() @ b.double(), rtol=1e-5, atol=1e-5)


def test_int8_products_are_exact():
    a = torch.randint(-128, 128, (32, 64), generator=torch.Generator().manual_seed(0), dtype=torch.int8)
    b = torch.randint(-128, 128, (64, 32), generator=torch.Generator().manual_seed(1), dtype=torch.int8)
    exactly(product(a, b, out=torch.int32), (a.int() @ b.int()))


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fnuz, torch.float8_e5m2])
def test_fp8_products(dtype):
    a, b = random(32, 64).to(dtype), random(64, 32, seed=1).to(dtype)
    expected = a.to(torch.float64) @ b.to(torch.float64)
    torch.testing.assert_close(product(a, b).double(), expected, rtol=1e-5, atol=1e-5)


def tf32(x: torch.Tensor) -> torch.Tensor:
    scaled, exponent = np.frexp(x.double().numpy())
    return torch.from_numpy(np.ldexp(np.round(scaled * 2**11), exponent - 11))


@pytest.mark.parametrize(
    ("target", "how", "rounds"),
    [
        ("gfx942", "default", True),
        ("gfx942", "ieee", False),
        ("gfx942", "tf32", True),
        ("gfx950", "default", False),
        ("gfx90a", "default", False),
        ("sm_80", "default", True),
        ("sm_90", "default", True),
        ("sm_90", "ieee", False),
        ("sm_90", "tf32x3", False),
        ("sm_100", "default", True),
    ],
)
def test_fp32_products_round_their_operands_where_the_target_does(target, how, rounds):
    a, b = random(32, 64), random(64, 32, seed=1)
    with device.activate(target, compile=False):
        got = product(a, b, how).double()
    exact = a.double() @ b.double()
    expected = tf32(a) @ tf32(b) if rounds else exact
    torch.testing.assert_close(got, expected, rtol=2e-6, atol=2e-5)
    if rounds:
        assert (got - exact).abs().max() > 1e-4
        assert device.find(target).default_dot_is_tf32 or how == "tf32"


@triton.jit
def _cast(x, out, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out + i, tl.load(x + i).to(out.dtype.element_ty))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int32, torch.int8, torch.float64])
def test_casts_from_fp32(dtype):
    x = random(N) * 50
    out = torch.empty(N, dtype=dtype)
    _cast[(1,)](x, out, N)
    exactly(out, x.to(dtype))


@pytest.mark.parametrize(
    "dtype", [torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.float8_e5m2, torch.float8_e4m3fn]
)
@pytest.mark.parametrize("source", [torch.float32, torch.bfloat16, torch.float16])
def test_casts_to_fp8_round_to_nearest_even_and_saturate(dtype, source):
    x = (random(N) * 100).to(source)
    x[:3] = torch.tensor([1e4, -6e4, 6e4])
    out = torch.empty(N, dtype=dtype)
    with device.activate("gfx942", compile=False):
        _cast[(1,)](x, out, N)
    limits = torch.finfo(dtype)
    exactly(out.float(), x.float().clamp(limits.min, limits.max).to(dtype).float())
    back = torch.empty(N, dtype=source)
    with device.activate("gfx942", compile=False):
        _cast[(1,)](out, back, N)
    exactly(back, out.to(source))


@triton.jit
def _cast_down(x, out, N: tl.constexpr, HOW: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out + i, tl.load(x + i).to(out.dtype.element_ty, fp_downcast_rounding=HOW))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounding_towards_zero_when_asked(dtype, quick):
    x = random(N)
    out = torch.empty(N, dtype=dtype)
    _cast_down[(1,)](x, out, N, "rtz")
    assert (out.float().abs() <= x.abs()).all()
    nearest = x.to(dtype)
    keep = nearest.float().abs() <= x.abs()
    assert 0 < keep.sum() < N
    exactly(out[keep], nearest[keep])


@triton.jit
def _logic(x, y, out, N: tl.constexpr):
    i = tl.arange(0, N)
    a, b = tl.load(x + i), tl.load(y + i)
    both = a > 0 and b > 0
    either = a > 0 or b > 0
    tl.store(out + i, both.to(tl.int32) + 2 * either.to(tl.int32) + 4 * (not a > 0).to(tl.int32))


@pytest.mark.filterwarnings("ignore:Logical operators 'and' and 'or' are deprecated")
def test_and_or_not_are_elementwise():
    x, y = random(N), random(N, seed=1)
    out = torch.empty(N, dtype=torch.int32)
    _logic[(1,)](x, y, out, N)
    a, b = x > 0, y > 0
    exactly(out, (a & b).int() + 2 * (a | b).int() + 4 * (~a).int())


@triton.jit
def _float_argument(x, out, eps, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out + i, tl.load(x + i) + eps.to(tl.float32) * 3)


def test_a_float_argument_is_an_fp32_scalar():
    x = torch.zeros(N, dtype=torch.float64)
    out = torch.empty(N, dtype=torch.float64)
    _float_argument[(1,)](x, out, 0.1, N)
    assert out[0].item() == float(np.float32(np.float32(0.1) * np.float32(3)))


@triton.jit
def _atomic(x, out, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.atomic_add(out + i % 4, tl.load(x + i), mask=i < N - 4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.int32])
def test_atomic_add_counts_every_active_lane(dtype):
    x = torch.ones(N, dtype=dtype)
    out = torch.zeros(4, dtype=dtype)
    _atomic[(2,)](x, out, N)
    exactly(out, torch.full((4,), 2 * (N // 4 - 1), dtype=dtype))


@triton.jit
def _atomic_bf16(x, out, old):
    tl.store(old, tl.atomic_add(out, tl.load(x)))
    tl.store(old + 1, tl.atomic_add(out, tl.load(x + 1)))


def test_bf16_atomics_round_each_step_and_return_the_old_value():
    x = torch.tensor([0.3, 256.0], dtype=torch.bfloat16)
    out, old = torch.ones(1, dtype=torch.bfloat16), torch.empty(2, dtype=torch.bfloat16)
    _atomic_bf16[(1,)](x, out, old)
    first = torch.ones(1, dtype=torch.bfloat16) + x[0]
    assert old.tolist() == [1.0, first.item()]
    exactly(out, first + x[1])


@triton.jit
def _nan(x, out, N: tl.constexpr):
    i = tl.arange(0, N)
    v = tl.load(x + i)
    tl.store(out, tl.max(v, 0))
    tl.store(out + 1, tl.min(v, 0))
    tl.store(out + 2, tl.sum(tl.maximum(v, 0.0), 0))
    tl.store(out + 3, tl.sum(tl.maximum(v, 0.0, propagate_nan=tl.PropagateNan.ALL), 0))


def test_nan_is_left_out_of_max_and_min_unless_propagated():
    x = torch.arange(8, dtype=torch.float32)
    x[3] = float("nan")
    out = torch.empty(4)
    _nan[(1,)](x, out, 8)
    assert out.tolist()[:3] == [7.0, 0.0, 25.0]
    assert out[3].isnan()


def test_the_maximum_of_nothing_but_nan_is_nan():
    x = torch.full((8,), float("nan"))
    out = torch.empty(4)
    _nan[(1,)](x, out, 8)
    assert out[:2].isnan().all()


@triton.jit
def _library(x, out, N: tl.constexpr):
    i = tl.arange(0, N)
    v = tl.load(x + i)
    tl.store(out + i, libdevice.tanh(v))
    tl.store(out + N + i, libdevice.erf(v))
    tl.store(out + 2 * N + i, libdevice.pow(tl.abs(v), 1.5))
    tl.store(out + 3 * N + i, libdevice.log1p(tl.abs(v)))
    tl.store(out + 4 * N + i, libdevice.atan2(v, 2.0))
    tl.store(out + 5 * N + i, libdevice.isnan(v).to(tl.float32))
    tl.store(out + 6 * N + i, libdevice.rsqrt(tl.abs(v) + 1))
    tl.store(out + 7 * N + i, libdevice.nearbyint(v * 3))


@pytest.mark.parametrize("target", ["gfx942", "sm_90"])
def test_libdevice(target):
    x = random(N)
    out = torch.empty(8, N)
    with device.activate(target, compile=target == "gfx942"):
        _library[(1,)](x, out, N)
    expected = [
        x.tanh(),
        x.erf(),
        x.abs() ** 1.5,
        x.abs().log1p(),
        torch.atan2(x, torch.tensor(2.0)),
        torch.zeros(N),
        (x.abs() + 1).rsqrt(),
        (x * 3).round(),
    ]
    torch.testing.assert_close(out, torch.stack(expected), rtol=3e-7, atol=3e-7)


@triton.jit
def _annotated(out, N: "tl.constexpr", scale: "tl.constexpr" = 3):
    tl.store(out + tl.arange(0, N), tl.arange(0, N) * scale)


def test_annotations_may_be_strings_and_grids_lists():
    out = torch.zeros(16, dtype=torch.int32)
    _annotated[[1]](out, N=16)
    assert out.tolist() == [3 * i for i in range(16)]


@triton.jit
def _unsigned(x, out, N: tl.constexpr):
    i = tl.arange(0, N)
    v = tl.load(x + i)
    tl.store(out + i, (v >> 4) // 3 + (v > 2147483647).to(tl.uint32))
    tl.store(out + N + i, v.to(tl.int64).to(tl.uint32) // 3)


def test_unsigned_integers_stay_unsigned(quick):
    x = torch.tensor([2**32 - 1, 2**31, 5, 48], dtype=torch.uint32)
    out = torch.zeros(8, dtype=torch.uint32)
    _unsigned[(1,)](x, out, 4)
    expected = [(v >> 4) // 3 + int(v > 2**31 - 1) for v in x.tolist()]
    assert out.tolist() == expected + [v // 3 for v in x.tolist()]


@triton.jit
def _fp16(x, out, N: tl.constexpr):
    i = tl.arange(0, N)
    v = tl.load(x + i)
    tl.store(out + i, tl.math.fma(v, v, v) / 3)


def test_fp16_fma_rounds_once(quick):
    x = random(N, dtype=torch.float16)
    out = torch.empty_like(x)
    _fp16[(1,)](x, out, N)
    once = (x.double() * x.double() + x.double()).half()
    torch.testing.assert_close(out, (once.float() / 3).half(), rtol=1e-3, atol=0)


@triton.jit
def _smallest(a, b):
    if a < b:
        out = a
    else:
        out = b
    return out


@triton.jit
def _branching(x, out, N: tl.constexpr):
    v = tl.load(x + tl.arange(0, N))
    tl.store(out, tl.reduce(v, 0, _smallest))


def test_a_combine_function_may_branch(quick):
    x = random(N)
    out = torch.empty(1)
    _branching[(1,)](x, out, N)
    assert out.item() == x.min().item()


@triton.jit
def _fp8_product(a, b, c, K: tl.constexpr, MOST: tl.constexpr):
    i, k = tl.arange(0, 64), tl.arange(0, K)
    x, y = tl.load(a + i[:, None] * K + k[None, :]), tl.load(b + i[None, :] * K + k[:, None])
    tl.store(c + i[:, None] * 64 + i[None, :], tl.dot(x, y, max_num_imprecise_acc=MOST))


def _worst_of_fp8(target: str, most: int | None) -> float:
    a = (random(64, 512).abs() + 0.1).to(torch.float8_e5m2)
    b = (random(64, 512, seed=1).abs() + 0.1).to(torch.float8_e5m2)
    c = torch.empty(64, 64)
    with device.activate(target, compile=False):
        _fp8_product[(1,)](a, b, c, 512, most)
    truth = a.double() @ b.double().T
    return ((c - truth) / truth).abs().max().item()


def test_hopper_sums_products_of_fp8_in_14_bits_until_they_are_added_up():
    assert 2e-4 < _worst_of_fp8("sm_90", None) < 5e-3
    assert _worst_of_fp8("sm_90", 128) < _worst_of_fp8("sm_90", None) / 2
    assert _worst_of_fp8("sm_90", 0) < 2**-13
    assert max(_worst_of_fp8("sm_100", None), _worst_of_fp8("gfx942", None)) < 1e-6


@triton.jit
def _positions(x, y, count, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(y + i, tl.atomic_add(count + i * 0, 1))
    tl.atomic_xchg(x + i, i * 0.5)


def test_lanes_of_an_atomic_come_in_no_order_and_a_float_can_be_exchanged():
    x, y = torch.empty(8), torch.empty(2, 8, dtype=torch.int32)
    with device.activate("gfx942", compile=False) as driver:
        _positions[(1,)](x, y[0], torch.zeros(1, dtype=torch.int32), 8)
        driver.order = lambda count: range(count - 1, -1, -1)
        _positions[(1,)](x, y[1], torch.zeros(1, dtype=torch.int32), 8)
    assert y.tolist() == [list(range(8)), list(range(7, -1, -1))]
    assert x.tolist() == [i * 0.5 for i in range(8)]
