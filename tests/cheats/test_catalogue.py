"""No cheat of the catalogues is forgotten, and each test that is named is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.cheats.catalogue import ELSEWHERE, HERE, WAITING

FOLDER = Path(__file__).parent
EVERY = {f"C{number:02}" for number in range(1, 65)} | {f"K{number:02}" for number in range(1, 51)}


@cache
def shown(file: str) -> set[str]:
    """The cheats that a file's tests and their cases are named after."""
    nodes = list(ast.walk(ast.parse((FOLDER / file).read_text())))
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    names |= {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return {part for name in names if re.fullmatch(r"[\w-]+", name) for part in re.split("[-_]", name)} & EVERY


def test_every_cheat_has_its_place() -> None:
    assert sorted([*HERE, *ELSEWHERE, *WAITING]) == sorted(EVERY)


@pytest.mark.parametrize("name", HERE)
def test_what_stands_here_is_named_after_it(name: str) -> None:
    assert name in shown(HERE[name])


def test_no_test_is_named_after_a_cheat_that_it_does_not_show() -> None:
    named = {name for path in FOLDER.glob("test_*.py") for name in shown(path.name)}
    assert named <= set(HERE)


@pytest.mark.parametrize("name", [*ELSEWHERE, *WAITING])
def test_what_stands_elsewhere_is_there(name: str) -> None:
    file, function = {**ELSEWHERE, **WAITING}[name].split("::")
    tree = ast.parse((FOLDER.parent / file).read_text())
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
