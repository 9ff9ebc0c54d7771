"""What every cheat is tried on: a spec with one small case, an honest kernel, and one that leaves the work out."""

from __future__ import annotations

from pathlib import Path

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.verdict import Cause, Status, Verdict

Expected = tuple[str, Cause]
"""A wrapper, and what the judge must say of it."""

DOUBLE = '''"""Double a vector."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 4096)},
    inputs={"x": Tensor("N")},
    outputs=Tensor("N"),
    cases=[{"N": 70}],
)


def reference(x):
    return x * 2
'''

KERNEL = """
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


@triton.jit
def decoy(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n), mask=at < n)


def launch(kernel, x, y):
    kernel[(triton.cdiv(x.numel(), 32),)](x, y, x.numel(), BLOCK=32)
    return y


"""

HONEST = """
def double(x):
    return launch(kernel, x, torch.empty_like(x))
"""


def verdict(
    judge: Judge,
    wrapper: str,
    *,
    spec: str = DOUBLE,
    kernel: str = KERNEL,
    name: str = "double",
    targets: tuple[str, ...] = ("gfx942",),
) -> Verdict:
    """What the judge says of a wrapper beside these kernels."""
    file = SpecFile(Path(f"/specs/{name}.py"), spec.encode())
    return judge.evaluate(file, (kernel + wrapper).encode(), targets=targets)


def refused(found: Verdict, *causes: Cause) -> None:
    """The cheat was seen for what it is."""
    assert found.status is Status.REJECTED, found.line()
    assert found.failure is not None
    assert found.failure.cause in causes, f"{found.failure.cause}: {found.line()}"


def accepted(found: Verdict) -> None:
    """It did what it was asked."""
    assert found.status is Status.ACCEPTED, found.line()
