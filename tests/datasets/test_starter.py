"""The specs that ship: short, sound, and each with a kernel that is accepted."""

import ast
from pathlib import Path

import pytest

from geak.specs import shipped
from geak_evaluator.lint import lint
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.target import TARGETS
from geak_evaluator.schema.verdict import Cause, Status, Tier

SPECS = sorted(shipped().glob("*.py"))


def kernel_of(spec: Path) -> Path:
    return spec.parent / "kernels" / spec.name


def test_there_are_some():
    assert len(SPECS) >= 40
    assert {kernel.name for kernel in (shipped() / "kernels").glob("*.py")} == {spec.name for spec in SPECS}


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_a_spec_is_short_and_says_what_it_wants(spec):
    text = spec.read_text()
    assert len(text.splitlines()) < 40
    doc = ast.get_docstring(ast.parse(text))
    assert doc.splitlines()[0].endswith((".", ":")) or "\n" in doc


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_a_spec_is_fit_to_judge_with(judge, spec):
    found = lint(judge, SpecFile.read(spec))
    assert [finding for finding in found.findings if finding.severity == "error"] == []
    assert not [finding for finding in found.findings if finding.rule.startswith("too-large")]
    assert found.cases > 0


IN_FULL = ("argmax", "fp8_quantize", "index_add", "matmul", "softmax")
"""Judged in full in every run, one of each kind; the others at the gate, and in full in the slow suite."""


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_its_kernel_is_accepted(judge, spec):
    tier = Tier.FULL if spec.stem in IN_FULL else Tier.GATE
    verdict = judge.evaluate(SpecFile.read(spec), kernel_of(spec).read_bytes(), tier=tier)
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert len(verdict.cases) == verdict.asked


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_its_kernel_compiles_for_every_target_that_has_its_formats(judge, spec):
    verdict = judge.evaluate(SpecFile.read(spec), kernel_of(spec).read_bytes(), targets=list(TARGETS))
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert [code.target for code in verdict.code] == list(TARGETS)
    for code in verdict.code:
        # 8-bit floats are all that a target may lack.
        assert code.kernels or (code.cause is Cause.UNSUPPORTED and "fp8" in code.message), code
