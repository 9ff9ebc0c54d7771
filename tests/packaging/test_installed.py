"""The command line from a wheel and from an editable install, far from the checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from workshop import ROOT, Environment, finished, run

import geak

HEAVY = {
    *("torch", "triton", "numpy", "openai", "anthropic", "httpx2"),
    *("rich", "jinja2", "tenacity", "genai_prices", "dotenv", "asyncio"),
}


def starter(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*.py")}


def data_dir(environment: Environment, name: str = "datasets") -> Path:
    return Path(
        run(environment.python, "-c", f"from geak.resources import data_dir; print(data_dir({name!r}))").strip()
    )


def test_version(installed: Environment) -> None:
    assert run(installed.scripts / "geak", "--version") == f"geak {geak.__version__}\n"
    assert run(installed.python, "-m", "geak", "--version") == f"geak {geak.__version__}\n"


def test_a_new_spec_without_torch(installed: Environment, tmp_path: Path) -> None:
    written = tmp_path / "mine.py"
    said = run(installed.scripts / "geak", "specs", "new", "mine", "--out", written)
    assert said.splitlines()[0] == f"wrote {written}"
    compile(written.read_text(), "mine.py", "exec")


def test_there_is_indeed_no_torch(installed: Environment) -> None:
    for name in ("torch", "triton"):
        assert "ModuleNotFoundError" in finished(installed.python, "-c", f"import {name}").stderr


def test_doctor_says_what_is_missing(installed: Environment) -> None:
    done = finished(installed.scripts / "geak", "doctor")
    assert done.returncode == 3, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if not line.startswith(" ")}
    assert "missing: pip install 'geak[cpu]'" in lines["torch"]
    assert "missing" in lines["triton"]
    assert "missing" not in lines["numpy"]


def test_the_shipped_specs_are_found(installed: Environment) -> None:
    folder = data_dir(installed)
    assert folder == installed.packages / "geak" / "_data" / "datasets"
    assert starter(folder) == starter(ROOT / "datasets")
    found = run(installed.python, "-c", "from geak.specs import find; print(find('softmax'))")
    assert Path(found.strip()) == folder / "starter" / "softmax.py"


def test_the_judge_starts_from_anywhere(installed: Environment, tmp_path: Path) -> None:
    assert "serve" in run(installed.python, "-m", "geak_evaluator", "--help", cwd=tmp_path)


def test_the_judge_needs_nothing_of_the_agent(installed: Environment) -> None:
    """A vendor's container may have the judge's folder alone."""
    code = "import geak_evaluator.serve, sys; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = run(installed.python, "-c", code)
    assert "'geak_evaluator'" in loaded
    assert "'geak'" not in loaded
    assert "'typer'" not in loaded


def test_an_edit_is_seen(editable: tuple[Environment, Path]) -> None:
    environment, copy = editable
    judge = copy / "evaluator" / "geak_evaluator" / "__init__.py"
    for file, module in ((copy / "geak" / "version.py", "geak"), (judge, "geak_evaluator")):
        file.write_text(file.read_text().replace(f'"{geak.__version__}"', '"9.8.7"'))
        assert run(environment.python, "-c", f"import {module}; print({module}.__version__)") == "9.8.7\n"
    assert run(environment.scripts / "geak", "--version") == "geak 9.8.7\n"


def test_an_editable_install_copies_nothing(editable: tuple[Environment, Path]) -> None:
    environment, copy = editable
    assert not list(environment.packages.glob("geak*/__init__.py"))
    assert data_dir(environment) == copy / "datasets"
    assert data_dir(environment, "prompts") == copy / "prompts"
    assert "serve" in run(environment.python, "-m", "geak_evaluator", "--help")


COMMANDS = [
    *([], ["optimize"], ["generate"], ["resume"], ["show"], ["models"], ["models", "test"], ["config", "show"]),
    *(["specs"], ["specs", "new"], ["specs", "lint"], ["eval"], ["doctor"]),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    """Here, where all of it is installed; half a second of import is what makes a command line feel slow."""
    argv = [sys.executable, "-X", "importtime", "-m", "geak", *command, "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "geak.cli" in loaded
    assert not {name for name in loaded if name.split(".")[0] in HEAVY}
