"""The oracle `peer`: an original kernel says what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.lint import lint
from geak_evaluator.oracle import SpecFile, SpecProblem
from geak_evaluator.schema.verdict import Cause, Status, Tier

from .conftest import KERNEL, SPEC

PLAIN = KERNEL.format(imports="")
IN_PLACE = PLAIN.replace("    y = torch.empty_like(x)", "    y = x").replace("    return y\n", "")


def spec(folder: Path, original: str = PLAIN, more: str = "") -> SpecFile:
    (folder / "original.py").write_text(original)
    path = folder / "scaled.py"
    path.write_text(SPEC.format(more=f'oracle="peer", peer="original.py:scale", {more}'))
    return SpecFile.read(path)


def test_the_original_agrees_with_itself(judge: Judge, tmp_path: Path) -> None:
    found = judge.evaluate(spec(tmp_path), PLAIN.encode())
    assert found.status is Status.ACCEPTED, found.line()
    assert found.oracle == "peer"
    assert [bool(case.hidden) for case in found.cases][:2] == [False, False]


def test_another_answer_is_wrong(judge: Judge, tmp_path: Path) -> None:
    found = judge.evaluate(spec(tmp_path), PLAIN.replace("* factor, mask", "* 2.5, mask").encode())
    assert found.failure is not None
    assert found.failure.cause is Cause.WRONG_VALUES
    assert "everything" in found.failure.message


def test_what_the_original_changes_in_place_is_compared(judge: Judge, tmp_path: Path) -> None:
    file = spec(tmp_path, IN_PLACE, 'changes="x"')
    assert judge.evaluate(file, IN_PLACE.encode()).status is Status.ACCEPTED
    lazy = judge.evaluate(file, IN_PLACE.replace("* factor, mask", "* 1.0, mask").encode())
    assert lazy.failure is not None
    assert lazy.failure.cause is Cause.WRONG_VALUES


OTHERS = PLAIN.replace("mask=at < n)\n\n", "mask=(at < n) & (at % 3 != 1))\n\n")
"""It leaves every third element as it was."""


def test_what_the_original_leaves_unwritten_is_no_value_to_rely_upon(judge: Judge, tmp_path: Path) -> None:
    assert judge.evaluate(spec(tmp_path, OTHERS), OTHERS.encode()).status is Status.ACCEPTED
    one = OTHERS.replace("* factor,", "* factor * 0 + 1.0,")
    found = judge.evaluate(spec(tmp_path, one), one.replace("tl.store(y", "tl.atomic_max(y").encode(), tier=Tier.FULL)
    assert found.status is Status.REJECTED, found.line()
    assert judge.evaluate(spec(tmp_path, one), one.encode(), tier=Tier.FULL).status is Status.ACCEPTED


def test_an_original_that_writes_nothing_proves_nothing(judge: Judge, tmp_path: Path) -> None:
    file = spec(tmp_path, PLAIN.replace("mask=at < n)\n\n", "mask=at < 0)\n\n"))
    with pytest.raises(SpecProblem, match=r"original.py: case N=5: the original kernel writes nothing"):
        judge.evaluate(file, PLAIN.encode())
    lazy = IN_PLACE.replace("mask=at < n)\n\n", "mask=at < 0)\n\n")
    found = judge.evaluate(spec(tmp_path, lazy, 'changes="x"'), lazy.encode(), tier=Tier.FULL)
    assert found.line().startswith("REJECTED scaled  its kernels do no work")


WHOLE = PLAIN.replace(
    "    tl.store(y + at, tl.load(x + at, mask=at < n) * factor",
    "    v = tl.load(x + at, mask=at < n, other=0.0)\n    tl.store(y + at, (v / tl.max(tl.abs(v)) * 100).to(tl.int8)",
)
"""Of nothing it makes any number at all."""


def test_what_the_original_gives_by_luck_is_not_asked_for(judge: Judge, tmp_path: Path) -> None:
    found = judge.evaluate(spec(tmp_path, WHOLE), WHOLE.encode())
    assert found.status is Status.ACCEPTED, found.line()
    always = WHOLE.replace("/ tl.max(tl.abs(v))", "/ (v * 0)")
    with pytest.raises(SpecProblem, match=r"case N=5: what the original kernel gives hangs on what Triton leaves"):
        judge.evaluate(spec(tmp_path, always), always.encode())


def test_declared_outputs_bind_the_original_too(judge: Judge, tmp_path: Path) -> None:
    file = spec(tmp_path, more='outputs=Tensor("N", "fp16")')
    with pytest.raises(SpecProblem, match=r"the original kernel fails: output 0 is torch.float32"):
        judge.evaluate(file, PLAIN.encode())


def test_an_original_that_fails_is_named_with_its_line(judge: Judge, tmp_path: Path) -> None:
    file = spec(tmp_path, PLAIN.replace("    y = torch.empty_like(x)", "    raise ValueError('broken')"))
    with pytest.raises(SpecProblem, match=r"original.py, line \d+: case N=5.*broken"):
        judge.evaluate(file, PLAIN.encode())


def test_where_the_original_fails_on_one_target_the_other_is_judged(judge: Judge, tmp_path: Path) -> None:
    amd = PLAIN.replace("    y = torch", "    assert torch.version.hip, 'for AMD alone'\n    y = torch")
    found = judge.evaluate(spec(tmp_path, amd), PLAIN.encode(), targets=("gfx942", "sm_90"), tier=Tier.FULL)
    assert found.status is Status.ACCEPTED, found.line()
    assert [(code.target, code.cause) for code in found.code] == [("gfx942", None), ("sm_90", Cause.UNSUPPORTED)]
    assert "case N=5: the original kernel fails: AssertionError: for AMD alone" in found.code[1].message


def test_an_original_that_is_not_there(judge: Judge, tmp_path: Path) -> None:
    file = spec(tmp_path)
    (tmp_path / "original.py").unlink()
    with pytest.raises(SpecProblem, match=r"peer 'original\.py' is not there"):
        judge.evaluate(file, PLAIN.encode())


def test_lint_says_that_a_peer_proves_nothing(judge: Judge, tmp_path: Path) -> None:
    assert [finding.rule for finding in lint(judge, spec(tmp_path)).findings] == ["unproved-oracle"]
