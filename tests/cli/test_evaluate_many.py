"""`geak eval SPECS --kernels ...`: anybody's kernels in bulk."""

from __future__ import annotations

import json

import pytest

from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Status, Verdict

SPEC = '''"""{title}."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(axes={{"N": Axis(choices=(70,))}}, inputs={{"x": Tensor("N")}}, cases=[{{"N": 70}}])


def reference(x):
    return x {operation}
'''
KERNEL = """import torch
import triton
import triton.language as tl


@triton.jit
def _kernel(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, mask=at < n)
    tl.store(y + at, value {operation}, mask=at < n)


def {name}(x):
    y = torch.empty_like(x)
    _kernel[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), BLOCK=64)
    return y
"""


@pytest.fixture
def specs(tmp_path):
    folder = tmp_path / "specs"
    folder.mkdir()
    for name, operation in (("double", "* 2"), ("half", "/ 2"), ("other", "+ 1")):
        (folder / f"{name}.py").write_text(SPEC.format(title=name.title(), operation=operation))
    return folder


def kernel(name: str, operation: str) -> str:
    return KERNEL.format(name=name, operation=operation)


def test_a_folder_of_kernels(geak, specs, tmp_path):
    kernels = tmp_path / "kernels"
    (kernels / "half").mkdir(parents=True)
    (kernels / "double.py").write_text(kernel("double", "* 2"))
    (kernels / "half" / "first.py").write_text(kernel("half", "/ 2"))
    (kernels / "half" / "second.py").write_text(kernel("half", "/ 3"))
    found = geak("eval", specs, "--kernels", kernels, "--tier", "gate", "--jobs", 2)
    assert found.code == 1
    lines, numbers = found.out.split("\n  ", 1)
    *verdicts, summary = lines.splitlines()
    words = sorted((line.split()[0], line.rsplit("(", 1)[1]) for line in verdicts)
    assert words == [("ACCEPTED", "double.py)"), ("ACCEPTED", "half/first.py)"), ("REJECTED", "half/second.py)")]
    assert summary == "3 kernels: 2 accepted, 1 rejected; 1 task without a kernel counts as failed: other"
    assert [line.split()[:2] for line in numbers.splitlines()[:3]] == [
        ["Compiled", "66.7"],
        ["Called", "66.7"],
        ["Correct", "50.0"],
    ]
    assert "Speed                                           not measured" in numbers


def test_kernels_without_a_spec_are_named(geak, specs, tmp_path):
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    for name in ("double", "third", "fourth"):
        (kernels / f"{name}.py").write_text(kernel(name, "* 2"))
    found = geak("eval", specs, "--kernels", kernels, "--tier", "gate", "--jobs", 1)
    assert found.code == 0
    assert "2 kernels have no spec of their name here: fourth, third" in found.out.splitlines()
    (kernels / "fourth.py").unlink()
    found = geak("eval", specs, "--kernels", kernels, "--tier", "gate", "--jobs", 1, "--json")
    assert (found.code, json.loads(found.out)["without_spec"]) == (0, ["third"])
    (kernels / "double.py").unlink()
    found = geak("eval", specs, "--kernels", kernels, "--tier", "gate")
    assert (found.code, found.out) == (2, "")
    assert "holds no kernel for any of 3 tasks" in found.err


def test_a_file_of_lines(geak, specs, tmp_path):
    kernels = tmp_path / "kernels.jsonl"
    lines = [{"name": "double", "kernel": kernel("double", "* 2")}, {"name": "other", "kernel": kernel("other", "+ 1")}]
    kernels.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    (specs / "other.py").write_text("from geak_evaluator import Spec\n\nspec = Spec()\n")
    found = geak("eval", specs, "--kernels", kernels, "--tier", "gate", "--jobs", 1, "--json")
    assert found.code == 2
    said = json.loads(found.out)
    assert said["counts"] == {"accepted": 1, "not judged": 1}
    assert said["without"] == ["half"]
    first, second = sorted(said["kernels"], key=lambda row: row["kernel"])
    assert (first["kernel"], second["kernel"]) == ("line 1", "line 2")
    assert codec.from_json(Verdict, first["verdict"]).status is Status.ACCEPTED
    assert "it defines no docstring" in second["problem"] or "spec" in second["problem"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", 'line 1: wanted {"name": TASK, "kernel": SOURCE}'),
        ('{"name": "nobody", "kernel": ""}', "line 1: there is no task 'nobody' among them (double, half, other)"),
        ("", "holds no kernel for any of 3 tasks"),
        (None, "there is no such folder or file"),
    ],
)
def test_what_cannot_be_meant(geak, specs, tmp_path, content, words):
    kernels = tmp_path / "kernels.jsonl"
    if content is not None:
        kernels.write_text(content)
    found = geak("eval", specs, "--kernels", kernels)
    assert (found.code, found.out) == (2, "")
    assert words in found.err


def test_a_kernel_or_kernels(geak):
    found = geak("eval", "softmax")
    assert found.code == 2
    assert "geak eval needs a kernel file, or --kernels" in found.err
