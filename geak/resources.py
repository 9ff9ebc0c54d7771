"""Where the files that ship with GEAK lie, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def data_dir(name: Literal["prompts", "datasets"]) -> Path:
    """The bundled folder: `geak/_data/<name>` in a wheel, `<name>` beside the package in a checkout."""
    package = Path(__file__).resolve().parent
    packaged = package / "_data" / name
    return packaged if packaged.is_dir() else package.parent / name
