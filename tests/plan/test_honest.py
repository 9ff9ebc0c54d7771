"""Wrappers that do more than one launch, and nothing that no plan has: the counterpart of the cheats."""

from __future__ import annotations

import pytest

from geak_evaluator.judge import Judge
from tests.cheats.scene import HONEST, accepted, verdict

WRAPPERS: dict[str, str] = {
    "plain": HONEST,
    "zeros": """
def double(x):
    return launch(kernel, x, torch.zeros_like(x))
""",
    "a-constant-that-equals-nothing": """
def double(x):
    return launch(kernel, x, torch.full_like(x, float("nan")))
""",
    "view": """
def double(x):
    y = torch.full((x.numel(), 1), 7.0, device=x.device)
    return launch(kernel, x, y).view(-1)
""",
    "slice": """
def double(x):
    y = torch.empty(2, x.numel(), device="cuda")
    return launch(kernel, x, y[1])
""",
    "cast": """
def double(x):
    y = torch.empty_like(x, dtype=torch.float64)
    return launch(kernel, x, y).to(torch.float32)
""",
    "clone-cat": """
def double(x):
    y = torch.empty_like(x)
    launch(kernel, x.clone(), y)
    return torch.cat([y[:5], y[5:]])
""",
    "autograd": """
class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return launch(kernel, x, torch.empty_like(x))


def double(x):
    return F.apply(x)
""",
    "autotuned": """
@triton.autotune([triton.Config({}, num_warps=2), triton.Config({}, num_warps=4)], key=["n"])
@triton.jit
def tuned(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


def double(x):
    return launch(tuned, x, torch.empty_like(x))
""",
    "an-annotation-of-torch": """
@triton.jit
def annotated(x: torch.Tensor, y: torch.Tensor, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


def double(x):
    return launch(annotated, x, torch.empty_like(x))
""",
    "comments-after-a-kernel": """
@triton.jit
def last(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)  # of this program
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)
    # and nothing else


def double(x):
    return launch(last, x, torch.empty_like(x))
""",
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_honest_wrappers_are_accepted(judge: Judge, name: str) -> None:
    accepted(verdict(judge, WRAPPERS[name]))
