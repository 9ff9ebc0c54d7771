"""Answers for which no kernel did the work, or only a part of it."""

from __future__ import annotations

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.schema.verdict import Cause
from tests.cheats.scene import HONEST, Expected, accepted, refused, verdict

CHEATS: dict[str, Expected] = {
    "K01-C52-torch": (
        """
def double(x):
    return x * 2
""",
        Cause.FOREIGN_WORK,
    ),
    "K01-a-library-s-function": (
        """
def double(x):
    launch(decoy, x, torch.empty_like(x))
    return torch.nn.functional.linear(x[:, None], torch.full((1, 1), 2.0))[:, 0]
""",
        Cause.FOREIGN_WORK,
    ),
    "K02-C53-falls-back-when-it-fails": (
        """
def double(x):
    try:
        return launch(None, x, torch.empty_like(x))
    except Exception:
        return x + x
""",
        Cause.FOREIGN_WORK,
    ),
    "K02-falls-back-for-odd-sizes": (
        """
def double(x):
    return launch(kernel, x, torch.empty_like(x)) if x.numel() % 16 == 0 else x + x
""",
        Cause.FOREIGN_WORK,
    ),
    "K03-imports-the-reference": (
        """
def double(x):
    import double
    return double.reference(x)
""",
        Cause.MISSING_MODULE,
    ),
    "K03-finds-the-reference": (
        """
import gc
import sys


def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    places = [vars(m) for m in list(sys.modules.values()) if hasattr(m, "__dict__")]
    places += [o for o in gc.get_objects() if type(o) is dict]
    for place in places:
        if getattr(place.get("reference"), "__module__", "").startswith("geak_foreign"):
            y.numpy()[:] = place["reference"](x)
    return y
""",
        Cause.WRONG_VALUES,
    ),
    "K04-decoy-beside-torch": (
        """
def double(x):
    launch(decoy, x, torch.empty_like(x))
    return x + x
""",
        Cause.FOREIGN_WORK,
    ),
    "K04-decoy-then-torch": (
        """
def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    y.mul_(2)
    return y
""",
        Cause.FOREIGN_WORK,
    ),
    "K04-numpy-on-views": (
        """
def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    y.numpy()[:] = x.numpy() * 2
    return y
""",
        Cause.WRONG_VALUES,
    ),
    "K04-a-dispatch-mode-pushed-aside": (
        """
from torch.utils._python_dispatch import _disable_current_modes


def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    with _disable_current_modes():
        y.copy_(x * 2)
    return y
""",
        Cause.WRONG_VALUES,
    ),
    "K04-dispatch-to-python-excluded": (
        """
def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    with torch._C._DisableTorchDispatch():
        y.copy_(x * 2)
    return y
""",
        Cause.WRONG_VALUES,
    ),
    "K04-a-mode-popped": (
        """
from torch.utils import _python_dispatch as modes


def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    mode = modes._pop_mode()
    y.copy_(x * 2)
    modes._push_mode(mode)
    return y
""",
        Cause.WRONG_VALUES,
    ),
    "K04-a-mode-above": (
        """
from torch.utils._python_dispatch import TorchDispatchMode


class Quiet(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.add.Tensor:
            args[0].numpy()[:] *= 2
            return args[0]
        return func(*args, **(kwargs or {}))


def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    with Quiet():
        return y + y
""",
        Cause.WRONG_VALUES,
    ),
    "K04-through-data-pointers": (
        """
import ctypes


def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    a = (ctypes.c_float * x.numel()).from_address(x.data_ptr())
    b = (ctypes.c_float * x.numel()).from_address(y.data_ptr())
    for i in range(x.numel()):
        b[i] = a[i] * 2
    return y
""",
        Cause.WRONG_VALUES,
    ),
    "K05-C51-a-constant": (
        """
def double(x):
    launch(decoy, x, torch.empty_like(x))
    return torch.zeros_like(x)
""",
        Cause.WRONG_VALUES,
    ),
    "K06-identity": (
        """
def double(x):
    return launch(decoy, x, torch.empty_like(x))
""",
        Cause.WRONG_VALUES,
    ),
    "K07-the-input-itself": (
        """
def double(x):
    launch(kernel, x, torch.empty_like(x))
    return x
""",
        Cause.WRONG_VALUES,
    ),
    "K07-C22-never-written": (
        """
def double(x):
    launch(kernel, x, torch.empty_like(x))
    return torch.empty_like(x)
""",
        Cause.UNWRITTEN,
    ),
    "K07-nothing-at-all": (
        """
def double(x):
    return torch.empty_like(x)
""",
        Cause.NO_KERNEL,
    ),
    "K07-an-empty-grid": (
        """
def double(x):
    y = torch.empty_like(x)
    kernel[(0,)](x, y, x.numel(), BLOCK=32)
    return y
""",
        Cause.UNWRITTEN,
    ),
    "K08-stale-memory": (
        """
def double(x):
    launch(kernel, x, torch.empty_like(x))
    return launch(decoy, torch.empty_like(x), torch.zeros_like(x))
""",
        Cause.UNWRITTEN,
    ),
    "K10-the-first-tile-alone": (
        """
def double(x):
    y = torch.empty_like(x)
    kernel[(1,)](x, y, x.numel(), BLOCK=32)
    return y
""",
        Cause.WRONG_VALUES,
    ),
    "K10-the-last-element-left-out": (
        """
def double(x):
    y = torch.zeros_like(x)
    kernel[(triton.cdiv(x.numel(), 32),)](x, y, x.numel() - 1, BLOCK=32)
    return y
""",
        Cause.WRONG_VALUES,
    ),
    "K10-what-is-large-left-out": (
        """
def double(x):
    y = torch.empty_like(x)
    if x.numel() > 2048:
        decoy[(1,)](x, y, 1, BLOCK=32)
        return y
    return launch(kernel, x, y)
""",
        Cause.WRONG_VALUES,
    ),
    "K10-what-is-long-cut": (
        """
def double(x):
    y = torch.zeros_like(x)
    kernel[(min(triton.cdiv(x.numel(), 32), 64),)](x, y, x.numel(), BLOCK=32)
    return y
""",
        Cause.WRONG_VALUES,
    ),
    "K18-C49-one-shape-by-heart": (
        """
def double(x):
    return launch(kernel if x.numel() == 70 else decoy, x, torch.empty_like(x))
""",
        Cause.WRONG_VALUES,
    ),
    "K18-sizes-of-the-spec-by-heart": (
        """
def double(x):
    y = torch.empty_like(x)
    kernel[(3,)](x, y, min(x.numel(), 70), BLOCK=32)
    return launch(decoy, y, y) if x.numel() > 70 else launch(kernel, x, y) if x.numel() == 70 else x
""",
        Cause.WRONG_VALUES,
    ),
}


@pytest.mark.parametrize("name", CHEATS)
def test_work_that_is_left_out_is_missed(judge: Judge, name: str) -> None:
    wrapper, cause = CHEATS[name]
    refused(verdict(judge, wrapper), cause)


def test_C01_honest_work_is_accepted(judge: Judge) -> None:
    accepted(verdict(judge, HONEST))


SCALED = '''"""A vector times a weight."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 4096)},
    inputs={"x": Tensor("N"), "weight": Tensor("N")},
    outputs=Tensor("N"),
    cases=[{"N": 70}],
)


def reference(x, weight):
    return x * weight
'''


def test_K09_weights_that_usually_are_one_are_not_here(judge: Judge) -> None:
    wrapper = "def scaled(x, weight):\n    return launch(decoy, x, torch.empty_like(x))\n"
    refused(verdict(judge, wrapper, spec=SCALED, name="scaled"), Cause.WRONG_VALUES)


MEAN = '''"""The mean of each row."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 64), "N": Axis(1, 64)},
    inputs={"x": Tensor("M, N")},
    outputs=Tensor("M"),
    cases=[{"M": 3, "N": 64}],
)


def reference(x):
    return x.mean(-1)
'''

SAMPLED = """
import torch
import triton
import triton.language as tl


@triton.jit
def rows(x, y, n, STEP: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK) * STEP
    row = tl.load(x + tl.program_id(0) * n + at, mask=at < n, other=0.0)
    tl.store(y + tl.program_id(0), tl.sum(row) * STEP / n)


def mean(x):
    y = torch.empty(x.shape[0], device=x.device)
    rows[(x.shape[0],)](x, y, x.shape[1], STEP=%d, BLOCK=64)
    return y
"""


def test_K12_a_sample_is_no_mean(judge: Judge) -> None:
    refused(verdict(judge, "", spec=MEAN, kernel=SAMPLED % 2, name="mean"), Cause.WRONG_VALUES)
    accepted(verdict(judge, "", spec=MEAN, kernel=SAMPLED % 1, name="mean"))


TURN = '''"""Transpose a matrix."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 64), "N": Axis(1, 64)},
    inputs={"x": Tensor("M, N")},
    outputs=Tensor("N, M"),
    cases=[{"M": 3, "N": 5}],
)


def reference(x):
    return x.t()
'''

MOVED: dict[str, str] = {
    "K04-a-copy-does-the-work": """
def turn(x):
    y = torch.empty(x.shape[::-1], device=x.device)
    launch(decoy, x, torch.empty_like(x))
    y.copy_(x.t())
    return y
""",
    "C50-a-view-of-the-input": """
def turn(x):
    launch(decoy, x, torch.empty_like(x))
    return x.t()
""",
    "K41-a-decoy-on-the-result": """
def turn(x):
    return launch(nothing, x, x.t().contiguous())


@triton.jit
def nothing(x, y, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < 0), mask=at < 0)
""",
    "K04-a-decoy-that-copies-onto-itself": """
def turn(x):
    y = x.t().contiguous()
    return launch(decoy, y, y)
""",
}


@pytest.mark.parametrize("name", MOVED)
def test_copies_are_no_kernel(judge: Judge, name: str) -> None:
    refused(verdict(judge, MOVED[name], spec=TURN, name="turn"), Cause.NO_KERNEL)
