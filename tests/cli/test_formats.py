from __future__ import annotations

from pathlib import Path

KERNELBENCH = Path(__file__).parents[1] / "formats/kernelbench"


def test_a_task_of_a_benchmark_goes_through_a_run(geak, tmp_path):
    asked = ("--target", "gfx942", "--samples", 1, "--rounds", 1, "--tune", 0)
    ran = geak("generate", f"{KERNELBENCH}::level1/19_Hinge", "--out", tmp_path / "run", *asked, "--json")
    assert ran.code == 0, ran.err
    assert (tmp_path / "run/spec/level1_19_Hinge.py").is_file()
    judged = geak("eval", f"{KERNELBENCH}::19_Hinge", tmp_path / "run/best.py", "-t", "gfx942")
    assert judged.code == 0, judged.err
    assert judged.out.startswith("ACCEPTED level1_19_Hinge")
