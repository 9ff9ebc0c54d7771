"""The repository of `examples/ci`, as a user would have it: its gate opens, and shuts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2] / "examples" / "ci"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return Path(shutil.copytree(REPOSITORY, tmp_path / "ci"))


def gate(repository: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)


def test_the_gate_opens_for_the_kernel_that_is_there(repository: Path) -> None:
    found = gate(repository)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "1 passed" in found.stdout


@pytest.mark.slow
def test_the_gate_shuts_before_a_kernel_that_was_broken(repository: Path) -> None:
    kernel = repository / "kernels" / "bias_relu.py"
    text = kernel.read_text()
    assert "cols < N" in text
    kernel.write_text(text.replace("cols < N", "cols <= N"))
    found = gate(repository)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "REJECTED bias_relu  " in found.stdout
    assert "out of bounds" in found.stdout


def test_the_workflow_does_what_the_page_says() -> None:
    page = (REPOSITORY / "README.md").read_text()
    workflow = (REPOSITORY / ".github" / "workflows" / "kernels.yml").read_text()
    commands = [line.partition("- run: ")[2] for line in workflow.splitlines() if "- run: " in line]
    assert 'pip install pytest "$GEAK"' in commands
    assert "GEAK: ${{ vars.GEAK }}" in workflow, "it is on no package index, so somebody says where it is"
    assert commands == [line.strip() for line in page.splitlines() if line.startswith("    ")]
