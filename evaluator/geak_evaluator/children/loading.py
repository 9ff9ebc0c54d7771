"""Turning foreign source into a module, inside a child, and foreign exceptions into data."""

from __future__ import annotations

import importlib.util
import sys
import traceback
import types
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Raised:
    """An exception of foreign code: told to a person, never believed."""

    kind: str
    message: str
    line: int = 0
    """In the foreign file; 0 where it is not known."""
    trace: str = ""

    @property
    def text(self) -> str:
        """The exception in one sentence."""
        return f"{self.kind}: {self.message}" if self.message else self.kind


def load(source: bytes, name: str, project: str = "", relative: str = "") -> types.ModuleType:
    """Imports a source as a module from a file of its own, so that its text can be looked up."""
    path = place(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(source)
    if project:
        sys.path.insert(0, project)
    # A spec or a kernel may be called copy.py, and `import copy` must go on finding Python's.
    module_name = relative.removesuffix(".py").replace("/", ".") if relative else f"geak_foreign_{name}"
    if relative and "." in module_name:
        importlib.import_module(module_name.rpartition(".")[0])
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


def place(name: str) -> Path:
    """Where this child keeps the file of a source."""
    return Path.cwd() / "source" / f"{name}.py"


def raised(error: BaseException, name: str) -> Raised:
    """What a person needs to know of an exception, with the paths of this child taken out."""
    here = f"{place(name).parent}/"
    file = f"{name}.py"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(here)]
    line = frames[-1].lineno or 0 if frames else 0
    text = "".join(traceback.format_list(frames))
    try:
        if isinstance(error, SyntaxError):
            line = error.lineno or 0
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        if isinstance(error, AssertionError) and not message and frames:
            message = frames[-1].line or ""  # what was asserted
        message = message.replace(here, "").replace(str(Path.cwd()), ".")
    except Exception:
        message = "(its message could not be read)"
    return Raised(type(error).__name__, message[:2000], line, text.replace(here, "").replace(file, file)[:4000])
