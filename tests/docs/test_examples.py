"""Every example in the documentation is run as it stands: files are written, commands run, output compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(p for p in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")] if "```" in p.read_text())

_BLOCK = re.compile(r"^```(?P<kind>\w*)(?P<title> title=\"(?P<file>[^\"]+)\")?\n(?P<body>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    kind: str
    file: str
    body: str


def blocks(page: Path) -> list[Block]:
    return [Block(m["kind"], m["file"] or "", m["body"]) for m in _BLOCK.finditer(page.read_text())]


def commands(body: str) -> list[tuple[str, str]]:
    """Each `$ ` line with the output that is shown below it."""
    found = []
    for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        found.append((command, output))
    return found


def fits(shown: str, got: str) -> bool:
    """Whether output is as shown, where `...` stands for anything."""
    pattern = ".*".join(re.escape(piece) for piece in shown.strip().split("..."))
    return re.fullmatch(pattern, got.strip(), re.S) is not None


DEAR = ("agent.md", "batch.md", "measure.md", "metrics.md", "report.md", "tune.md")
"""Pages whose commands take longest: they are run in the slow suite."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=str(page.relative_to(ROOT)), marks=[pytest.mark.slow] * (page.name in DEAR))
        for page in PAGES
    ],
)
def test_examples_of_a_page(page: Path, tmp_path: Path, running_judge: str) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    known = 0
    for block in blocks(page):
        if block.file:
            (tmp_path / block.file).write_text(block.body)
            if block.kind == "python":
                compile(block.body, block.file, "exec")
            known += 1
        for command, shown in commands(block.body) if block.kind == "console" else []:
            # One judge for all commands that do not name another: it is started elsewhere often enough.
            env = {**os.environ, "PATH": path, "HOME": str(tmp_path), "GEAK_JUDGE": running_judge}
            ran = subprocess.run(command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True)
            assert fits(shown, ran.stdout), f"{command}\nshown:\n{shown}\ngot:\n{ran.stdout}\n{ran.stderr}"
            known += 1
    assert known, "a page whose code blocks are neither files nor commands"


def test_every_python_block_is_a_file_that_is_tried() -> None:
    loose = [f"{p.name}: {b.body[:60]!r}" for p in PAGES for b in blocks(p) if b.kind == "python" and not b.file]
    assert loose == []


def test_the_command_is_there_before_it_is_used() -> None:
    page = (ROOT / "README.md").read_text()
    assert page.index("make demo") < page.index(". .venv/bin/activate") < page.index("$ geak")


def test_what_is_linked_is_there() -> None:
    missing = []
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), ROOT / "CONTRIBUTING.md"]:
        for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", _BLOCK.sub("", page.read_text())):
            if not (page.parent / link).exists():
                missing.append(f"{page.name}: {link}")
    assert missing == []


def test_outputs_are_compared() -> None:
    assert fits("a ... c\n", "a b c")
    assert fits("", "")
    assert not fits("a ... c", "a b d")
    assert not fits("", "something")
