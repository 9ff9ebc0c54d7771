"""Kernels of the usual kinds, each compiled for gfx942 and then interpreted, against torch."""

import numpy as np
import pytest
import torch
import triton
import triton.language as tl
from triton.runtime.interpreter import InterpreterBuilder

pytestmark = pytest.mark.usefixtures("gfx942")


def random(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@triton.jit
def _add(x, y, out, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    tl.store(out + i, tl.load(x + i, mask=mask) + tl.load(y + i, mask=mask), mask=mask)


@pytest.mark.parametrize("n", [1, 255, 256, 1000])
def test_vector_add_with_a_masked_tail(n):
    x, y = random(n), random(n, seed=1)
    out = torch.full((n,), 7.0)
    _add[(triton.cdiv(n, 256),)](x, y, out, n, BLOCK=256)
    torch.testing.assert_close(out, x + y, rtol=0, atol=0)


@triton.jit
def _softmax(x, out, n, stride, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    i = tl.arange(0, BLOCK)
    v = tl.load(x + row * stride + i, mask=i < n, other=-float("inf"))
    e = tl.exp(v - tl.max(v, axis=0))
    tl.store(out + row * stride + i, e / tl.sum(e, axis=0), mask=i < n)


def test_softmax():
    x = random(8, 100)
    out = torch.empty_like(x)
    _softmax[(8,)](x, out, 100, x.stride(0), BLOCK=128)
    torch.testing.assert_close(out, x.softmax(1))


@triton.jit
def _mean_and_rest(v, mask, n):
    mean = tl.sum(v, axis=1) / n
    rest = tl.where(mask, v - mean[:, None], 0.0)
    return mean, rest


@triton.jit
def _layernorm(x, w, b, out, rows, n, eps, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    r = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    i = tl.arange(0, BLOCK)[None, :]
    mask = (r < rows) & (i < n)
    v = tl.load(x + r * n + i, mask=mask, other=0.0).to(tl.float32)
    _, rest = _mean_and_rest(v, mask, n)
    scale = 1 / tl.sqrt(tl.sum(rest * rest, axis=1) / n + eps)
    y = rest * scale[:, None] * tl.load(w + i, mask=i < n) + tl.load(b + i, mask=i < n)
    tl.store(out + r * n + i, y.to(out.dtype.element_ty), mask=mask)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_layernorm_by_a_nested_function(dtype):
    x, w, b = random(5, 60, dtype=dtype), random(60, seed=1), random(60, seed=2)
    out = torch.empty_like(x)
    _layernorm[(2,)](x, w, b, out, 5, 60, 1e-5, ROWS=4, BLOCK=64)
    expected = torch.nn.functional.layer_norm(x.float(), (60,), w, b, 1e-5)
    torch.testing.assert_close(out.float(), expected, rtol=1e-5 if dtype == torch.float32 else 2e-3, atol=2e-3)


@triton.jit
def _matmul(a, b, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr):
    rows, columns = tl.cdiv(M, BM), tl.cdiv(N, BN)
    pid_m, pid_n = tl.swizzle2d(tl.program_id(0) // columns, tl.program_id(0) % columns, rows, columns, GROUP)
    m, n = pid_m * BM + tl.arange(0, BM), pid_n * BN + tl.arange(0, BN)
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    a_at, b_at = a + m[:, None] * K + tl.arange(0, BK)[None, :], b + tl.arange(0, BK)[:, None] * N + n[None, :]
    for k in range(tl.cdiv(K, BK)):
        left = K - k * BK
        x = tl.load(a_at, mask=(m[:, None] < M) & (tl.arange(0, BK)[None, :] < left), other=0.0)
        y = tl.load(b_at, mask=(tl.arange(0, BK)[:, None] < left) & (n[None, :] < N), other=0.0)
        acc += tl.dot(x, y)
        a_at += BK
        b_at += BK * N
    tl.store(c + m[:, None] * N + n[None, :], acc.to(c.dtype.element_ty), mask=(m[:, None] < M) & (n[None, :] < N))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_matmul_in_tiles(dtype):
    a, b = random(50, 40, dtype=dtype), random(40, 70, dtype=dtype, seed=1)
    c = torch.empty(50, 70, dtype=dtype)
    _matmul[(6,)](a, b, c, 50, 70, 40, BM=32, BN=32, BK=16, GROUP=2)
    tolerance = {torch.float16: 2e-3, torch.bfloat16: 1e-2, torch.float32: 5e-3}[dtype]
    torch.testing.assert_close(c.double(), a.double() @ b.double(), rtol=tolerance, atol=tolerance)


@triton.jit
def _order(x, ordered, place, tops, N: tl.constexpr):
    i = tl.arange(0, N)
    v = tl.load(x + i)
    tl.store(ordered + i, tl.sort(v))
    tl.store(place, tl.argmax(v, 0))
    tl.store(place + 1, tl.argmin(v, 0))
    tl.store(tops + tl.arange(0, 4), tl.topk(v, 4))
    tl.store(ordered + N + i, tl.flip(v, 0))


def test_sort_topk_flip_and_argmax():
    x = random(64)
    ordered, place, tops = torch.empty(2, 64), torch.empty(2, dtype=torch.int32), torch.empty(4)
    _order[(1,)](x, ordered, place, tops, 64)
    torch.testing.assert_close(ordered, torch.stack([x.sort().values, x.flip(0)]), rtol=0, atol=0)
    assert place.tolist() == [x.argmax().item(), x.argmin().item()]
    torch.testing.assert_close(tops, x.topk(4).values, rtol=0, atol=0)


def test_argmax_takes_the_leftmost_of_equals():
    x = torch.zeros(64)
    x[[9, 30, 50]] = 3.0
    x[[4, 5]] = -3.0
    place = torch.empty(2, dtype=torch.int32)
    _order[(1,)](x, torch.empty(2, 64), place, torch.empty(4), 64)
    assert place.tolist() == [9, 4]


@triton.jit
def _affine(a1, b1, a2, b2):
    return a1 * a2, b1 * a2 + b2


@triton.jit
def _scan(a, b, out, total, R: tl.constexpr, N: tl.constexpr, BACK: tl.constexpr):
    at = tl.arange(0, R)[:, None] * N + tl.arange(0, N)[None, :]
    _, h = tl.associative_scan((tl.load(a + at), tl.load(b + at)), 1, _affine, reverse=BACK)
    tl.store(out + at, h)
    _, q = tl.reduce((tl.load(a + at), tl.load(b + at)), 1, _affine)
    tl.store(total + tl.arange(0, R), q)


@pytest.mark.parametrize("back", [False, True])
def test_a_scan_keeps_its_order_and_a_reduction_has_none(back):
    # The lanes of a device meet crosswise: 0 with 16, then with 8.
    a, b = random(2, 16), random(2, 16, seed=1)
    out, total = torch.empty(2, 16), torch.empty(2)
    _scan[(1,)](a, b, out, total, 2, 16, back)
    h, expected = torch.zeros(2, dtype=torch.float64), torch.empty(2, 16, dtype=torch.float64)
    for i in reversed(range(16)) if back else range(16):
        h = h * a[:, i] + b[:, i]
        expected[:, i] = h
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-5)
    assert not torch.isclose(total.double(), expected[:, 0 if back else -1], rtol=1e-5, atol=1e-5).any()


@triton.jit
def _cumulative(x, sums, products, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(sums + i, tl.cumsum(tl.load(x + i), 0))
    tl.store(sums + N + i, tl.cumsum(tl.load(x + i), 0, reverse=True))
    tl.store(products + i, tl.cumprod(tl.load(x + i), 0))


def test_cumulative_sums_and_products():
    x = torch.randint(1, 4, (16,), generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    sums, products = torch.empty(2, 16, dtype=torch.int32), torch.empty(16, dtype=torch.int32)
    _cumulative[(1,)](x, sums, products, 16)
    assert sums.tolist() == [x.cumsum(0).tolist(), x.flip(0).cumsum(0).flip(0).tolist()]
    assert products.tolist() == x.cumprod(0).tolist()


@triton.jit
def _locked(lock, total, x):
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    tl.store(total, tl.load(total) + tl.load(x + tl.program_id(0)))
    tl.atomic_xchg(lock, 0)


def test_a_spin_lock_by_compare_and_swap():
    x, lock, total = random(8), torch.zeros(1, dtype=torch.int32), torch.zeros(1)
    _locked[(8,)](lock, total, x)
    torch.testing.assert_close(total[0], x.sum())
    assert lock.item() == 0


@triton.jit
def _atomics(out, x, N: tl.constexpr):
    i = tl.arange(0, N)
    v = tl.load(x + i)
    same = tl.zeros((N,), tl.int32)
    tl.atomic_max(out + same, v)
    tl.atomic_min(out + 1 + same, v)
    tl.atomic_or(out + 2 + same, v)
    tl.atomic_xor(out + 3 + same, v)
    tl.atomic_and(out + 4 + same, v)


def test_integer_atomics():
    x = torch.randint(-50, 50, (32,), generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    out = torch.tensor([0, 0, 0, 0, -1], dtype=torch.int32)
    _atomics[(1,)](out, x, 32)
    numbers = x.numpy()
    expected = [numbers.max(), numbers.min(), np.bitwise_or.reduce(numbers), np.bitwise_xor.reduce(numbers)]
    assert out.tolist() == [*map(int, expected), int(np.bitwise_and.reduce(numbers))]


@triton.jit
def _float_atomics(out, x, N: tl.constexpr):
    v = tl.load(x + tl.arange(0, N))
    tl.atomic_max(out + tl.zeros((N,), tl.int32), v)
    tl.atomic_min(out + 1 + tl.zeros((N,), tl.int32), v)


def test_float_atomic_max_and_min():
    x, out = random(32), torch.zeros(2)
    _float_atomics[(1,)](out, x, 32)
    assert out.tolist() == [x.max().item(), x.min().item()]


@triton.jit
def _chain(x, out, N: tl.constexpr):
    i = tl.arange(0, N)
    v = tl.load(x + i)
    y = tl.where(v > 1, 2.0, tl.where(v > 0, v * v, tl.where(v > -1, -v, 0.5)))
    tl.store(out + i, y)


def test_chains_of_where():
    x = random(64)
    out = torch.empty_like(x)
    _chain[(1,)](x, out, 64)
    expected = torch.where(x > 1, 2.0, torch.where(x > 0, x * x, torch.where(x > -1, -x, torch.tensor(0.5))))
    torch.testing.assert_close(out, expected, rtol=0, atol=0)


@triton.jit
def _newton(x, out, steps, limit):
    v = tl.load(x + tl.program_id(0))
    guess = v
    n = 0
    while (n < steps) and (tl.abs(guess * guess - v) > limit):
        guess = (guess + v / guess) / 2
        n += 1
    tl.store(out + tl.program_id(0), guess)


def test_a_while_loop_that_depends_on_the_data():
    x = random(5).abs() + 0.1
    out = torch.empty_like(x)
    _newton[(5,)](x, out, 50, 1e-6)
    torch.testing.assert_close(out, x.sqrt(), rtol=1e-5, atol=1e-5)


@triton.jit
def _early(x, out, n):
    pid = tl.program_id(0)
    if pid >= n:
        return
    v = tl.load(x + pid)
    v = v if v > 0 else -v
    if v > 1:
        tl.store(out + pid, 1.0)
    elif v > 0.5:
        tl.store(out + pid, 0.5)
    else:
        tl.store(out + pid, 0.0)


def test_branches_and_an_early_return():
    x = random(16)
    out = torch.full((16,), 9.0)
    _early[(16,)](x, out, 12)
    size = x.abs()
    expected = torch.where(size > 1, 1.0, torch.where(size > 0.5, 0.5, 0.0))
    expected[12:] = 9.0
    torch.testing.assert_close(out, expected, rtol=0, atol=0)


@triton.jit
def _twice(x):
    return x + x


@triton.jit
def _apply(x, function: tl.constexpr, times: tl.constexpr):
    for _ in tl.static_range(times):
        x = function(x)
    return x


@triton.jit
def _nested(x, out, N: tl.constexpr, FUNCTION: tl.constexpr):
    half: tl.constexpr = N // 2
    i = tl.arange(0, half)
    tl.store(out + i, _apply(tl.load(x + i), FUNCTION, 3))
    tl.store(out + half + i, tl.load(x + half + i).sum().to(tl.float32) + tl.zeros((half,), tl.float32))


def test_nested_functions_passed_as_constants():
    x = torch.arange(16, dtype=torch.float32)
    out = torch.empty_like(x)
    _nested[(1,)](x, out, 16, _twice)
    assert out.tolist() == [8.0 * v for v in range(8)] + [float(sum(range(8, 16)))] * 8


@triton.jit
def _grid(out):
    x, y, z = tl.program_id(0), tl.program_id(1), tl.program_id(axis=2)
    at = (x * tl.num_programs(1) + y) * tl.num_programs(2) + z
    tl.store(out + at, 100 * x + 10 * y + z)


@pytest.mark.parametrize("grid", [(3,), (2, 3), (2, 3, 4)])
def test_grids_of_one_two_and_three_dimensions(grid):
    full = (*grid, 1, 1)[:3]
    out = torch.full(full, -1, dtype=torch.int32)
    _grid[grid](out)
    expected = [[[100 * x + 10 * y + z for z in range(full[2])] for y in range(full[1])] for x in range(full[0])]
    assert out.tolist() == expected


@triton.jit
def _described(x, out, M, N, BM: tl.constexpr, BN: tl.constexpr):
    source = tl.make_tensor_descriptor(x, shape=[M, N], strides=[N, 1], block_shape=[BM, BN])
    goal = tl.make_tensor_descriptor(out, shape=[M, N], strides=[N, 1], block_shape=[BM, BN])
    at = tl.program_id(0) * BM
    goal.store([at, 0], source.load([at, 0]) * 2)


def test_tensor_descriptors_made_in_the_kernel():
    x = random(10, 16)
    out = torch.zeros(10, 16)
    _described[(3,)](x, out, 10, 16, 4, 16)
    torch.testing.assert_close(out, x * 2, rtol=0, atol=0)


@triton.jit
def _host_described(source, goal, BM: tl.constexpr):
    at = tl.program_id(0) * BM
    goal.store([at, 0], source.load([at, 0]) + 1)


def test_tensor_descriptors_made_by_the_host():
    from triton.tools.tensor_descriptor import TensorDescriptor

    x, out = random(10, 16), torch.zeros(10, 16)
    _host_described[(3,)](TensorDescriptor.from_tensor(x, [4, 16]), TensorDescriptor.from_tensor(out, [4, 16]), 4)
    torch.testing.assert_close(out, x + 1, rtol=0, atol=0)


@triton.jit
def _blocked(x, out, N: tl.constexpr):
    at = tl.make_block_ptr(x, shape=(N,), strides=(1,), offsets=(0,), block_shape=(N,), order=(0,))
    tl.store(out + tl.arange(0, N), tl.load(at) + 1)


def test_block_pointers_do_what_this_triton_says_of_them():
    x, out = random(16), torch.empty(16)
    if tuple(int(part) for part in triton.__version__.split(".")[:2]) >= (3, 9):
        with pytest.raises(triton.CompilationError, match="make_block_ptr"):
            _blocked[(1,)](x, out, 16)
    else:
        _blocked[(1,)](x, out, 16)
        torch.testing.assert_close(out, x + 1, rtol=0, atol=0)


@triton.jit
def _tuples(pair, sizes, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(pair[1] + i, tl.load(pair[0] + i) * sizes[0] + sizes[1])


def test_tuples_as_arguments():
    x, out = random(16), torch.empty(16)
    _tuples[(1,)]((x, out), (3, 2.5), 16)
    torch.testing.assert_close(out, x * 3 + 2.5)


@triton.jit
def _shapes(x, out, N: tl.constexpr):
    at = tl.arange(0, N)[:, None] * N + tl.arange(0, N)[None, :]
    v = tl.load(x + at)
    a, b = tl.split(tl.reshape(v, (N, N // 2, 2)))
    joined = tl.reshape(tl.join(b, a), (N, N))
    tl.store(out + at, tl.trans(joined) + v.T)


def test_split_join_reshape_and_transpose():
    x, out = random(8, 8), torch.empty(8, 8)
    _shapes[(1,)](x, out, 8)
    torch.testing.assert_close(out, x.reshape(8, 4, 2).flip(2).reshape(8, 8).T + x.T, rtol=0, atol=0)


@triton.jit
def _counted(x, out, picked, N: tl.constexpr, BINS: tl.constexpr):
    v = tl.load(x + tl.arange(0, N))
    tl.store(out + tl.arange(0, BINS), tl.histogram(v, BINS))
    tl.store(picked + tl.arange(0, N), tl.gather(v, (tl.arange(0, N) + 1) % N, 0))


def test_histogram_and_gather():
    x = torch.randint(0, 8, (32,), generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    out, picked = torch.empty(8, dtype=torch.int32), torch.empty(32, dtype=torch.int32)
    _counted[(1,)](x, out, picked, 32, 8)
    assert out.tolist() == torch.bincount(x, minlength=8).tolist()
    assert picked.tolist() == x.roll(-1).tolist()


@triton.jit
def _dropout(x, out, seed, p, N: tl.constexpr):
    i = tl.arange(0, N)
    keep = tl.rand(seed, i) > p
    tl.store(out + i, tl.where(keep, tl.load(x + i) / (1 - p), 0.0))


def test_random_numbers_are_the_devices_philox():
    x = torch.ones(1024)
    out, again = torch.empty(1024), torch.empty(1024)
    _dropout[(1,)](x, out, 7, 0.25, 1024)
    _dropout[(1,)](x, again, 7, 0.25, 1024)
    assert torch.equal(out, again)
    assert 0.7 < (out != 0).float().mean().item() < 0.8


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_kernel_in_a_closure():
    scale = tl.constexpr(5)

    @triton.jit
    def kernel(out, N: tl.constexpr):
        tl.store(out + tl.arange(0, N), tl.arange(0, N) * scale)

    out = torch.empty(4, dtype=torch.int32)
    kernel[(1,)](out, 4)
    assert out.tolist() == [0, 5, 10, 15]


@triton.jit
def _attention(q, k, v, out, n, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, CAUSAL: tl.constexpr):
    m, d = tl.program_id(0) * BM + tl.arange(0, BM), tl.arange(0, D)
    base = tl.program_id(1) * n * D
    rows = tl.load(q + base + m[:, None] * D + d[None, :], mask=m[:, None] < n, other=0.0)
    top = tl.full((BM,), -float("inf"), tl.float32)
    total = tl.zeros((BM,), tl.float32)
    acc = tl.zeros((BM, D), tl.float32)
    end = tl.minimum((tl.program_id(0) + 1) * BM, n) if CAUSAL else n
    for start in range(0, end, BN):
        j = start + tl.arange(0, BN)
        keys = tl.load(k + base + j[None, :] * D + d[:, None], mask=j[None, :] < n, other=0.0)
        scores = tl.dot(rows, keys) * scale
        seen = j[None, :] < n
        if CAUSAL:
            seen = seen & (j[None, :] <= m[:, None])
        scores = tl.where(seen, scores, -float("inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        p = tl.exp(scores - higher[:, None])
        shrink = tl.exp(top - higher)
        values = tl.load(v + base + j[:, None] * D + d[None, :], mask=j[:, None] < n, other=0.0)
        acc = acc * shrink[:, None] + tl.dot(p.to(values.dtype), values)
        total = total * shrink + tl.sum(p, 1)
        top = higher
    tl.store(out + base + m[:, None] * D + d[None, :], (acc / total[:, None]).to(out.dtype.element_ty), m[:, None] < n)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_with_a_loop_as_long_as_the_program_needs(causal):
    q, k, v = (random(2, 50, 16, dtype=torch.float16, seed=s) for s in range(3))
    out = torch.empty_like(q)
    _attention[(4, 2)](q, k, v, out, 50, 0.25, 16, 16, 16, causal)
    expected = torch.nn.functional.scaled_dot_product_attention(
        q.float(), k.float(), v.float(), is_causal=causal, scale=0.25
    )
    torch.testing.assert_close(out.float(), expected, rtol=3e-3, atol=3e-3)


@triton.jit
def _map_one(x, y):
    if x > y:
        out = x - y
    else:
        out = x * y
    return out


@triton.jit
def _mapped(x, y, out, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out + i, tl.map_elementwise(_map_one, tl.load(x + i), tl.load(y + i)))


@pytest.mark.skipif(not hasattr(tl, "map_elementwise"), reason="this triton has no map_elementwise")
def test_a_scalar_function_that_branches_is_mapped_over_a_block():
    x, y = random(32), random(32, seed=1)
    out = torch.empty(32)
    _mapped[(1,)](x, y, out, 32)
    torch.testing.assert_close(out, torch.where(x > y, x - y, x * y), rtol=0, atol=0)


@triton.jit
def _scaled(a, a_scale, b, b_scale, c, N: tl.constexpr, K: tl.constexpr):
    n, k, s = tl.arange(0, N), tl.arange(0, K), tl.arange(0, K // 32)
    x = tl.load(a + n[:, None] * K + k[None, :])
    y = tl.load(b + k[:, None] * N + n[None, :])
    xs = tl.load(a_scale + n[:, None] * (K // 32) + s[None, :])
    ys = tl.load(b_scale + n[:, None] * (K // 32) + s[None, :])
    z = tl.dot_scaled(x, xs, "e5m2", y, ys, "e5m2")
    tl.store(c + n[:, None] * N + n[None, :], z)


@pytest.mark.skipif(not hasattr(InterpreterBuilder, "create_dot_scaled"), reason="this triton can not interpret it")
def test_scaled_products():
    a, b = random(32, 64).to(torch.float8_e5m2), random(64, 32, seed=1).to(torch.float8_e5m2)
    scales = torch.randint(125, 130, (2, 32, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    c = torch.empty(32, 32)
    _scaled[(1,)](a.view(torch.uint8), scales[0], b.view(torch.uint8), scales[1], c, 32, 64)
    x_scale, y_scale = (2.0 ** (s.double() - 127).repeat_interleave(32, 1) for s in scales)
    expected = (a.double() * x_scale) @ (b.double() * y_scale.T)
    torch.testing.assert_close(c.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not hasattr(InterpreterBuilder, "create_dot_scaled"), reason="this triton can not interpret it")
def test_scaled_products_of_the_smallest():
    bits = torch.arange(32 * 64).reshape(32, 64) % 8  # 0, the three below the normal ones, and the first of those
    a, b = bits.to(torch.uint8).view(torch.float8_e5m2), torch.ones(64, 32).to(torch.float8_e5m2)
    ones, c = torch.full((32, 2), 127, dtype=torch.uint8), torch.empty(32, 32)
    _scaled[(1,)](a.view(torch.uint8), ones, b.view(torch.uint8), ones, c, 32, 64)
    torch.testing.assert_close(c.double(), a.double() @ b.double(), rtol=0, atol=0)


@triton.jit
def _hinted(x, out, n, BLOCK: tl.constexpr):
    start = tl.multiple_of(tl.program_id(0) * BLOCK, BLOCK)
    i = tl.max_contiguous(start + tl.arange(0, BLOCK), BLOCK)
    tl.store(out + i, tl.load(x + i, mask=i < n) + 1, mask=i < n)


def test_hints_for_the_compiler_change_nothing():
    x, out = random(100), torch.zeros(100)
    _hinted[(4,)](x, out, 100, 32)
    torch.testing.assert_close(out, x + 1, rtol=0, atol=0)


@triton.jit
def _rebound(x, out, N: tl.constexpr):
    i = tl.arange(0, N)
    v = tl.load(x + i)
    for step in range(3):
        i = i + N * (step > 0)
        v = v * 2 + step
        tl.store(out + i, v + (tl.program_id(0) * 0 + step) * 10)


def test_the_same_expression_of_other_values_is_computed_again():
    x, out = torch.arange(8, dtype=torch.int32), torch.zeros(3, 8, dtype=torch.int32)
    _rebound[(2,)](x, out, 8)
    v, expected = x.clone(), []
    for step in range(3):
        v = v * 2 + step
        expected.append((v + step * 10).tolist())
    assert out.tolist() == expected
