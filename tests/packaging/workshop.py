"""What the packaging tests build with: a copy of the sources, wheels of nothing, virtual environments without pip."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
CACHES = shutil.ignore_patterns(
    "__pycache__", ".*_cache", "*.egg-info", ".venv", ".git", ".hypothesis", "dist", "build"
)

LITTER = (
    "runs/night/journal.jsonl",
    "geak/__pycache__/old.cpython-311.pyc",
    "datasets/starter/__pycache__/old.cpython-311.pyc",
    "notes.py",
    ".env",
)
"""Files put into the copy that must reach neither distribution."""
STRAY = ("evaluator/README.md", "evaluator/notes.py")
"""Sources to an sdist, and litter at the root of everybody's site-packages in a wheel."""


@dataclass(frozen=True)
class Built:
    """A wheel and an sdist of the copy, and a wheel made from the sdist alone."""

    wheel: Path
    sdist: Path
    wheel_from_sdist: Path


def run(*argv: str | Path, cwd: str | Path = "/", code: int = 0) -> str:
    """Runs a command as a stranger would: no settings of pip's, no PYTHONPATH, no index. Returns its stdout."""
    done = finished(*argv, cwd=cwd)
    assert done.returncode == code, f"{argv} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def finished(*argv: str | Path, cwd: str | Path = "/") -> subprocess.CompletedProcess[str]:
    """The same, with whatever came of it."""
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(list(map(str, argv)), cwd=cwd, env=env, capture_output=True, text=True, timeout=300)


class Environment:
    """A virtual environment that nothing was put into; pip works on it from outside."""

    def __init__(self, folder: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        self.python, self.scripts = folder / "bin" / "python", folder / "bin"
        self.packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
        assert self.packages.is_dir()

    def install(self, *arguments: str | Path) -> str:
        return run(sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", *arguments)

    def borrow(self, names: Iterable[str], beside: Path) -> None:
        """Makes installed packages, and what they need, visible here one by one: everything else stays unseen."""
        folder = beside / "site-packages"
        folder.mkdir(parents=True)
        for name in closure(names):
            found = metadata.distribution(name)
            tops = {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}
            for top in tops:
                if not (folder / top).exists():
                    (folder / top).symlink_to(Path(str(found.locate_file(top))).resolve())
        (self.packages / "borrowed.pth").write_text(f"{folder}\n")


def closure(names: Iterable[str]) -> set[str]:
    """These packages and everything that they require, as installed here."""
    seen: set[str] = set()
    todo = list(names)
    while todo:
        name = canonical(todo.pop())
        if name not in seen:
            seen.add(name)
            todo += required(metadata.requires(name) or ())
    return seen


def required(lines: Iterable[str], extra: str = "") -> list[str]:
    """The names that these `Requires-Dist` lines ask for on this machine, with one extra or with none."""
    wanted = [Requirement(line) for line in lines]
    return [w.name for w in wanted if w.marker is None or w.marker.evaluate({"extra": extra})]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def hollow_wheel(folder: Path, name: str, version: str, requires: Iterable[str] = ()) -> Path:
    """A wheel of one package that holds a marker and nothing else."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    files = {
        f"{module}/__init__.py": f"__version__ = {version!r}\n",
        f"{module}/MARKER": f"{name} {version} as the vendor built it\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    folder.mkdir(exist_ok=True)
    wheel = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def tree(*folders: Path) -> dict[str, bytes]:
    """Every file below these folders, with its bytes."""
    return {str(file): file.read_bytes() for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()}
