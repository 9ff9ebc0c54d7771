"""Finding specs by file, by folder or by the name of one that ships."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from geak.errors import SpecError, UsageError
from geak.resources import data_dir


def shipped() -> Path:
    """The specs that come with GEAK."""
    return data_dir("datasets") / "starter"


def find(name: str) -> Path:
    """The spec file behind a path or a name; UsageError where there is none."""
    path = Path(name)
    if path.is_file():
        return path
    if path.is_dir():
        raise UsageError(f"{name} is a folder; name one spec in it (geak specs list {name})")
    here = shipped() / f"{name.removesuffix('.py')}.py"
    if "/" not in name and here.is_file():
        return here
    beside = [str(p) for p in path.parent.glob("*.py")]
    ships = [p.stem for p in shipped().glob("*.py")]
    near = [one for one in beside if one == f"{path}.py"] or difflib.get_close_matches(name, [*beside, *ships], 1)
    hint = f"; did you mean {near[0]}?" if near else "; geak specs list names those that ship"
    raise UsageError(f"there is no spec {name!r}: no such file, and none of that name ships{hint}")


def collection(name: str) -> Path:
    """The folder or file behind a path, or behind the name of a dataset or of one spec that ships."""
    if "/" not in name and not Path(name).exists():
        for here in (data_dir("datasets") / name, shipped() / f"{name.removesuffix('.py')}.py"):
            if name and here.exists():
                return here
    return Path(name)


def dataset(name: str) -> list[Path]:
    """Every spec of a folder, by its path or by the name of a dataset that ships."""
    return within(collection(name))


def within(path: Path | None) -> list[Path]:
    """Every spec file in a folder, or the one file, or all that ship."""
    if path is None:
        path = shipped()
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UsageError(f"{path} is neither a spec nor a folder of specs")
    found = sorted(p for p in path.glob("*.py") if not p.name.startswith(("_", ".")))
    if not found:
        raise UsageError(f"{path} holds no spec: a spec is a Python file (geak specs new NAME writes one)")
    return found


_DECLARES = re.compile(r"^(spec\b[^=\n]*=|(from|import)\b.*\bspec\b)", re.M)


def declares(file: Path) -> None:
    """SpecError where a file does not say that it is a spec, so that no stray script is run to find that out."""
    try:
        said = _DECLARES.search(file.read_text("utf-8", "replace"))
    except OSError:
        return  # the judge says what is wrong with it
    if said is None:
        raise SpecError(f"{file}: it defines no `spec`; a spec file says spec = Spec(axes=..., inputs=..., cases=...)")
