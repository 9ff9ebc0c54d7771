"""The public workflow runs what the Makefile has for machines with neither a GPU nor a key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("target", ["test", "older"])
def test_a_target_is_a_job_of_its_own(target: str) -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    (jobs,) = re.findall(r"^ +make: \[(.+)\]$", workflow, re.M)
    assert target in jobs.split(", ")
    assert "make ${{ matrix.make }}" in workflow
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


def test_the_oldest_triton_is_put_to_the_cheats_too() -> None:
    (rule,) = re.findall(r"^older:.*?\n\n", (ROOT / "Makefile").read_text(), re.M | re.S)
    assert {"tests/proof", "tests/plan", "tests/awkward", "tests/cheats"} <= set(rule.split())
