"""Reading a file that somebody named, and saying so where that cannot be."""

from __future__ import annotations

import difflib
from pathlib import Path

from geak.errors import UsageError

SOURCE_LIMIT = 1 << 20


def text(path: Path) -> str:
    """A file as it goes over the wire; one that cannot be read is an error for a person."""
    try:
        with path.open("rb") as file:
            data = file.read(SOURCE_LIMIT + 1)
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; a Python file is wanted") from None
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file or directory{_meant(path)}") from None
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    return data.decode("utf-8", "surrogateescape")


def _meant(path: Path) -> str:
    """What lies beside it under nearly that name, or that there is no such folder."""
    try:
        stems = [entry.stem for entry in path.parent.iterdir() if entry.suffix == path.suffix]
    except OSError:
        return f"; there is no folder {path.parent}"
    near = difflib.get_close_matches(path.stem, stems, 1)
    return f"; is {path.with_stem(near[0])} meant?" if near else ""
