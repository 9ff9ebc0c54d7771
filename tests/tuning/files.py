"""Kernel files to be tuned, and a spec for most of them."""

HEAD = "import torch\nimport triton\nimport triton.language as tl\n\n\n"
SPEC = '''"""Twice each element of a vector."""
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 65536)},
    inputs={"x": Tensor("N", "fp16")},
    outputs=Tensor("N", "fp16"),
    cases=[{"N": 781}],
    bench=[{"N": 65536}],
)


def reference(x):
    return x * 2
'''
KERNEL = """@triton.jit
def kernel(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


"""
DOUBLE = (
    HEAD
    + KERNEL
    + """def double(x):
    y = torch.empty_like(x)
    kernel[(triton.cdiv(x.numel(), 256),)](x, y, x.numel(), BLOCK=256)
    return y
"""
)
TABLE = (
    HEAD
    + """CHOSEN = {
    "gfx942": {"BLOCK": 64, "num_warps": 4},
    "sm_90": {"BLOCK": 64, "num_warps": 8},
}


"""
    + KERNEL
    + """def double(x):
    y = torch.empty_like(x)
    chosen = CHOSEN["gfx942" if torch.version.hip else "sm_90"]
    kernel[(triton.cdiv(x.numel(), chosen["BLOCK"]),)](x, y, x.numel(), **chosen)
    return y
"""
)
AUTOTUNED = (
    HEAD
    + """@triton.autotune(
    configs=[triton.Config({"BLOCK": b, "TWICE": 2}, num_warps=w) for b in [64, 128] for w in (1, 8) if b > 64],
    key=["n"],
)
"""
    + KERNEL.replace("BLOCK: tl.constexpr", "BLOCK: tl.constexpr, TWICE: tl.constexpr").replace("* 2,", "* TWICE,")
    + """def double(x):
    y = torch.empty_like(x)
    kernel[lambda meta: (triton.cdiv(x.numel(), meta["BLOCK"]),)](x, y, x.numel())
    return y
"""
)
MATMUL = (
    HEAD
    + """TILE = 64


@triton.jit
def product(a, b, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    cols = tl.program_id(1) * BN + tl.arange(0, BN)
    acc = tl.zeros((BM, BN), tl.float32)
    for k in range(0, tl.cdiv(K, BK)):
        depth = k * BK + tl.arange(0, BK)
        left = tl.load(a + rows[:, None] * K + depth, mask=(rows[:, None] < M) & (depth < K), other=0.0)
        right = tl.load(b + depth[:, None] * N + cols, mask=(depth[:, None] < K) & (cols < N), other=0.0)
        acc = tl.dot(left, right, acc)
    tl.store(c + rows[:, None] * N + cols, acc, mask=(rows[:, None] < M) & (cols < N))


def matmul(a, b, BN=32):
    (M, K), N = a.shape, b.shape[1]
    c = torch.empty((M, N), device=a.device)
    grid = (triton.cdiv(M, TILE), triton.cdiv(N, BN))
    product[grid](
        a, b, c, M, N, K,
        TILE, BN, BK=32,
        GROUP=8,  # not looked at
    )
    return c
"""
)
MATMUL_SPEC = '''"""A product of two matrices, timed where one of them is small."""
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 8192), "N": Axis(1, 8192), "K": Axis(1, 8192)},
    inputs={"a": Tensor(("M", "K"), "fp16"), "b": Tensor(("K", "N"), "fp16")},
    outputs=Tensor(("M", "N"), "fp32"),
    cases=[{"M": 33, "N": 47, "K": 65}],
    bench=[{"M": 16, "N": 2048, "K": 512}],
)


def reference(a, b):
    return a.float() @ b.float()
'''
ROWS = (
    HEAD
    + """@triton.jit
def whole(x, y, N, eps: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    row = tl.program_id(0) * N
    tl.store(y + row + at, tl.load(x + row + at, mask=at < N) + eps, mask=at < N)


def rows(x):
    y = torch.empty_like(x)
    M, N = x.shape
    BLOCK = triton.next_power_of_2(N)
    whole[(M,)](x, y, N, 1, BLOCK, num_warps=min(max(BLOCK // 256, 2), 8))
    return y
"""
)
