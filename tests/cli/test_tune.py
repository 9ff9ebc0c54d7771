import json

import pytest

from geak.api import tune
from geak_evaluator.schema import codec
from geak_evaluator.schema.tuning import Ranking, Tuning
from tests.formats.checkouts import ROWS
from tests.loop import stage

KERNELBENCH = ROWS[0].root

SPEC = '''"""Twice each element."""
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 4096)},
    inputs={"x": Tensor("N")},
    outputs=Tensor("N"),
    cases=[{"N": 781}],
    bench=[{"N": 4096}],
)


def reference(x):
    return x * 2
'''
KERNEL = """import torch
import triton
import triton.language as tl


@triton.jit
def _twice(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


def twice(x):
    y = torch.empty_like(x)
    _twice[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), BLOCK=64)
    return y
"""
FUSED = """import torch
import triton
import triton.language as tl


@triton.jit
def _shifted(x, shift, y, n, width, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    moved = tl.load(x + at, mask=at < n) + tl.load(shift + at % width, mask=at < n)
    tl.store(y + at, tl.sigmoid(moved), mask=at < n)


class ModelNew(torch.nn.Module):
    def __init__(self, in_features, out_features, shift_shape):
        super().__init__()
        self.linear = torch.nn.Linear(in_features, out_features)
        self.shift = torch.nn.Parameter(torch.randn(out_features))

    def forward(self, x):
        x = self.linear(x)
        y = torch.empty_like(x)
        _shifted[(triton.cdiv(x.numel(), 64),)](x, self.shift, y, x.numel(), x.shape[-1], BLOCK=64)
        return y
"""
FEW = ("-t", "gfx942", "--evaluations", 3)


@pytest.fixture
def files(tmp_path):
    """A spec and a kernel for it, the kernel with something replaced."""

    def make(old: str = "", new: str = ""):
        spec, kernel = tmp_path / "twice.py", tmp_path / "kernel.py"
        spec.write_text(SPEC)
        assert old in KERNEL
        kernel.write_text(KERNEL.replace(old, new) if old else KERNEL)
        return spec, kernel

    return make


def test_the_best_goes_into_a_file_of_its_own(geak, files, tmp_path):
    (tmp_path / "sizes.json").write_text('{"1": {"BLOCK": 1024, "num_warps": 2}}')
    spec, kernel = files()
    found = geak("tune", spec, kernel, *FEW, "--table", tmp_path / "sizes.json")
    assert found.code == 0
    lines = found.out.splitlines()
    assert lines[0] == "TUNED kernel.py  3 configurations compiled, none measured"
    assert lines[1] == "  gfx942, compiled: 3 configurations may be picked"
    assert lines[2].split()[:3] == ["configuration", "registers", "shared"]
    assert lines[3].split()[:3] == ["1", "BLOCK=1024", "num_warps=2"]
    assert lines[3].endswith("proved")
    assert found.err == (
        f"tuning {kernel} for gfx942: at most 3 configurations for each target and 2 min, then the proofs\n"
    )
    assert kernel.read_text() == KERNEL
    assert "BLOCK=1024, num_warps=2" in (tmp_path / "kernel.tuned.py").read_text()
    (ranking,) = codec.from_json(tuple[Ranking, ...], json.loads((tmp_path / "kernel.tuned.json").read_text()))
    assert len(ranking.configurations) == 3
    assert json.loads((tmp_path / "sizes.gfx942.json").read_text()) == {"1": {"BLOCK": 1024, "num_warps": 2}}


@pytest.mark.parametrize("json_asked", [True, False])
def test_nothing_to_tune_is_code_1_and_a_sentence(geak, files, tmp_path, json_asked):
    spec, kernel = files("def _twice", "def _other")
    found = geak("tune", spec, kernel, *FEW, "--quiet", *["--json"] * json_asked)
    assert (found.code, found.err) == (1, "")
    if json_asked:
        assert "nothing in this kernel is tunable" in codec.from_json(Tuning, json.loads(found.out)).note
    else:
        assert found.out.startswith("NOT TUNED kernel.py  nothing in this kernel is tunable")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kernel.py", "twice.py"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--minutes", 0), "--minutes must be above 0"),
        (("--by", "N"), "--by says what the rows of a --table are for, and there is none"),
        (("--table", "nowhere.json"), "nowhere.json: no such file or directory"),
        (("-t", "gfx9000"), "there is no target 'gfx9000'"),
    ],
)
def test_what_cannot_be_meant_is_code_2(geak, files, words, message):
    found = geak("tune", *files(), *words, "--quiet")
    assert (found.code, found.out) == (2, "")
    assert message in found.err


def test_python_gets_the_same(files, running_judge):
    spec, kernel = files("def _twice", "def _other")
    assert "nothing in this kernel is tunable" in tune(spec, kernel, target=["gfx942"], judge=running_judge).note


@pytest.mark.parametrize(
    ("words", "out", "code", "lines"),
    [
        ("tuned: 128", "nowhere/kernel.py", 2, ["TUNED kernel.py", "  gfx942, compiled"]),
        ("verdict: accepted", "other.py", 1, ["NOT TUNED kernel.py", "  other.py is not written: the kernel stays"]),
    ],
)
def test_what_was_found_is_said_though_nothing_is_written(geak, place, words, out, code, lines):
    (place / "kernel.py").write_text(stage.kernel(1, words))
    asked = ("tune", "double.py", "kernel.py", "-t", "gfx942", "--judge", stage.JUDGE, "--quiet", "--out", out)
    found = geak(*asked)
    assert found.code == code, found.err
    said = found.out.splitlines()
    assert all(any(line.startswith(start) for line in said) for start in lines), found.out
    assert found.err == ("error: nowhere/kernel.py: no such file or directory\n" if code == 2 else "")
    assert {path.name for path in place.iterdir()} == {"double.py", "kernel.py"}


def test_a_task_of_a_checkout_is_tuned_under_its_own_policy(geak, tmp_path):
    task = f"{KERNELBENCH}::7_Linear_Shift_Sigmoid"
    (tmp_path / "kernel.py").write_text(FUSED)
    asked = (tmp_path / "kernel.py", "-t", "gfx942", "--evaluations", 1, "--elements", 300, "--quiet")
    found = geak("tune", task, *asked)
    assert (found.code, found.err) == (0, ""), found.out
    assert "1 configuration compiled" in found.out
    refused = geak("tune", task, *asked, "--policy", "pure")
    assert (refused.code, "proved" in refused.out) == (1, False), refused.out
    missing = geak("tune", f"{KERNELBENCH}::8_Nothing", *asked)
    assert (missing.code, missing.out) == (2, "")
    assert "has no task '8_Nothing'" in missing.err
