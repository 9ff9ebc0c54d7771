"""TritonBench: a file of kernels, a line of 146 `#`, and tests; G with Triton, T with the PyTorch to be replaced."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from geak.errors import SpecError
from geak.formats.base import Listed, Need, Scale
from geak.formats.drivers import pytest_file
from geak.formats.files import identifier
from geak.formats.observed import launched, task
from geak.formats.written import Material
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.verdict import Policy

SEPARATOR = re.compile(r"^#{100,}[ \t]*$", re.MULTILINE)
"""146 of them in all files but a few."""


def halves(text: str) -> tuple[str, str] | None:
    """What stands above the last line of `#`, and below it; None where there is no such line."""
    found = list(SEPARATOR.finditer(text))
    return (text[: found[-1].start()], text[found[-1].end() :]) if found else None


def called(kernel: str, test: str) -> tuple[str, ...]:
    """What of the upper half the lower one calls, in the order of its text; empty where either is no Python."""
    try:
        upper, lower = ast.parse(kernel), ast.parse(test)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    defined: dict[str, str] = {}
    for node in upper.body:
        if isinstance(node, ast.FunctionDef):
            jitted = any(ast.unparse(one).endswith("jit") for one in node.decorator_list)
            defined[node.name] = "kernel" if jitted else "function"
        elif isinstance(node, ast.ClassDef):
            defined[node.name] = "class"
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            defined[node.targets[0].id] = "function"
    run = _run(lower)
    names = _calls(run, lower, defined) or _calls(lower.body, lower, defined)
    if names:
        return names
    # Its tests make a module and call that: what is left to watch is what the module launches.
    used = [node.id for node in ast.walk(lower) if isinstance(node, ast.Name) and defined.get(node.id) == "class"]
    return launched(kernel, tuple(dict.fromkeys(used)))


def _run(lower: ast.Module) -> list[ast.stmt]:
    """The parts of a test that are run: its tests, what stands outside of functions, and functions that these name."""
    functions = {node.name: node for node in lower.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    kept = [node for node in lower.body if node not in functions.values() and not _is_main(node)]
    kept += [node for name, node in functions.items() if name.startswith("test_") and "performance" not in name]
    for node in kept:  # which grows
        for inner in ast.walk(node):
            found = functions.get(inner.id) if isinstance(inner, ast.Name) else None
            if found is not None and found not in kept:
                kept.append(found)
    return kept


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) and "__main__" in ast.unparse(node.test)


def _calls(parts: Sequence[ast.stmt], lower: ast.Module, defined: dict[str, str]) -> tuple[str, ...]:
    """The entries that some parts of a test call, or give another name, in the order of its text."""
    own = {node.name for node in lower.body if isinstance(node, ast.FunctionDef)}
    found: dict[tuple[int, int], str] = {}
    for node in (inner for part in parts for inner in ast.walk(part)):
        name = ""
        if isinstance(node, ast.Call) and (node.args or node.keywords):  # what is given nothing works on nothing
            name = _entry(node.func, defined)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):  # launch = the_kernel
            name = node.value.id if defined.get(node.value.id) == "kernel" else ""
        if name and name not in own and isinstance(node, ast.expr | ast.stmt):
            found[(node.lineno, node.col_offset)] = name
    return tuple(dict.fromkeys(found[at] for at in sorted(found)))


def _entry(function: ast.expr, defined: dict[str, str]) -> str:
    if isinstance(function, ast.Subscript):  # a kernel that is launched: kernel[grid](...)
        function = function.value
    if isinstance(function, ast.Name):
        return function.id if defined.get(function.id) in ("function", "kernel") else ""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        owner = function.value.id
        return f"{owner}.{function.attr}" if defined.get(owner) == "class" else ""
    return ""


class TritonBenchG:
    """data/TritonBench_G_v1/*.py: kernels of public projects, with their tests; also GEAK's revised set."""

    name = "tritonbench-g"
    layout = "TritonBench-G: TritonBench_G_v1/*.py with a line of 146 '#' between kernel and tests"
    _folder = "TritonBench_G_v1"
    _part = "G"
    """What its tasks' names begin with: both parts of TritonBench may have a file of one name."""
    _metrics = "perf_G"
    _torch = False

    def recognises(self, root: Path) -> bool:
        """Whether the folder of the files is here or below, where the benchmark has it."""
        return self._files(root) is not None

    def _files(self, root: Path) -> Path | None:
        if root.is_file():
            return root if root.suffix == ".py" and root.resolve().parent.name == self._folder else None
        places = (root, root / self._folder, root / "data" / self._folder)
        deep = (
            root / "geak_eval" / "data" / "TritonBench" / "data" / self._folder,
            root / "TritonBench" / "data" / self._folder,
        )
        return next((p for p in (*places, *deep) if p.resolve().name == self._folder and p.is_dir()), None)

    def tasks(self, root: Path) -> Iterator[Listed]:
        """A task a file, and one more for each further entry that its tests call."""
        folder = self._files(root)
        if folder is None:
            return
        known = self._known(folder.parent if folder.is_file() else folder)
        for file in [folder] if folder.is_file() else sorted(folder.glob("*.py")):
            if file.name != "__init__.py":
                yield from self._listed(file, known.get(file.name, {}))

    def _listed(self, file: Path, about: dict[str, Any]) -> Iterator[Listed]:
        text = read(file)
        parts = halves(text)
        entries = called(*parts) if parts else ()
        why = ""
        if parts is None:
            why = f"{file.name} has no line of '#' between what is tested and its tests"
        elif not entries:
            why = f"the tests of {file.name} call no function and no kernel that stands above them"
        said = str(about.get("simp_instru") or about.get("description") or "").strip()
        for number, entry in enumerate(entries or ("",)):
            yield Listed(
                "/".join((self._part, file.stem, *[entry.replace(".", "_")] * (number > 0))),
                file,
                self.name,
                title=re.split(r"(?<=\.)\s", " ".join(said.split()))[0][:120] or file.stem.replace("_", " "),
                category=str(about.get("repo", "")),
                difficulty=str(about.get("difficulty", "")),
                licence="Apache-2.0",
                needs=(Need.GPU,),
                why_not=why,
                policy=Policy.OPEN if not self._torch else Policy.PURE,
                tolerance=self._tolerance(file),
                metric="the sum of the reference's times by the sum of the kernel's, over all timed sizes",
            )

    def _tolerance(self, file: Path) -> str:
        if "geak_eval" in file.parts:
            return "torch.allclose with atol = rtol = 1e-3 against the golden result"
        return "none: what both print is compared as text, and few of the tests print"

    def _known(self, folder: Path) -> dict[str, dict[str, Any]]:
        """What the JSON beside the files says of each, by file name; nothing where there is none."""
        known: dict[str, dict[str, Any]] = {}
        names = [
            f"{self._folder}.json",
            f"{self._folder}.jsonl",
            "TritonBench_G_comp_alpac_v1_fixed_with_difficulty.json",
        ]
        for name in names:
            for row in _rows(folder.parent / name):
                if isinstance(row.get("file"), str):
                    known.setdefault(row["file"], row)
        return known

    async def task(self, listed: Listed, folder: Path, judges: Judges, scale: Scale) -> Task:
        """The spec of a file's entry: what its kernel does at the sizes of its tests and around them."""
        parts = halves(read(listed.file))
        if parts is None:
            raise SpecError(f"{listed.name}: {listed.why_not}")
        entries = called(*parts)
        wanted = listed.name.rpartition("/")[2]
        entry = next((e for e in entries[1:] if e.replace(".", "_") == wanted), entries[0])
        test = self._test(listed.file, *parts)
        material = Material(parts[0], test, (entry,), self._timed(listed.file), torch=self._torch)
        return await task(listed, material, folder, judges, scale, identifier(listed.name))

    def _test(self, file: Path, kernel: str, test: str) -> str:
        return test

    def _timed(self, file: Path) -> str:
        """The text that makes the timed inputs, where there is one."""
        up = file.resolve().parents
        for root in up[1:4]:
            found = root / "performance_metrics" / self._metrics / "golden_metrics" / f"{file.stem}_perf.py"
            if found.is_file():
                return read(found)
        return ""


class TritonBenchT(TritonBenchG):
    """data/TritonBench_T_v1/*.py: PyTorch functions that a kernel is to replace, with their tests."""

    name = "tritonbench-t"
    layout = "TritonBench-T: TritonBench_T_v1/*.py with a line of 146 '#' between function and tests"
    _folder = "TritonBench_T_v1"
    _part = "T"
    _metrics = "perf_T"
    _torch = True


class GeakRocm(TritonBenchG):
    """GEAK's ROCm set: ROCm_v1/*.py, kernels above the line and parametrised tests below it."""

    name = "geak-rocm"
    layout = "GEAK's ROCm set: ROCm_v1/*.py with a line of 146 '#' between kernel and pytest"
    _folder = "ROCm_v1"
    _part = "ROCm"
    _autotuned = "ROCm_v1_autotune"

    def _files(self, root: Path) -> Path | None:
        if root.is_file():
            return (
                root if root.suffix == ".py" and root.resolve().parent.name in (self._folder, self._autotuned) else None
            )
        deep = ("data", "data/ROCm/data", "geak_eval/data/ROCm/data", "ROCm/data")
        places = (root, *(root / folder / self._folder for folder in ("", *deep)))
        return next((p for p in places if p.resolve().name in (self._folder, self._autotuned) and p.is_dir()), None)

    def tasks(self, root: Path) -> Iterator[Listed]:
        """A task a file; the autotuned kernels, which share their names, are told apart by their folder's."""
        yield from super().tasks(root)
        first = self._files(root)
        beside = first.parent / self._autotuned if first is not None and first.is_dir() else None
        if beside is not None and beside.is_dir() and first != beside:
            for listed in super().tasks(beside):
                yield replace(listed, name=f"{self._part}_autotune/{listed.name.partition('/')[2]}")

    def _known(self, folder: Path) -> dict[str, dict[str, Any]]:
        rows = _rows(folder.parent / "ROCm_eval_complex_instruct_v1.json")
        return {f"{str(row.get('file', '')).removesuffix('.py')}.py": row for row in rows}

    def _tolerance(self, file: Path) -> str:
        return "torch.testing.assert_close with atol = rtol = 1e-2 against the stored result"

    def _test(self, file: Path, kernel: str, test: str) -> str:
        """Its own; of an autotuned kernel its twin's, which passes the blocks that an author is to bring."""
        twin = halves(read(file.resolve().parent.parent / self._folder / file.name))
        same = twin is not None and twin[0].split() == kernel.split()
        return pytest_file(twin[1] if twin is not None and same else test)


def _rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a JSON array, whatever the file is called."""
    try:
        found = json.loads(file.read_text("utf-8", "replace"))
    except (OSError, ValueError, RecursionError):
        return []
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def read(file: Path) -> str:
    """A file as text; "" where it cannot be read."""
    try:
        return file.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
