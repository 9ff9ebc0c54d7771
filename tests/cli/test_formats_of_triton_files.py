from __future__ import annotations

from pathlib import Path

import pytest

FORMATS = Path(__file__).parents[1] / "formats"


@pytest.mark.parametrize(
    "task",
    ["tritonbench::G/row_shift", "geak_eval::ROCm/test_less_kernel", "agentkernelarena::triton_twice_rows"],
)
def test_a_task_with_a_kernel_begins_from_it(geak, tmp_path, task):
    asked = ("--target", "gfx942", "--samples", 1, "--rounds", 1, "--tune", 0, "--json")
    ran = geak("generate", f"{FORMATS}/{task}", "--out", tmp_path / "run", *asked)
    assert ran.code == 1, ran.err  # nothing better was written; what was given is accepted, and handed over
    (original,) = (tmp_path / "run/spec").glob("*_original.py")
    assert (tmp_path / "run/best.py").read_text().rstrip().endswith(original.read_text().rstrip())


def test_a_reference_of_tritonbench_is_compiled_and_accepted(geak, tmp_path):
    asked = ("--target", "gfx942", "--samples", 1, "--rounds", 1, "--tune", 0, "--json")
    ran = geak("generate", f"{FORMATS}/tritonbench::T/half_gelu", "--out", tmp_path / "run", *asked)
    assert ran.code == 0, ran.err
    assert "def half_gelu(" in (tmp_path / "run/best.py").read_text()
