"""What a run is about, drafted from what a user has; nothing of the user's files is run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geak.errors import SpecError, UsageError
from geak.specs import find, shipped
from geak.tasks import Task, for_kernel, for_spec, place, ready
from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile, SpecProblem
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.verdict import Cause, Policy, Status, Tier, Verdict

KERNEL = """
import torch
import triton
import triton.language as tl


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

REFERENCE = """
import torch


def scaled(values: torch.Tensor, by: float = 2.0):
    rows, columns = values.shape
    return values * by
"""

TESTS = """
import pytest
import torch
from pkg.scaling import scale


@pytest.mark.parametrize("n", [1, 63])
def test_scale(n):
    x = torch.randn(n, device="cuda")
    torch.testing.assert_close(scale(x), x * 2)
"""

LEAVES_A_MARK = "open('ran', 'w').close()\n"


class Room:
    """The judge of these tests, as a run asks it."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    async def describe(self, spec: Path) -> Description:
        return self._told(lambda: self._judge.describe(SpecFile.read(spec)))

    async def evaluate(
        self,
        spec: Path,
        source: str,
        *,
        targets: Sequence[str] = ("gfx942",),
        tier: Tier = Tier.FULL,
        policy: Policy = Policy.PURE,
    ) -> Verdict:
        asked: dict[str, Any] = {"targets": targets, "tier": tier, "policy": policy}
        return self._told(lambda: self._judge.evaluate(SpecFile.read(spec), source.encode(), **asked))

    def _told(self, question: Any) -> Any:
        try:
            return question()
        except SpecProblem as error:
            raise SpecError(str(error)) from None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a kernel in it, where the user stands."""
    monkeypatch.chdir(tmp_path)
    Path("kernel.py").write_text(KERNEL + LEAVES_A_MARK)
    Path("reference.py").write_text(REFERENCE + LEAVES_A_MARK)
    return tmp_path


def about(task: Task, judge: Judge, **asked: Any) -> tuple[Description, Verdict | None]:
    return asyncio.run(ready(task, Room(judge), **asked))  # type: ignore[arg-type]


def test_a_spec_by_its_name() -> None:
    task = for_spec("softmax")
    assert task == Task(find("softmax"))
    assert task.questions == ()
    with pytest.raises(UsageError, match="there is no spec 'softmx'"):
        for_spec("softmx")


def test_a_kernel_with_a_spec_of_the_user_s(home: Path) -> None:
    task = for_kernel("kernel.py:scale", home / "run", spec="softmax")
    assert task == Task(find("softmax"), KERNEL + LEAVES_A_MARK, "kernel.py")
    assert not (home / "run").exists()


def test_the_original_is_what_is_right_and_is_kept_as_it_was(home: Path, judge: Judge) -> None:
    task = for_kernel("kernel.py", home / "run")
    assert (task.spec, task.original_path, task.read_off) == (home / "run" / "scale.py", "kernel.py", True)
    assert task.original == KERNEL + LEAVES_A_MARK
    assert task.questions == ("nothing in the code says what shape x has",)
    assert 'peer="kernel.py:scale"' in task.spec.read_text()
    Path("kernel.py").write_text(KERNEL.replace("* factor, mask", "* 3.0, mask"))
    described, verdict = about(task, judge)
    assert (described.spec.oracle, described.entry) == ("peer", "scale")
    assert verdict is not None
    assert (verdict.status, verdict.tier) == (Status.ACCEPTED, Tier.FULL)
    assert not Path("ran").exists()
    assert for_kernel("kernel.py:scale", home / "run").spec.read_text() == task.spec.read_text()


def test_a_draft_that_was_mended_by_hand_is_used_as_it_is(home: Path) -> None:
    task = for_kernel("kernel.py", home / "run")
    task.spec.write_text("# mine\n")
    again = for_kernel("kernel.py", home / "run")
    assert (again.spec.read_text(), again.questions) == ("# mine\n", ())


def test_a_spec_takes_no_name_of_a_kernel_s_file(home: Path) -> None:
    Path("kernel.py").rename("scale.py")
    for words in ({}, {"reference": "reference.py"}):
        task = for_kernel("scale.py", home / f"run{len(words)}", **words)
        assert task.spec.name == "scale_spec.py"
        assert task.spec.with_name("scale.py").read_text() == KERNEL + LEAVES_A_MARK


def test_beside_the_kernel_nothing_is_copied(home: Path) -> None:
    task = for_kernel("kernel.py", home)
    assert task.spec == home / "scale.py"
    assert {path.name for path in home.iterdir()} == {"kernel.py", "reference.py", "scale.py"}


def test_a_reference_says_what_is_right(home: Path, judge: Judge) -> None:
    task = for_kernel("kernel.py", home / "run", reference="reference.py:scaled")
    described, verdict = about(task, judge)
    assert (described.spec.oracle, described.entry, described.arguments) == ("float64", "scale", ("values", "by"))
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert not Path("ran").exists()


def test_by_a_reference_the_original_may_be_wrong(home: Path, judge: Judge) -> None:
    Path("kernel.py").write_text(KERNEL.replace("* factor, mask", "* 3.0, mask"))
    task = for_kernel("kernel.py", home / "run", reference="reference.py:scaled")
    _, verdict = about(task, judge)
    assert verdict is not None
    assert verdict.failure is not None
    assert verdict.failure.cause is Cause.WRONG_VALUES


def test_a_reference_that_takes_other_arguments_is_no_fault_of_the_kernel(home: Path, judge: Judge) -> None:
    Path("reference.py").write_text(REFERENCE.replace("by: float", "by: float = 2.0, more: float"))
    task = for_kernel("kernel.py", home / "run", reference="reference.py")
    with pytest.raises(SpecError, match=r"the kernel itself is refused: REJECTED scale  .*arguments.*; mend it and go"):
        about(task, judge)


def test_a_module_has_a_reference_of_its_own_kind(home: Path, judge: Judge) -> None:
    Path("mlp.py").write_text((shipped() / "kernels" / "gated_mlp.py").read_text())
    with pytest.raises(UsageError, match="GatedMLP would need a function around it; or name a spec of your own"):
        for_kernel("mlp.py", home / "run")
    Path("plain.py").write_text(
        "import torch\n\n\nclass GatedMLP(torch.nn.Module):\n"
        "    def __init__(self, dim: int, hidden: int):\n        super().__init__()\n"
        "        self.gate = torch.nn.Linear(dim, hidden, bias=False)\n"
        "        self.up = torch.nn.Linear(dim, hidden, bias=False)\n"
        "        self.down = torch.nn.Linear(hidden, dim, bias=False)\n\n"
        "    def forward(self, x):\n"
        "        return self.down(torch.nn.functional.silu(self.gate(x)) * self.up(x))\n"
    )
    task = for_kernel("mlp.py:GatedMLP", home / "run", reference="plain.py")
    described = asyncio.run(Room(judge).describe(task.spec))
    assert (described.spec.contract, described.entry) == ("module", "GatedMLP")


def test_tests_say_what_is_right(home: Path, judge: Judge) -> None:
    (home / "pkg").mkdir()
    (home / "pkg" / "__init__.py").touch()
    Path("pkg/scaling.py").write_text(KERNEL)
    Path("test_scaling.py").write_text(TESTS)
    task = for_kernel("pkg/scaling.py", home / "runs" / "one", test='pytest -q test_scaling.py -k "test_scale"')
    described, verdict = about(task, judge)
    spec = described.spec
    assert (spec.oracle, spec.tests) == ("tests", 'pytest -q test_scaling.py -k "test_scale"')
    assert (spec.project, spec.files) == ("../..", ("pkg/scaling.py",))
    assert verdict is not None
    assert "2 tests passed, 2 calls" in verdict.cases[0].message, verdict.line()
    missing = for_kernel("pkg/scaling.py", home / "runs" / "two", test="pytest -q test_none.py")
    with pytest.raises(
        SpecError, match=r"does not work yet: .*mend it and go on: geak optimize pkg/scaling\.py --spec"
    ):
        about(missing, judge)
    Path("test_scaling.py").write_text(TESTS.replace("x * 2", "x * 3"))
    with pytest.raises(SpecError, match="the kernel itself is refused: REJECTED scale  2 of its tests failed"):
        about(task, judge)


def test_tests_run_in_the_kernel_s_project(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "elsewhere").mkdir()
    monkeypatch.chdir(home / "elsewhere")
    with pytest.raises(UsageError, match=r"\.\./kernel\.py is not below the current folder, where --test would run"):
        for_kernel("../kernel.py", home / "run", test="pytest")


@pytest.mark.parametrize("line", ["from .factors import FACTOR", "from pkg.factors import FACTOR"])
def test_a_kernel_that_imports_from_its_own_package(home: Path, judge: Judge, line: str) -> None:
    folder = home / "pkg"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "factors.py").write_text("FACTOR = 2.5\n")
    (folder / "scaling.py").write_text(f"{line}\n{KERNEL}".replace("y = torch", "factor = factor * FACTOR; y = torch"))
    task = for_kernel("pkg/scaling.py", home / "run")
    described, verdict = about(task, judge)
    assert (described.spec.project, described.spec.files) == ("..", ("pkg/scaling.py",))
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()


def test_a_module_beside_a_kernel_is_of_its_project(home: Path, judge: Judge) -> None:
    Path("factors.py").write_text("FACTOR = 2.5\n")
    Path("kernel.py").write_text(
        f"from factors import FACTOR\n{KERNEL}".replace("y = torch", "factor *= FACTOR; y = torch")
    )
    described, verdict = about(for_kernel("kernel.py", home / "run"), judge)
    assert (described.spec.project, described.spec.files) == ("..", ("kernel.py",))
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()


def test_a_draft_that_does_not_fit_its_original_says_how_to_go_on(home: Path, judge: Judge) -> None:
    Path("my kernel.py").write_text(KERNEL.replace("    n = x.numel()", "    n = x.numel() + 1"))
    task = for_kernel("my kernel.py", home / "run")
    with pytest.raises(SpecError) as found:
        about(task, judge)
    text = str(found.value)
    assert text.startswith("the spec that was drafted from my kernel.py does not work yet: ")
    assert "out of bounds" in text
    assert text.endswith(f"; mend it and go on: geak optimize 'my kernel.py' --spec {home}/run/scale.py")
    with pytest.raises(SpecError, match=r"; a run, without --dry-run, keeps it to be mended$"):
        about(replace(task, kept=False), judge)


def test_an_original_that_does_other_work_is_no_fault_of_the_draft(home: Path, judge: Judge) -> None:
    Path("kernel.py").write_text(KERNEL.replace("    return y", "    return y.exp()"))
    _, verdict = about(for_kernel("kernel.py", home / "run"), judge)
    assert verdict is not None
    assert verdict.failure is not None
    assert verdict.failure.cause is Cause.FOREIGN_WORK


def test_a_spec_of_the_user_s_own_that_is_none_is_told_as_it_is(home: Path, judge: Judge) -> None:
    Path("mine.py").write_text("spec = 1\n")
    with pytest.raises(SpecError) as found:
        about(for_kernel("kernel.py", home / "run", spec="mine.py"), judge)
    assert "geak optimize" not in str(found.value)


@pytest.mark.parametrize(
    ("file", "words", "sentence"),
    [
        ("none.py", {}, "none.py: no such file"),
        (".", {}, r"\. is a folder"),
        ("reference.py", {}, r"reference\.py has no @triton\.jit kernel; .*; or name a spec of your own with --spec"),
        ("kernel.py:other", {}, "has no 'other' that launches a kernel; it has scale; or name"),
        ("kernel.py", {"reference": "none.py:f"}, "none.py does not exist"),
        ("kernel.py", {"reference": "reference.py:f"}, "has no 'f' to draft from; it has scaled"),
        ("kernel.py", {"reference": "reference.py", "test": "pytest"}, "--spec, --reference and --test each say"),
        ("kernel.py", {"spec": "softmax", "test": "pytest"}, "--spec, --reference and --test each say"),
        ("kernel.py", {"spec": "softmx"}, "there is no spec 'softmx'"),
    ],
)
def test_what_cannot_be_meant(home: Path, file: str, words: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        for_kernel(file, home / "run", **words)
    assert not (home / "run").exists()


def test_a_file_and_a_function_in_it(home: Path) -> None:
    assert place("kernel.py") == (Path("kernel.py"), None)
    assert place("kernel.py:scale") == (Path("kernel.py"), "scale")
    assert place("kernel.py:") == (Path("kernel.py"), None)
    assert place("none.py:scale") == (Path("none.py"), "scale")
    Path("a:b.py").touch()
    assert place("a:b.py") == (Path("a:b.py"), None)
    assert place("a:b.py:f") == (Path("a:b.py"), "f")


FIT = (
    *("add_rms_norm", "argmax", "column_stats", "cross_entropy", "cumsum", "embedding", "gelu_bias", "int8_quantize"),
    *("kl_divergence", "layer_norm", "layer_norm_backward", "linear_gelu", "log_softmax", "matmul", "mse_loss"),
    *("rms_norm", "row_sum", "segment_sum", "silu_and_mul", "softmax", "sort_rows", "topk", "transpose"),
)
"""The starter kernels whose spec is drafted without a person; of the 18 others it asks for a hand."""


@pytest.mark.slow
@pytest.mark.parametrize("name", FIT)
def test_a_starter_kernel_by_its_own_word(name: str, tmp_path: Path, judge: Judge) -> None:
    _, verdict = about(for_kernel(str(shipped() / "kernels" / f"{name}.py"), tmp_path), judge)
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()
