"""The oracle `tests`: the user's own asserts, with the entry as a proxy to the candidate's child."""

from __future__ import annotations

from pathlib import Path

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile, SpecProblem
from geak_evaluator.schema.verdict import Cause, Status, Verdict

from .conftest import KERNEL, SPEC

GOOD = KERNEL.format(imports="from pkg.ops.helper import FACTOR")


def spec(project: Path, command: str = "pytest -q tests/test_scale.py") -> SpecFile:
    more = f'oracle="tests", tests="{command}", project="project", files=("pkg/ops/scale.py",)'
    path = project.parent / "scale.py"
    path.write_text(SPEC.format(more=more))
    return SpecFile.read(path)


def verdict(judge: Judge, project: Path, kernel: str, **options: str) -> Verdict:
    return judge.evaluate(spec(project, **options), kernel.encode())


def test_a_right_kernel_passes_its_tests(judge: Judge, project: Path) -> None:
    found = verdict(judge, project, GOOD)
    assert found.status is Status.ACCEPTED, found.line()
    assert found.oracle == "tests"
    assert "4 tests passed, 4 calls" in found.cases[0].message


def test_a_wrong_kernel_fails_them_with_their_own_words(judge: Judge, project: Path) -> None:
    found = verdict(judge, project, GOOD.replace("* factor, mask", "* 2.0, mask"))
    assert found.failure is not None
    assert found.failure.cause is Cause.TESTS_FAILED
    assert "1 of its tests failed; first tests/test_scale.py::test_factor" in found.failure.message


def test_a_candidate_cannot_reach_the_asserts(judge: Judge, project: Path) -> None:
    """Patching pytest, torch.testing or the exit code happens in a process where no assert runs."""
    attack = GOOD.replace("* factor, mask", "* 3.0, mask") + (
        "\nimport torch.testing\ntorch.testing.assert_close = lambda *a, **k: None\n"
        "import builtins, sys, os\nsys.modules['pytest'] = None\n"
        "print('4 passed'); sys.stdout.flush()\n"
    )
    found = verdict(judge, project, attack)
    assert found.status is Status.REJECTED
    assert found.failure is not None
    assert found.failure.cause is Cause.TESTS_FAILED


def test_a_candidate_that_exits_is_not_taken_for_passed_tests(judge: Judge, project: Path) -> None:
    found = verdict(judge, project, GOOD.replace("    y = torch.empty_like(x)", "    import os; os._exit(0)"))
    assert found.failure is not None
    assert found.failure.cause is Cause.DIED


def test_an_exception_reaches_the_test_as_one(judge: Judge, project: Path) -> None:
    found = verdict(judge, project, GOOD.replace("    y = torch.empty_like(x)", "    raise ValueError('no such size')"))
    assert found.failure is not None
    assert "no such size" in found.failure.message


def test_plain_torch_is_no_kernel(judge: Judge, project: Path) -> None:
    found = verdict(judge, project, "def scale(x, factor=2.0):\n    return x * factor\n")
    assert found.failure is not None
    assert found.failure.cause is Cause.NO_KERNEL


def test_in_place_changes_come_back_to_the_test(judge: Judge, project: Path) -> None:
    (project / "tests" / "test_inplace.py").write_text(
        "import torch\nfrom pkg.ops import scale as module\n\n"
        "def test_inplace():\n    x = torch.ones(7, device='cuda')\n    assert module.scale(x) is None\n"
        "    assert x.tolist() == [2.0] * 7\n"
    )
    kernel = GOOD.replace("    y = torch.empty_like(x)", "    y = x").replace("    return y\n", "")
    found = verdict(judge, project, kernel, command="pytest -q tests/test_inplace.py")
    assert found.status is Status.ACCEPTED, found.line()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("pytest -q tests/test_none.py", "finds no test"),
        ("pytest -q tests/test_idle.py", "never call scale"),
        ("pytest -q tests/test_gone.py", "test_gone.py' cannot be run: pytest ends with 4, as where"),
    ],
)
def test_tests_that_say_nothing_are_the_authors_problem(
    judge: Judge, project: Path, command: str, sentence: str
) -> None:
    (project / "tests" / "test_none.py").write_text("x = 1\n")
    (project / "tests" / "test_idle.py").write_text("def test_idle():\n    assert 1 + 1 == 2\n")
    with pytest.raises(SpecProblem, match=sentence):
        verdict(judge, project, GOOD, command=command)
