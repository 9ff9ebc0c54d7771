"""Anybody's kernels for a folder of specs: a folder of files, or a JSONL file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from geak.errors import UsageError
from geak.judge import text


@dataclass(frozen=True)
class Submission:
    """One kernel's source, and the spec that it is for."""

    spec: Path
    label: str
    """Where it came from: a file, or a line of one."""
    source: str


def collect(specs: list[Path], kernels: Path) -> tuple[list[Submission], list[str]]:
    """The kernels that are there for these specs, and the names of the specs for which there is none.

    A folder holds NAME.py, or NAME/ with several files; a JSONL file has an object a line, with "name" and "kernel".
    """
    by_name = {spec.stem: spec for spec in specs}
    if kernels.is_dir():
        found = _in_folder(by_name, kernels)
    elif kernels.is_file():
        found = _in_lines(by_name, kernels)
    else:
        raise UsageError(f"--kernels {kernels}: there is no such folder or file")
    if not found:
        raise UsageError(
            f"--kernels {kernels} holds no kernel for any of {len(specs)} specs; they go by the spec's name"
        )
    has = {one.spec for one in found}
    return found, [name for name, spec in by_name.items() if spec not in has]


def _in_folder(by_name: dict[str, Path], folder: Path) -> list[Submission]:
    found = []
    for name, spec in by_name.items():
        files = [path for path in (folder / f"{name}.py",) if path.is_file()] + sorted((folder / name).glob("*.py"))
        found += [Submission(spec, str(path.relative_to(folder)), text(path)) for path in files]
    return found


def _in_lines(by_name: dict[str, Path], file: Path) -> list[Submission]:
    found = []
    with file.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                said = json.loads(line)
                name, source = said["name"], said["kernel"]
            except (ValueError, KeyError, TypeError):
                raise UsageError(f'{file}, line {number}: wanted {{"name": SPEC, "kernel": SOURCE}}') from None
            if name not in by_name or not isinstance(source, str):
                known = ", ".join(sorted(by_name)[:5])
                raise UsageError(f"{file}, line {number}: there is no spec {name!r} among them ({known}, ...)")
            found.append(Submission(by_name[name], f"line {number}", source))
    return found
