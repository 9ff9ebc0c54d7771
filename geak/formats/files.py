"""Looking at a checkout: names, and the beginnings of files. Nothing is followed out of it, and nothing is run."""

from __future__ import annotations

import re
from pathlib import Path

HEAD = 1 << 16
"""Bytes of a file that are looked at to know what it is."""


def python_files(folder: Path) -> list[Path]:
    """The Python files of one folder, without hidden and private ones; or the one file that it is."""
    if folder.is_file():
        return [folder] if folder.suffix == ".py" else []
    try:
        found = [p for p in folder.iterdir() if p.suffix == ".py" and not p.name.startswith(("_", "."))]
    except OSError:
        return []
    return sorted((p for p in found if p.is_file()), key=numbered)


def folders(folder: Path) -> list[Path]:
    """The folders of one folder, without hidden ones."""
    try:
        return sorted((p for p in folder.iterdir() if not p.name.startswith(".") and p.is_dir()), key=numbered)
    except OSError:
        return []


def head(file: Path) -> str:
    """The beginning of a file as text; "" where it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(HEAD).decode("utf-8", "replace")
    except OSError:
        return ""


def numbered(path: Path) -> tuple[int, str]:
    """An order in which 2_x comes before 10_y."""
    number = re.match(r"\d{1,9}", path.name) or re.search(r"\d{1,9}$", path.stem)
    return int(number[0]) if number else -1, path.name


def commit(path: Path) -> str:
    """The commit that a folder of a checkout is at, read from its .git; "" where it has none."""
    for folder in (path.resolve(), *path.resolve().parents):
        git = folder / ".git"
        if git.is_dir():
            said = head(git / "HEAD").strip()
            name = said.removeprefix("ref: ")
            packed = re.search(rf"^([0-9a-f]{{40}}) {re.escape(name)}$", head(git / "packed-refs"), re.M)
            found = head(git / name).strip() if said.startswith("ref: refs/") and ".." not in name else said
            found = found or (packed[1] if packed else "")
            return found if re.fullmatch(r"[0-9a-f]{40}", found) else ""
    return ""


def identifier(name: str) -> str:
    """What a spec file may be called: letters, digits and _."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_")
    return plain if plain[:1].isalpha() else f"task_{plain}"
