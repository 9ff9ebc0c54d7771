from __future__ import annotations

from pathlib import Path

import pytest

FORMATS = Path(__file__).parents[1] / "formats"


@pytest.mark.parametrize(
    "task",
    [
        "tritonbench::G/row_shift",
        "geak_eval::ROCm/test_less_kernel",
        "agentkernelarena::triton_twice_rows",
        "agentkernelarena::instruction2triton/rocmbench/test_less_kernel",
    ],
)
def test_a_task_with_a_kernel_begins_from_it(geak, tmp_path, task):
    asked = ("--target", "gfx942", "--samples", 1, "--rounds", 1, "--tune", 0, "--json")
    ran = geak("generate", f"{FORMATS}/{task}", "--out", tmp_path / "run", *asked)
    assert ran.code == 0, ran.err
    assert list((tmp_path / "run/spec").glob("*_original.py"))
    assert (tmp_path / "run/best.py").is_file()


def test_a_reference_of_tritonbench_goes_through_a_run(geak, tmp_path):
    asked = ("--target", "gfx942", "--samples", 1, "--rounds", 1, "--tune", 0, "--json")
    ran = geak("generate", f"{FORMATS}/tritonbench::T/half_gelu", "--out", tmp_path / "run", *asked)
    assert ran.code == 0, ran.err
    assert "half_gelu" in (tmp_path / "run/best.py").read_text()
