"""The judge as one file, for a machine that has only Python, torch, triton and numpy."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from pathlib import Path

from geak.journal.store import hand_out

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
    whole = io.BytesIO(b"#!/usr/bin/env python3\n")
    whole.seek(0, io.SEEK_END)
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted((entries | {"__main__.py": _MAIN}).items()):
            archive.writestr(zipfile.ZipInfo(name, _THEN), data, zipfile.ZIP_DEFLATED)
    hand_out(out, whole.getvalue(), mode=0o755)
    return len(whole.getvalue())
