"""Anybody's kernels for a dataset's tasks, recognised by how they lie: a folder of files, of runs, or JSON lines."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geak.batch.card import CARD, KERNELS, folder_name, kernel_folder
from geak.errors import UsageError
from geak.files import text
from geak.formats.files import identifier
from geak.journal.store import EVENTS

LAYOUTS = (
    "NAME.py or NAME/*.py, a run's or a dataset run's folder, KernelBench's level_L_problem_P_sample_S_kernel.py, or "
    'JSON lines with "name" and "kernel", or TritonBench\'s with "label" and "predict"'
)
"""What is recognised, for a message."""

_KERNELBENCH = re.compile(r"level_(\d+)_problem_(\d+)_sample_(\d+)(?:_kernel)?\.py")
_FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.M | re.S)
_MARKS = ("<|im_end|>", "<|EOT|>")
"""What some models end an answer with, and prediction files keep."""
_BEST = ("best.py", "nearest.py")


@dataclass(frozen=True)
class Submission:
    """One kernel's source, and the task that it is for."""

    task: str
    label: str
    """Where it came from: a file, or a line of one."""
    source: str
    repeat: int = 1
    """Which of the task's kernels it is."""


def collect(tasks: Mapping[str, Path], kernels: Path) -> tuple[list[Submission], list[str]]:
    """The kernels that are there for these tasks, and the names of the tasks for which there is none.

    With each task comes the file that it was read from: TritonBench knows its predictions by the text of it alone.
    """
    if kernels.is_dir():
        found = list(_in_folder(tasks, kernels))
    elif kernels.is_file():
        found = list(_in_lines(tasks, kernels))
    else:
        raise UsageError(f"--kernels {kernels}: there is no such folder or file")
    if not found:
        raise UsageError(
            f"--kernels {kernels} holds no kernel for any of {len(tasks)} tasks; they go by the task's name: {LAYOUTS}"
        )
    has = {one.task for one in found}
    return _numbered(found), [name for name in tasks if name not in has]


def strangers(tasks: Mapping[str, Path], kernels: Path, found: Sequence[Submission]) -> list[str]:
    """What else lies there and reads like a kernel, by the name that no task has; a file of lines holds none."""
    if not kernels.is_dir() or (kernels / EVENTS).is_file():
        return []
    if (kernels / CARD).is_file():
        ours = {kernel_folder(kernels, name, 1).parent for name in tasks}
        return sorted(home.name for home in (kernels / KERNELS).glob("*") if home not in ours)
    taken = {one.label for one in found}
    paths = [path.relative_to(kernels) for path in kernels.rglob("*.py")]
    if any(_KERNELBENCH.fullmatch(path.name) for path in kernels.iterdir()):
        paths = [path for path in paths if _KERNELBENCH.fullmatch(str(path))]
    named = [path for path in paths if str(path) not in taken and not any(part[0] in "._" for part in path.parts)]
    return sorted(str(path.with_suffix("")) for path in named)


def _numbered(found: Sequence[Submission]) -> list[Submission]:
    counts: Counter[str] = Counter()
    numbered = []
    for one in found:
        counts[one.task] += 1
        numbered.append(Submission(one.task, one.label, one.source, counts[one.task]))
    return numbered


def _in_folder(tasks: Mapping[str, Path], folder: Path) -> Iterator[Submission]:
    if (folder / EVENTS).is_file():
        yield from _of_run(tasks, folder)
    elif (folder / CARD).is_file():
        yield from _of_dataset(tasks, folder)
    elif any(_KERNELBENCH.fullmatch(path.name) for path in folder.iterdir()):
        yield from _kernelbench(tasks, folder)
    else:
        yield from _by_name(tasks, folder)


def _by_name(tasks: Mapping[str, Path], folder: Path) -> Iterator[Submission]:
    for name in tasks:
        for home in dict.fromkeys((name, folder_name(name))):
            files = [path for path in (folder / f"{home}.py",) if path.is_file()] + sorted((folder / home).glob("*.py"))
            yield from (Submission(name, str(path.relative_to(folder)), text(path)) for path in files)


def _of_run(tasks: Mapping[str, Path], folder: Path) -> Iterator[Submission]:
    """What a run handed over; its first event names the spec."""
    with (folder / EVENTS).open("rb") as lines:
        try:
            name = json.loads(lines.readline())["conditions"]["spec"]
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{folder / EVENTS}, line 1 cannot be read: it names no spec") from None
    # A run of a checkout's task has the name of the file that was made of it.
    name = next((task for task in tasks if name in (task, identifier(task))), "")
    file = next((folder / one for one in _BEST if (folder / one).is_file()), None)
    if name and file is not None:
        yield Submission(name, file.name, text(file))


def _of_dataset(tasks: Mapping[str, Path], folder: Path) -> Iterator[Submission]:
    for name in tasks:
        home = kernel_folder(folder, name, 1).parent
        for place in sorted((p for p in home.glob("*") if p.name.isdecimal()), key=lambda p: int(p.name)):
            file = next((place / one for one in _BEST if (place / one).is_file()), None)
            if file is not None:
                yield Submission(name, str(file.relative_to(folder)), text(file))


def _kernelbench(tasks: Mapping[str, Path], folder: Path) -> Iterator[Submission]:
    """A file for each sample of a problem, which is known by its level and its number alone."""
    by_number: dict[tuple[str, str], list[str]] = {}
    for name in tasks:
        number = re.search(r"(?:^|/)(\d+)_[^/]*$", name)
        level = re.search(r"level(\d+)", name) or re.search(r"level(\d+)", tasks[name].parent.name)
        if number is not None:
            by_number.setdefault((level[1] if level else "", number[1]), []).append(name)
    found = []
    for path in folder.iterdir():
        if (match := _KERNELBENCH.fullmatch(path.name)) is not None:
            level_, problem, sample = match.groups()
            names = by_number.get((level_, problem)) or by_number.get(("", problem)) or []
            if len(names) == 1:
                found.append((names[0], int(sample), path))
    for name, _, path in sorted(found):
        yield Submission(name, path.name, text(path))


def _in_lines(tasks: Mapping[str, Path], file: Path) -> Iterator[Submission]:
    golds: dict[str, str] = {}
    with file.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{file}, line {number}"
            said = _object(line, where)
            if "predict" in said and "kernel" not in said:
                golds = golds or {name: _squeezed(text(path)) for name, path in tasks.items() if path.is_file()}
                name = _predicted(said, tasks, golds, where)
                yield Submission(name, f"line {number}", _code(_string(said, "predict", where)))
                continue
            name = str(said.get("name", ""))
            if "name" not in said or not isinstance(said.get("kernel"), str):
                raise UsageError(f'{where}: wanted {{"name": TASK, "kernel": SOURCE}}, or TritonBench\'s "predict"')
            if name not in tasks:
                raise UsageError(f"{where}: there is no task {name!r} among them ({_some(tasks)})")
            yield Submission(name, f"line {number}", said["kernel"])


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise UsageError(f'{where}: wanted {{"name": TASK, "kernel": SOURCE}}, or TritonBench\'s "predict"')
    return said


def _predicted(said: Mapping[str, Any], tasks: Mapping[str, Path], golds: Mapping[str, str], where: str) -> str:
    """The task that a prediction is for: by name or file, or else the one whose own text the label is part of."""
    for key in ("name", "file", "filename"):
        name = str(said.get(key, "")).removesuffix(".py")
        if name in tasks:
            return name
    label = _squeezed(str(said.get("label") or said.get("output") or ""))
    found = [name for name, gold in golds.items() if label and label in gold]
    if not found:
        raise UsageError(
            f'{where}: its "label" is part of no task\'s file, and no "file" names one ({_some(tasks)}); a prediction '
            "says which task it is for by either"
        )
    return found[0]


def _code(text: str) -> str:
    """The code of an answer: its last fenced block, or all of it."""
    for mark in _MARKS:
        text = text.replace(mark, "")
    blocks = _FENCED.findall(text if text.endswith("\n") else f"{text}\n")
    return blocks[-1] if blocks else text


def _string(said: Mapping[str, Any], key: str, where: str) -> str:
    if not isinstance(said[key], str):
        raise UsageError(f'{where}: "{key}" is no text')
    found: str = said[key]
    return found


def _squeezed(text: str) -> str:
    """Without what editors and tokenizers change."""
    for mark in _MARKS:
        text = text.replace(mark, "")
    return "".join(text.split())


def _some(tasks: Mapping[str, Path]) -> str:
    return ", ".join([*sorted(tasks)[:5], *["..."] * (len(tasks) > 5)])
