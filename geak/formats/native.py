"""Specs of ours, by the folder: what `geak specs new` writes and `datasets/` ships."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from geak.formats.base import Listed, Scale
from geak.formats.files import head, python_files
from geak.judges import Judges
from geak.tasks import Task


class Native:
    """Our own format."""

    name: str = "native"
    layout: str = "specs of GEAK: Python files that say `from geak_evaluator import Spec`"

    def recognises(self, root: Path) -> bool:
        """Whether a file here says that it is a spec."""
        return any(map(_is_spec, python_files(root)))

    def tasks(self, root: Path) -> Iterator[Listed]:
        """A task for each spec file."""
        for file in python_files(root):
            if _is_spec(file):
                yield Listed(file.stem, file, self.name, title=_title(file))

    async def task(self, listed: Listed, folder: Path, judges: Judges, scale: Scale) -> Task:
        """The spec where it lies."""
        return Task(listed.file)


_SPEC = re.compile(r"^spec\b[^=\n]*=\s*(\w+\.)*Spec\(", re.M)


def _is_spec(file: Path) -> bool:
    text = head(file)
    return "geak_evaluator" in text and _SPEC.search(text) is not None


def _title(file: Path) -> str:
    try:
        doc = ast.get_docstring(ast.parse(head(file))) or ""
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return doc.strip().split("\n")[0]
