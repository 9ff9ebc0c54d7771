"""What is in the wheel and in the sdist, and what they say of themselves."""

from __future__ import annotations

import configparser
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
import tomllib
from packaging.requirements import Requirement
from workshop import LITTER, ROOT, Built, canonical, closure, required

import geak
import geak_evaluator

VENDORS = {"torch", "triton", "pytorch-triton", "pytorch-triton-rocm", "triton-rocm"}


def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def info(wheel: Path, name: str) -> bytes:
    (found,) = (data for path, data in members(wheel).items() if path.endswith(f".dist-info/{name}"))
    return found


@pytest.fixture(scope="module")
def about(built: Built) -> Message:
    return Parser().parsestr(info(built.wheel, "METADATA").decode())


def test_the_wheel_holds_every_source_file_and_nothing_else(source: Path, built: Built) -> None:
    homes = {
        "geak": "geak",
        "evaluator/geak_evaluator": "geak_evaluator",
        "prompts": "geak/_data/prompts",
        "datasets": "geak/_data/datasets",
    }
    wanted = {
        f"{inside}/{file.relative_to(source / outside).as_posix()}": file.read_bytes()
        for outside, inside in homes.items()
        for file in (source / outside).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    found = {name: data for name, data in members(built.wheel).items() if ".dist-info/" not in name}
    assert sorted(found) == sorted(wanted)
    assert found == wanted


def test_nothing_but_the_packages_lies_at_the_root_of_site_packages(built: Built) -> None:
    tops = {name.split("/")[0] for name in members(built.wheel)}
    assert tops == {"geak", "geak_evaluator", f"geak-{geak.__version__}.dist-info"}


def test_the_wheel_holds_the_specs_the_licence_and_the_marks_of_typed_packages(built: Built) -> None:
    names = members(built.wheel)
    assert sum(name.startswith("geak/_data/datasets/starter/") for name in names) > 30
    assert {"geak/py.typed", "geak_evaluator/py.typed"} <= set(names)
    assert info(built.wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_of_the_sdist_is_the_wheel_of_the_checkout(built: Built) -> None:
    assert members(built.wheel_from_sdist) == members(built.wheel)


def test_the_sdist_can_be_tested_and_holds_no_litter(source: Path, built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert {"pyproject.toml", "LICENSE", "README.md", "Makefile", "requirements.lock"} <= names
    assert {"CHANGELOG.md", "CONTRIBUTING.md"} <= names
    assert Path(__file__).relative_to(ROOT).as_posix() in names
    assert names.isdisjoint(LITTER)
    assert all((source / name).exists() for name in LITTER), "nothing was put there"
    assert not [name for name in names if name.startswith((".venv", ".git/", "runs/"))]


def test_the_base_asks_for_neither_torch_nor_triton_and_the_extra_for_both(about: Message) -> None:
    lines = about.get_all("Requires-Dist") or []
    extras = about.get_all("Provides-Extra") or []
    by_extra = {extra: {canonical(name) for name in required(lines, extra)} for extra in ("", *extras)}
    asking = {extra for extra, names in by_extra.items() if names & VENDORS}
    assert asking == {"cpu"}
    assert by_extra["cpu"] >= {"torch", "triton"}


def test_nothing_that_the_base_asks_for_asks_for_them(needs: list[str]) -> None:
    assert closure(needs).isdisjoint(VENDORS)
    assert not closure(["torch"]).isdisjoint(VENDORS), "this would find nothing"


def test_every_requirement_has_a_floor_and_no_ceiling(about: Message) -> None:
    for line in about.get_all("Requires-Dist") or []:
        wanted = Requirement(line)
        assert {part.operator for part in wanted.specifier} == {">="}, line


def test_one_command_is_installed(built: Built) -> None:
    entries = configparser.ConfigParser()
    entries.read_string(info(built.wheel, "entry_points.txt").decode())
    assert {section: dict(entries[section]) for section in entries.sections()} == {
        "console_scripts": {"geak": "geak.cli:main"}
    }


def test_metadata(about: Message) -> None:
    assert (about["Name"], about["License-Expression"]) == ("geak", "Apache-2.0")
    assert about["Requires-Python"] == ">=3.11"
    assert about["Description-Content-Type"] == "text/markdown"


def test_the_version_is_one(about: Message) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {project, geak.__version__, geak_evaluator.__version__, about["Version"]} == {project}
    assert f"## [{project}]" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("name", ["datasets", "prompts"])
def test_data_is_no_package(name: str) -> None:
    """With an `__init__.py` it would be importable by a name that everybody uses, and found before theirs."""
    assert not list((ROOT / name).rglob("__init__.py"))
