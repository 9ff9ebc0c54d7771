"""A vendor's container: its torch and triton must come through an install of ours byte for byte."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest
from workshop import Built, Environment, closure, hollow_wheel, run, tree

TORCH, TRITON = "2.8.0+rocm7.0.2", "3.3.0+rocm7.gitabcdef"


@pytest.fixture(scope="module")
def shelf(needs: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that pip may choose from: what we require, and newer versions of what the vendor has."""
    folder = tmp_path_factory.mktemp("shelf")
    for name in closure(needs):
        hollow_wheel(folder, name, metadata.version(name))
    hollow_wheel(folder, "torch", "99.0", ["triton==99.0"])
    hollow_wheel(folder, "triton", "99.0")
    hollow_wheel(folder, "numpy", "99.0")
    return folder


@pytest.fixture
def vendor(tmp_path: Path) -> Environment:
    environment = Environment(tmp_path / "venv")
    wheels = (
        hollow_wheel(tmp_path / "vendor", "triton", TRITON),
        hollow_wheel(tmp_path / "vendor", "torch", TORCH, [f"triton=={TRITON}"]),
        hollow_wheel(tmp_path / "vendor", "numpy", metadata.version("numpy")),
    )
    environment.install(*wheels)
    return environment


def of_the_vendor(environment: Environment) -> dict[str, bytes]:
    folders = [p for p in environment.packages.iterdir() if p.name.startswith(("torch", "triton", "numpy"))]
    found = tree(*folders)
    assert sum(name.endswith("MARKER") for name in found) == 3
    return found


def would_install(environment: Environment, shelf: Path, *what: str) -> set[str]:
    pip = [sys.executable, "-m", "pip", "--python", environment.python, "install", "--quiet", "--find-links", shelf]
    report = json.loads(run(*pip, "--dry-run", "--report", "-", *what))
    return {item["metadata"]["name"].lower() for item in report["install"]}


@pytest.mark.parametrize("options", [[], ["--upgrade"]], ids=" ".join)
def test_the_resolver_leaves_them(vendor: Environment, shelf: Path, built: Built, options: list[str]) -> None:
    chosen = would_install(vendor, shelf, *options, str(built.wheel))
    assert {"geak", "typer"} <= chosen
    assert chosen.isdisjoint({"torch", "triton", "numpy"})


def test_with_the_extra_the_resolver_would_not(vendor: Environment, shelf: Path, built: Built) -> None:
    """Which is why it is an extra; and why the test above says something."""
    assert {"torch", "triton"} <= would_install(vendor, shelf, f"{built.wheel}[cpu]")


@pytest.mark.parametrize("options", [[], ["--upgrade"], ["--no-deps"]], ids=" ".join)
@pytest.mark.slow
def test_an_install_leaves_them_byte_for_byte(
    vendor: Environment, shelf: Path, built: Built, options: list[str]
) -> None:
    before = of_the_vendor(vendor)
    vendor.install("--find-links", shelf, *options, built.wheel)
    assert of_the_vendor(vendor) == before
    said = run(
        vendor.python, "-c", "import torch, triton, geak_evaluator; print(torch.__version__, triton.__version__)"
    )
    assert said == f"{TORCH} {TRITON}\n"
