"""Distributions that are built once, from a copy of the sources with things in it that must not ship."""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path

import pytest
from workshop import CACHES, LITTER, ROOT, STRAY, Built, Environment, required, run


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, with litter."""
    copy = tmp_path_factory.mktemp("source") / "geak"
    shutil.copytree(ROOT, copy, ignore=CACHES)
    for name in (*LITTER, *STRAY):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("not to be shipped\n")
    return copy


@pytest.fixture(scope="session")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A wheel and an sdist of the copy, and a wheel of the sdist."""
    out = tmp_path_factory.mktemp("built")
    sdist = _build(source, out / "sdist", "--sdist")
    with tarfile.open(sdist) as archive:
        # Python 3.11 has the filter from 3.11.4 on; the archive is our own either way.
        archive.extractall(out / "unpacked", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (unpacked,) = (out / "unpacked").iterdir()
    return Built(_build(source, out / "wheel", "--wheel"), sdist, _build(unpacked, out / "again", "--wheel"))


def _build(folder: Path, out: Path, kind: str) -> Path:
    run(sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", out, folder)
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="session")
def needs(built: Built) -> list[str]:
    """What the base install requires, by name."""
    from importlib.metadata import PathDistribution
    from zipfile import Path as ZipPath

    (info,) = (p for p in ZipPath(built.wheel).iterdir() if p.name.endswith(".dist-info"))
    return required(PathDistribution(info).requires or ())


@pytest.fixture(scope="session")
def installed(built: Built, needs: list[str], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel, with its base requirements in sight and nothing else: neither torch nor triton."""
    folder = tmp_path_factory.mktemp("installed")
    environment = Environment(folder / "venv")
    environment.borrow(needs, folder / "borrowed")
    environment.install("--no-deps", built.wheel)
    return environment


@pytest.fixture(scope="session")
def editable(source: Path, needs: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, Path]:
    """An editable install, and the sources that it points at."""
    folder = tmp_path_factory.mktemp("editable")
    copy = folder / "geak"
    shutil.copytree(source, copy)
    environment = Environment(folder / "venv")
    environment.borrow([*needs, "hatchling"], folder / "borrowed")
    environment.install("--no-deps", "--no-build-isolation", "--editable", copy)
    return environment, copy
