# ruff: noqa: E501 - each wrapper reads best on its own line
"""Ways to look right without a kernel that is: each is refused, or is honestly wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema.verdict import Cause, Status, Verdict

SPEC = '''"""Double a vector."""

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

HONEST = "def double(x):\n    return launch(kernel, x, torch.empty_like(x))\n"


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Sandbox() as box:
        yield Judge(box, limits=Limits(wall_s=60))


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> SpecFile:
    path: Path = tmp_path_factory.mktemp("spec") / "double.py"
    path.write_text(SPEC)
    return SpecFile.read(path)


def verdict(judge: Judge, spec: SpecFile, wrapper: str) -> Verdict:
    return judge.evaluate(spec, (KERNEL + wrapper).encode())


@pytest.mark.parametrize(
    "wrapper",
    [
        HONEST,
        "def double(x):\n    y = torch.zeros_like(x)\n    return launch(kernel, x, y)\n",
        "def double(x):\n    y = torch.full((x.numel(), 1), 7.0, device=x.device)\n    return launch(kernel, x, y).view(-1)\n",
        "def double(x):\n    y = torch.empty(2, x.numel(), device='cuda')\n    return launch(kernel, x, y[1])\n",
        "def double(x):\n    y = torch.empty_like(x, dtype=torch.float64)\n    return launch(kernel, x, y).to(torch.float32)\n",
        "def double(x):\n    y = torch.empty_like(x)\n    launch(kernel, x.clone(), y)\n    return torch.cat([y[:5], y[5:]])\n",
        "class F(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n"
        "        return launch(kernel, x, torch.empty_like(x))\n\n\ndef double(x):\n    return F.apply(x)\n",
        "@triton.autotune([triton.Config({}, num_warps=2), triton.Config({}, num_warps=4)], key=['n'])\n@triton.jit\n"
        "def tuned(x, y, n, BLOCK: tl.constexpr):\n    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)\n"
        "    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)\n\n\n"
        "def double(x):\n    return launch(tuned, x, torch.empty_like(x))\n",
    ],
    ids=["plain", "zeros", "view", "slice", "cast", "clone-cat", "autograd", "autotuned"],
)
def test_honest_wrappers_are_accepted(judge: Judge, spec: SpecFile, wrapper: str) -> None:
    found = verdict(judge, spec, wrapper)
    assert found.status is Status.ACCEPTED, found.line()


CHEATS = {
    "torch": ("def double(x):\n    return x * 2\n", Cause.FOREIGN_WORK),
    "decoy-beside-torch": (
        "def double(x):\n    launch(decoy, x, torch.empty_like(x))\n    return x + x\n",
        Cause.FOREIGN_WORK,
    ),
    "decoy-then-fix": (
        "def double(x):\n    y = launch(decoy, x, torch.empty_like(x))\n    y.mul_(2)\n    return y\n",
        Cause.FOREIGN_WORK,
    ),
    "numpy-on-views": (
        "def double(x):\n    y = launch(decoy, x, torch.empty_like(x))\n    y.numpy()[:] = x.numpy() * 2\n    return y\n",
        Cause.WRONG_VALUES,
    ),
    "dispatch-disabled": (
        "from torch.utils._python_dispatch import _disable_current_modes\n\n\ndef double(x):\n"
        "    y = launch(decoy, x, torch.empty_like(x))\n    with _disable_current_modes():\n        y.copy_(x * 2)\n    return y\n",
        Cause.WRONG_VALUES,
    ),
    "thread": (
        "import threading\n\n\ndef double(x):\n    y = launch(decoy, x, torch.empty_like(x))\n"
        "    t = threading.Thread(target=lambda: y.copy_(x * 2))\n    t.start()\n    t.join()\n    return y\n",
        Cause.WRONG_VALUES,
    ),
    "constant-by-value": (
        "def double(x):\n    y = torch.empty_like(x)\n    launch(decoy, x, y)\n    y.fill_(x[0].item() * 2)\n    return y\n",
        Cause.UNSTABLE_PLAN,
    ),
    "plan-by-value": (
        "def double(x):\n    y = torch.empty_like(x)\n    flag = int(x.numpy()[0] > 0)\n"
        "    for _ in range(1 + int(abs(x.numpy()[0] * 1e6)) % 7):\n        launch(kernel, x, y)\n    return y\n",
        Cause.UNSTABLE_PLAN,
    ),
    "returns-input": ("def double(x):\n    launch(kernel, x, torch.empty_like(x))\n    return x\n", Cause.WRONG_VALUES),
    "memory-from-import": (
        "kept = torch.empty(70)\n\n\ndef double(x):\n    return launch(kernel, x, kept)\n",
        Cause.FOREIGN_WORK,
    ),
    "never-writes": (
        "def double(x):\n    launch(kernel, x, torch.empty_like(x))\n    return torch.empty_like(x)\n",
        Cause.UNWRITTEN,
    ),
    "first-call-only": (
        "kept = []\n\n\ndef double(x):\n    if not kept:\n        kept.append(launch(kernel, x, torch.empty_like(x)))\n    return kept[0]\n",
        Cause.FOREIGN_WORK,
    ),
    "patched-torch": (
        "torch.Tensor.__eq__ = lambda *a: True\ntorch.allclose = lambda *a, **k: True\n\n\n"
        "def double(x):\n    return launch(decoy, x, torch.empty_like(x))\n",
        Cause.WRONG_VALUES,
    ),
    "patched-judge": (
        "import sys\n\n\ndef double(x):\n    import geak_evaluator.children.capture as c\n"
        "    c.Recorder.launched = lambda *a: None\n    return launch(decoy, x, torch.empty_like(x))\n",
        Cause.NO_KERNEL,
    ),
    "patched-interpreter": (
        "import triton.runtime.interpreter as i\ni.interpreter_builder = None\n\n\n"
        "def double(x):\n    return launch(decoy, x, torch.empty_like(x))\n",
        Cause.WRONG_VALUES,
    ),
    "torch-aside-then-copied": (
        "def double(x):\n    y = launch(decoy, x, torch.empty_like(x))\n    y.copy_((x + x).contiguous().to(x.dtype))\n    return y\n",
        Cause.FOREIGN_WORK,
    ),
    "torch-aside-then-launched": (
        "def double(x):\n    return launch(decoy, (x + x)[None].clone(), torch.empty_like(x))\n",
        Cause.FOREIGN_WORK,
    ),
    "torch-aside-then-joined": (
        "def double(x):\n    launch(decoy, x, torch.empty_like(x))\n    return torch.cat([(x + x)[:5], (x + x)[5:]])\n",
        Cause.FOREIGN_WORK,
    ),
    "torch-into-an-output": (
        "def double(x):\n    y = launch(decoy, x, torch.empty_like(x))\n    torch.add(x, x, out=y)\n    return y\n",
        Cause.FOREIGN_WORK,
    ),
    "torch-in-an-operator": (
        "@torch.library.custom_op('cheat::double', mutates_args=())\ndef op(x: torch.Tensor) -> torch.Tensor:\n"
        "    launch(decoy, x, torch.empty_like(x))\n    return x * 2\n\n\ndef double(x):\n    return op(x)\n",
        Cause.FOREIGN_WORK,
    ),
    "torch-in-a-tuning-hook": (
        "def hook(nargs, reset_only=False):\n    nargs['y'].copy_(nargs['x'] * 2)\n\n\n"
        "tuned = triton.autotune([triton.Config({}, num_warps=2), triton.Config({})], key=['n'], pre_hook=hook)(decoy)\n\n\n"
        "def double(x):\n    return launch(tuned, x, torch.empty_like(x))\n",
        Cause.WRONG_VALUES,
    ),
    "torch-in-a-launching-hook": (
        "def hook(nargs):\n    nargs['y'].copy_(nargs['x'] * 2)\n\n\n"
        "tuned = triton.autotune([triton.Config({}, pre_hook=hook)], key=['n'])(decoy)\n\n\n"
        "def double(x):\n    return launch(tuned, x, torch.empty_like(x))\n",
        Cause.FOREIGN_WORK,
    ),
    "numbers-in-a-tensor": (
        "def double(x):\n    y = launch(decoy, x, torch.empty_like(x))\n    y.copy_(torch.tensor([2.0] * x.numel()))\n    return y\n",
        Cause.FOREIGN_WORK,
    ),
    "value-in-a-scalar-tensor": (
        "def double(x):\n    y = launch(decoy, x, torch.empty_like(x))\n    y.copy_(torch.tensor(float(x.numpy()[0])))\n    return y\n",
        Cause.UNSTABLE_PLAN,
    ),
    "endless-plan": (
        "def double(x):\n    y = torch.empty_like(x)\n    while True:\n        y.zero_()\n",
        Cause.PLAN_TOO_LONG,
    ),
    "kernel-in-a-closure": (
        "def double(x):\n    return launch(make(), x, torch.empty_like(x))\n\n\ndef make():\n    return triton.jit(hidden)\n\n\n"
        "def hidden(x, y, n, BLOCK: tl.constexpr):\n    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)\n"
        "    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)\n",
        Cause.NOT_PLAIN,
    ),
    "inline-python": (
        "@triton.jit\ndef sly(x, y, n, BLOCK: tl.constexpr):\n    triton.runtime.interpreter.np.multiply(x.handle.data, 2)\n\n\n"
        "def double(x):\n    return launch(sly, x, torch.empty_like(x))\n",
        Cause.NOT_PLAIN,
    ),
}


@pytest.mark.parametrize("name", CHEATS)
def test_cheats_are_refused_for_what_they_are(judge: Judge, spec: SpecFile, name: str) -> None:
    wrapper, cause = CHEATS[name]
    found = verdict(judge, spec, wrapper)
    assert found.status is Status.REJECTED, found.line()
    assert found.failure is not None
    assert found.failure.cause is cause, found.line()


def test_the_next_kernel_is_none_the_worse(judge: Judge, spec: SpecFile) -> None:
    verdict(judge, spec, CHEATS["patched-torch"][0])
    assert verdict(judge, spec, HONEST).status is Status.ACCEPTED
