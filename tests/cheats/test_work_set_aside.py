"""Work of torch's that is set aside at first, or hidden in operators, hooks and tensors of numbers, and then used."""

from __future__ import annotations

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.schema.verdict import Cause
from tests.cheats.scene import Expected, accepted, refused, verdict

CHEATS: dict[str, Expected] = {
    "torch-aside-then-copied": (
        """
def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    y.copy_((x + x).contiguous().to(x.dtype))
    return y
""",
        Cause.FOREIGN_WORK,
    ),
    "torch-aside-then-launched": (
        """
def double(x):
    return launch(decoy, (x + x)[None].clone(), torch.empty_like(x))
""",
        Cause.FOREIGN_WORK,
    ),
    "torch-aside-then-joined": (
        """
def double(x):
    launch(decoy, x, torch.empty_like(x))
    return torch.cat([(x + x)[:5], (x + x)[5:]])
""",
        Cause.FOREIGN_WORK,
    ),
    "torch-into-an-output": (
        """
def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    torch.add(x, x, out=y)
    return y
""",
        Cause.FOREIGN_WORK,
    ),
    "torch-in-an-operator": (
        """
@torch.library.custom_op('cheat::double', mutates_args=())
def op(x: torch.Tensor) -> torch.Tensor:
    launch(decoy, x, torch.empty_like(x))
    return x * 2


def double(x):
    return op(x)
""",
        Cause.FOREIGN_WORK,
    ),
    "torch-in-a-tuning-hook": (
        """
def hook(nargs, reset_only=False):
    nargs['y'].copy_(nargs['x'] * 2)


tuned = triton.autotune([triton.Config({}, num_warps=2), triton.Config({})], key=['n'], pre_hook=hook)(decoy)


def double(x):
    return launch(tuned, x, torch.empty_like(x))
""",
        Cause.WRONG_VALUES,
    ),
    "torch-in-a-launching-hook": (
        """
def hook(nargs):
    nargs['y'].copy_(nargs['x'] * 2)


tuned = triton.autotune([triton.Config({}, pre_hook=hook)], key=['n'])(decoy)


def double(x):
    return launch(tuned, x, torch.empty_like(x))
""",
        Cause.FOREIGN_WORK,
    ),
    "numbers-in-a-tensor": (
        """
def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    y.copy_(torch.tensor([2.0] * x.numel()))
    return y
""",
        Cause.WRONG_VALUES,
    ),
    "value-in-a-scalar-tensor": (
        """
def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    y.copy_(torch.tensor(float(x.numpy()[0])))
    return y
""",
        Cause.UNSTABLE_PLAN,
    ),
    "values-in-a-table": (
        """
def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    y.copy_(torch.tensor([2 * float(value) for value in x.numpy()]))
    return y
""",
        Cause.UNSTABLE_PLAN,
    ),
}


@pytest.mark.parametrize("name", CHEATS)
def test_work_that_is_used_after_all_is_found(judge: Judge, name: str) -> None:
    wrapper, cause = CHEATS[name]
    refused(verdict(judge, wrapper), cause)


UNUSED = """
def double(x):
    scratch = (x + 1).clone()
    scratch.mul_(2)
    return launch(kernel, x, torch.empty_like(x))
"""


def test_work_that_nothing_uses_is_nobody_s_answer(judge: Judge) -> None:
    accepted(verdict(judge, UNUSED))
