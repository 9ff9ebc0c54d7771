"""Correct kernels of awkward kinds: each is accepted, and none is once it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.verdict import Status

HERE = Path(__file__).parent
ACCEPTED = sorted(path for path in (HERE / "accepted").glob("*/*.py") if path.name != "spec.py")


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def spec_of(path: Path) -> SpecFile:
    """The spec beside a kernel; a spec is named after its folder."""
    # The path is never read again: what a spec names beside itself lies in the same folder.
    return SpecFile(path.parent / f"{path.parent.name}.py", (path.parent / "spec.py").read_bytes())


@pytest.mark.parametrize("path", ACCEPTED, ids=named)
def test_a_correct_kernel_is_accepted(judge: Judge, path: Path) -> None:
    found = judge.evaluate(spec_of(path), path.read_bytes())
    assert found.status is Status.ACCEPTED, found.line()
