"""AgentKernelArena: a folder a task, with config.yaml and a runner of its own; the Triton layouts are run here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geak.errors import SpecError
from geak.formats.base import Listed, Need, Scale
from geak.formats.drivers import pytest_file, runner
from geak.formats.files import identifier
from geak.formats.observed import task
from geak.formats.tritonbench import called, halves, read
from geak.formats.written import Material
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.verdict import Policy

_MOST = 1 << 20
"""Bytes of a config.yaml; the largest have a prompt of some 50 KB."""

_ELSEWHERE: dict[str, tuple[tuple[Need, ...], str]] = {
    "torch2hip": ((Need.AMD, Need.OTHER_LANGUAGE), "its kernels are to be written in HIP"),
    "hip2hip": ((Need.AMD, Need.OTHER_LANGUAGE), "its kernels are written in HIP"),
    "torch2flydsl": ((Need.AMD, Need.OTHER_LANGUAGE), "its kernels are to be written in FlyDSL"),
    "triton2flydsl": ((Need.AMD, Need.OTHER_LANGUAGE), "its kernels are to be written in FlyDSL"),
    "flydsl2flydsl": ((Need.AMD, Need.OTHER_LANGUAGE), "its kernels are written in FlyDSL"),
    "image_kernel": ((Need.AMD, Need.CONTAINER), "its kernel lies in a container image, not in the checkout"),
    "repository": ((Need.AMD, Need.NETWORK), "its kernel lies in a repository that the task would have to clone"),
}


class Arena:
    """tasks/TYPE/SUITE/NAME/config.yaml; a task is called as its folder below tasks/."""

    name = "agentkernelarena"
    layout = "AgentKernelArena: tasks/**/config.yaml with a task_type"

    def recognises(self, root: Path) -> bool:
        """Whether there is a task's config here, or a folder `tasks` of them."""
        if root.is_file():
            return False
        if (root / "config.yaml").is_file():
            return b"task_type" in _head(root / "config.yaml")
        if not (root / "tasks").is_dir() and "tasks" not in root.resolve().parts:
            return False
        folder = root / "tasks" if (root / "tasks").is_dir() else root
        first = next(iter(_configs(folder, most=3)), None)
        return first is not None and b"task_type" in _head(first)

    def tasks(self, root: Path) -> Iterator[Listed]:
        """A task for each config.yaml, by its folder's name below `tasks`."""
        if (root / "config.yaml").is_file():
            yield self._listed(root / "config.yaml", root.resolve().name)
            return
        folder = root / "tasks" if (root / "tasks").is_dir() else root
        for config in sorted(_configs(folder)):
            yield self._listed(config, config.parent.relative_to(folder).as_posix())

    def _listed(self, config: Path, name: str) -> Listed:
        about, trouble = _config(config)
        kind = str(about.get("task_type", ""))
        needs, why = _ELSEWHERE.get(kind, ((Need.GPU,), ""))
        support = about.get("platform_support")
        support = support if isinstance(support, dict) else {}
        if support.get("status") == "skip":
            why = why or f"its own config skips it: {support.get('skip_reason') or 'without a reason'}"
        if not trouble and not why and kind not in ("triton2triton", "instruction2triton"):
            why = f"its task_type is {kind!r}, which is not known"
        if not trouble and not why and _material(config.parent, about) is None:
            why = "its folder is in no layout that is known: source/ and scripts/, one file of tests, a harness"
        parts = name.split("/")
        told = str((about.get("prompt") or {}).get("instructions", "")) if isinstance(about.get("prompt"), dict) else ""
        first = next((line.strip() for line in told.splitlines() if line.strip()), "")
        return Listed(
            name,
            config,
            self.name,
            title=first[:120] or parts[-1].replace("_", " "),
            category="/".join(parts[:2]) if len(parts) > 2 else kind,
            difficulty=next((part for part in parts if part in ("easy", "medium", "hard", "L1", "L2", "L3")), ""),
            licence="Apache-2.0",
            needs=needs,
            why_not=trouble or why,
            policy=Policy.OPEN,
            tolerance="its runner's own, from 1e-4 to 1e-1",
            metric="the mean over its cases of the original's time by the kernel's",
        )

    async def task(self, listed: Listed, folder: Path, judges: Judges, scale: Scale) -> Task:
        """The spec of what its runner calls, with the original as the kernel to begin from."""
        about, trouble = _config(listed.file)
        material = None if trouble else _material(listed.file.parent, about)
        if material is None:
            raise SpecError(f"{listed.name}: {trouble or listed.why_not}")
        if not material.watch:
            raise SpecError(f"{listed.name}: its runner calls nothing that its kernel file defines")
        return await task(listed, material, folder, judges, scale, identifier(listed.name.rpartition("/")[2]))


def _material(folder: Path, about: dict[str, Any]) -> Material | None:
    """A task's kernel and how its runner is driven; None where the folder is in no layout that is known."""
    named = about.get("source_file_path")
    sources = [folder / str(part) for part in named] if isinstance(named, list) else []
    sources = [s for s in sources if s.suffix == ".py" and s.is_file() and folder.resolve() in s.resolve().parents]
    scripted = folder / "scripts" / "task_runner.py"
    harness = folder / str(about.get("harness_path") or "test_kernel_harness.py")
    if scripted.is_file() and sources:
        text = read(scripted)
        kernel = read(sources[0])
        return Material(kernel, runner(text, str(scripted)), _watched(kernel, text), project=str(folder.resolve()))
    if harness.is_file() and sources and folder.resolve() in harness.resolve().parents:
        text, kernel = read(harness), read(sources[0])
        driver = runner(text, str(harness.resolve()), (sources[0].stem, folder.name), sources[0].name)
        return Material(kernel, driver, _watched(kernel, text), project=str(folder.resolve()))
    alone = sources or [p for p in sorted(folder.glob("*.py")) if not p.name.startswith("performance_utils")]
    parts = halves(read(alone[0])) if len(alone) == 1 else None
    return Material(parts[0], pytest_file(parts[1]), called(*parts)) if parts else None


def _watched(kernel: str, text: str) -> tuple[str, ...]:
    """The functions of a kernel's file that its runner calls, those that launch before the others."""
    try:
        upper, lower = ast.parse(kernel), ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    functions = {n.name: n for n in upper.body if isinstance(n, ast.FunctionDef) and not _is_kernel(n)}
    for node in upper.body:  # another name for one of them
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in functions:
            functions |= {t.id: functions[node.value.id] for t in node.targets if isinstance(t, ast.Name)}
    found: dict[str, bool] = {}
    for call in ast.walk(lower):
        if isinstance(call, ast.Call):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name in functions:
                found[name] = _launches(functions[name], functions, set())
    return tuple(sorted(found, key=lambda name: not found[name]))


def _is_kernel(node: ast.FunctionDef) -> bool:
    return any("jit" in ast.unparse(d) or "autotune" in ast.unparse(d) for d in node.decorator_list)


def _launches(node: ast.FunctionDef, functions: dict[str, ast.FunctionDef], seen: set[str]) -> bool:
    seen.add(node.name)
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            if isinstance(call.func, ast.Subscript):
                return True
            name = getattr(call.func, "id", "")
            if name in functions and name not in seen and _launches(functions[name], functions, seen):
                return True
    return False


def _config(file: Path) -> tuple[dict[str, Any], str]:
    """What a config.yaml says, or why it says nothing."""
    import yaml  # type: ignore[import-untyped]

    text = read(file)
    if not text:
        return {}, f"{file.name} is empty or cannot be read"
    if len(text) > _MOST:
        return {}, f"{file.name} is larger than a configuration may be ({_MOST >> 20} MiB)"
    try:
        found = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        return {}, f"{file.name} is no YAML" + (f" (line {line + 1})" if line is not None else "")
    if not isinstance(found, dict):
        return {}, f"{file.name} holds no settings but a {type(found).__name__}"
    return found, ""


def _configs(folder: Path, most: int = 10_000) -> Iterator[Path]:
    for number, config in enumerate(folder.rglob("config.yaml")):
        if number == most:
            return
        if not any(part.startswith(".") for part in config.relative_to(folder).parts):
            yield config


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(1 << 16)
    except OSError:
        return b""
