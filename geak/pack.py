"""The judge as one file, for a machine that has only Python, torch, triton and numpy."""

from __future__ import annotations

import importlib.util
import os
import stat
import zipfile
from pathlib import Path

from geak.errors import UsageError

_MAIN = b"import sys\n\nfrom geak_evaluator.__main__ import main\n\nsys.exit(main())\n"
_THEN = (1980, 1, 1, 0, 0, 0)
"""When everything in it was written: the same judge is the same bytes."""


def pack(out: Path) -> int:
    """Writes the judge to a `.pyz` file that Python runs; how many bytes it has."""
    spec = importlib.util.find_spec("geak_evaluator")
    assert spec is not None
    assert spec.submodule_search_locations
    root = Path(spec.submodule_search_locations[0])
    files = {f"geak_evaluator/{path.relative_to(root)}": path for path in root.rglob("*") if path.suffix in (".py", "")}
    entries = {name: path.read_bytes() for name, path in files.items() if path.is_file()}
    try:
        with out.open("wb") as file:
            file.write(b"#!/usr/bin/env python3\n")
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, data in sorted((entries | {"__main__.py": _MAIN}).items()):
                    archive.writestr(zipfile.ZipInfo(name, _THEN), data, zipfile.ZIP_DEFLATED)
        out.chmod(out.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError as error:
        raise UsageError(f"{out}: {(error.strerror or str(error)).lower()}") from None
    return os.path.getsize(out)
