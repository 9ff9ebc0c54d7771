"""What a judge sees of a foreign test: one question each, in the sandbox."""

from __future__ import annotations

import asyncio

import pytest

from geak.formats.drivers import runner
from geak.judge_process import words
from geak.judges import Judges
from geak_evaluator.schema.observed import Observed

KERNEL = """
import torch
import triton
import triton.language as tl


@triton.jit
def scale_kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, 2.0 * tl.load(x + at, mask=at < n), mask=at < n)


def scale(x, kind=None):
    out = torch.empty_like(x)
    scale_kernel[(triton.cdiv(x.numel(), 64),)](x, out, x.numel(), BLOCK=64)
    return out


def scale_too(x):
    return scale(x)
"""

TIMED = """
from performance_utils import Performance_Metrics
from TritonBench_v1.small import scale
import torch


class performance_metrics(Performance_Metrics):
    def get_input_tensors(self):
        self.input_tensors = [torch.rand(64 * n) for n in (8, 9)]

    def to_cuda(self, input_tensor):
        return input_tensor.cuda()

    def call_op(self, input_tensor):
        return scale(input_tensor)
"""


@pytest.fixture
def observed(tmp_path, running_judge):
    """What is seen of `scale` while a test runs."""

    def seen(test: str, *, timed: str = "", watch: tuple[str, ...] = ("scale",)) -> Observed:
        file = tmp_path / "small.py"
        file.write_text(KERNEL)

        async def ask() -> Observed:
            async with Judges([words(running_judge)]) as judges:
                return await judges.observe(file, KERNEL, test=test, timed=timed, watch=watch)

        return asyncio.run(ask())

    return seen


@pytest.mark.parametrize(("watched", "timed"), [("scale", 2), ("scale_too", 0)])
def test_no_kernel_runs_on_timed_inputs_which_have_no_memory(observed, watched, timed):
    found = observed("scale_too(torch.rand(100))\nscale(torch.rand(9))\n", timed=TIMED, watch=(watched,))
    assert not found.trouble
    assert found.launches == 2
    assert [one.timed for one in found.entries[0].calls if one.timed] == [True] * timed


def test_a_format_of_triton_is_passed_by_the_name_that_a_kernel_file_knows(observed):
    found = observed("scale(torch.rand(100), tl.float8e5)\n")
    assert found.entries[0].sketch.call == "scale(x, tl.float8e5)"


RUNNER = """
import torch
TEST_SHAPES = [4, 8, 16]


def run_correctness():
    for n in TEST_SHAPES:
        load_module().scale(torch.rand(n))
        while n == 4:
            pass
"""


def test_a_size_that_takes_too_long_to_compute_does_not_hide_the_others(observed):
    found = observed(runner(RUNNER, "runner.py"))
    assert not found.trouble
    assert [call.args["x"]["tensor"] for call in found.entries[0].calls] == [[4], [8], [16]]


PARAMETRISED = """
import pytest
from scipy import stats as statistics
import no_such_package.inner


@triton.jit
def of_the_test(x, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(x + at, tl.load(x + at))


@pytest.mark.parametrize("n", [1 << 40, 64, 8, 16])
def test_scale(n):
    if n == 16:
        pytest.skip("not on this card")
    x = torch.rand(n)
    of_the_test[(1,)](x, BLOCK=8)
    out = scale(x)
    assert no_such_package.inner.close(out, 2 * x)
"""


def test_sizes_that_cannot_be_run_here_do_not_hide_the_others_nor_does_a_package_that_is_missing(observed):
    found = observed(PARAMETRISED)
    assert not found.trouble
    assert [call.args["x"]["tensor"] for call in found.entries[0].calls] == [[8], [64]]


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("import no_such_package\nno_such_package.run(scale)\n", "No module named 'no_such_package'"),
        ("import pytest\n@pytest.mark.parametrize('n', [1, 2])\ndef test_it(n):\n    pytest.skip('no card')\n",
         "Skipped: no card"),
    ],
)  # fmt: skip
def test_what_kept_a_test_from_calling_anything_is_said(observed, test, said):
    found = observed(test)
    assert said in found.trouble
    assert not found.entries[0].calls


BY_FILE = """
import argparse, importlib.util, os, sys, types
import torch

here = os.path.dirname(os.path.abspath(__file__))
for name in ("somebody", "somebody.ops"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
found = importlib.util.spec_from_file_location("somebody.ops.small", os.path.join(here, "small.py"))
sys.modules["somebody.ops.small"] = importlib.util.module_from_spec(found)
found.loader.exec_module(sys.modules["somebody.ops.small"])
from somebody.ops.small import scale

ALL_SHAPES = [4, 8]

@triton.jit
def of_the_harness(x, BLOCK: tl.constexpr):
    tl.store(x + tl.arange(0, BLOCK), 1.0)
"""
WITH_TOLERANCES = """
def run_correctness(shapes, atol, rtol, verbose=True):
    for n in shapes:
        scale(torch.rand(n))
"""
BY_COMMAND = """
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--correctness", action="store_true")
    if not parser.parse_args().correctness:
        sys.exit(1)
    for n in ALL_SHAPES:
        scale(torch.rand(n))
    sys.exit(0)
"""


@pytest.mark.parametrize("asked", [WITH_TOLERANCES, BY_COMMAND])
def test_a_harness_is_driven_however_it_loads_the_kernel_and_is_told_what_to_do(observed, asked):
    text = BY_FILE.replace("import torch", "import torch, triton\nimport triton.language as tl") + asked
    found = observed(runner(text, "/where/it/lies/harness.py", ("small",), "small.py"))
    assert not found.trouble
    assert [call.args["x"]["tensor"] for call in found.entries[0].calls] == [[4], [8]]
