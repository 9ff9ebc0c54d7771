"""Projects that a user might have: an original kernel, its package, its tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits

KERNEL = """
import torch
import triton
import triton.language as tl
{imports}

@triton.jit
def scale_kernel(x, y, n, factor, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * factor, mask=at < n)


def scale(x, factor=2.0):
    y = torch.empty_like(x)
    n = x.numel()
    scale_kernel[(triton.cdiv(n, 64),)](x, y, n, factor, BLOCK=64)
    return y
"""

TESTS = """
import pytest
import torch
from pkg.ops.scale import scale


@pytest.mark.parametrize("n", [1, 63, 200])
def test_scale(n):
    x = torch.randn(n, device="cuda")
    torch.testing.assert_close(scale(x), x * 2)


def test_factor():
    x = torch.randn(5, device="cuda")
    torch.testing.assert_close(scale(x, factor=-1.5), x * -1.5)
"""

SPEC = '''"""Scale a vector."""

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={{"N": Axis(1, 1000)}},
    inputs={{"x": Tensor("N"), "factor": Scalar("float", 2.0)}},
    cases=[{{"N": 5}}, {{"N": 130}}],
    entry="scale",
    {more}
)
'''


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    with Sandbox() as box:
        yield Judge(box, limits=Limits(wall_s=30))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A package with a kernel in it and a helper beside that, and its tests."""
    ops = tmp_path / "project" / "pkg" / "ops"
    ops.mkdir(parents=True)
    (ops.parent / "__init__.py").touch()
    (ops / "__init__.py").touch()
    (ops / "helper.py").write_text("FACTOR = 2.0\n")
    (ops / "scale.py").write_text(KERNEL.format(imports="from pkg.ops.helper import FACTOR"))
    tests = tmp_path / "project" / "tests"
    tests.mkdir()
    (tests / "test_scale.py").write_text(TESTS)
    return tmp_path / "project"
