"""The formats that are known, and what of a path they recognise: the one door to anybody's tasks."""

from __future__ import annotations

import asyncio
import difflib
import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from geak.errors import UsageError
from geak.formats.base import Format, Listed, Need, Scale
from geak.formats.files import commit, folders, identifier
from geak.formats.native import Native
from geak.judge_process import words
from geak.judges import Judges
from geak.specs import collection
from geak.tasks import Task, for_spec

GROUP = "geak.formats"
"""Entry points of other packages: each an object, or a class without arguments, that is a `Format`."""
SEPARATOR = "::"
READ_AT = {
    "kernelbench": ("423217d9",),
    "multikernelbench": ("460a972c",),
    "robust-kbench": ("078f5bab",),
    "tritonbench-g": ("603e28a5",),
    "tritonbench-t": ("603e28a5",),
    "geak-rocm": ("453b0218",),
    "agentkernelarena": ("d6f7c8a4",),
    "flashinfer-bench": ("ecafa9c2",),
    "backendbench": ("66e0dbc0", "db2155c8"),
}
"""The commits that each format was tried on; traces are kept in a repository of their own."""


@dataclass(frozen=True)
class Checkout:
    """What was recognised at a path; its tasks are read from the files' names, and none of them was run."""

    root: Path
    found: tuple[tuple[Format, Path], ...]
    """The formats, and where below the root each was recognised."""
    tasks: tuple[Listed, ...]
    duplicates: tuple[str, ...] = ()
    """Names that several tasks have: only the first of each can be asked for."""
    commit: str = ""
    """As its .git says; "" where it has none."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is uncertain of it: a version that nobody has tried here may hold other tasks, or other sizes."""
        read = [(one.name, READ_AT[one.name]) for one, _ in self.found if one.name in READ_AT]
        return tuple(
            f"this is commit {self.commit[:8]}, and {name} was tried at {' and '.join(tried)}: "
            "tasks and sizes may be others"
            for name, tried in dict.fromkeys(read)
            if self.commit and not self.commit.startswith(tried)
        )

    def task(self, name: str) -> Listed:
        """The task of that name, or of the only one that ends so."""
        for ends in (False, True):
            found = [t for t in self.tasks if t.name == name or (ends and t.name.endswith(f"/{name}"))]
            if len({t.name for t in found}) == 1:
                return found[0]
            if found:
                raise UsageError(f"{self.root} has several {name!r}: {', '.join(t.name for t in found[:5])}; name one")
        near = difflib.get_close_matches(name, [t.name for t in self.tasks], 1, 0.3)
        hint = f"did you mean {near[0]}?" if near else f"geak specs list {self.root} shows them"
        raise UsageError(f"{self.root} has no task {name!r} among its {len(self.tasks)}; {hint}")

    def format(self, listed: Listed) -> Format:
        """The format that a task is kept in."""
        return next(one for one, _ in self.found if one.name == listed.format)


@functools.cache
def formats() -> tuple[Format, ...]:
    """All that are known: ours, and those of other packages by their entry points."""
    from geak.formats.arena import Arena
    from geak.formats.backendbench import BackendBench
    from geak.formats.flashinfer import FlashInfer
    from geak.formats.kernelbench import KernelBench
    from geak.formats.multikernelbench import MultiKernelBench
    from geak.formats.robust_kbench import RobustKBench
    from geak.formats.tritonbench import GeakRocm, TritonBenchG, TritonBenchT

    ours: list[Format] = [
        Native(),
        KernelBench(),
        MultiKernelBench(),
        RobustKBench(),
        TritonBenchG(),
        TritonBenchT(),
        GeakRocm(),
        Arena(),
        FlashInfer(),
        BackendBench(),
    ]
    for entry in metadata.entry_points(group=GROUP):
        try:
            loaded = entry.load()
            ours.append(loaded() if isinstance(loaded, type) else loaded)
        except Exception as error:  # anybody's code: it costs nobody else's formats
            ours.append(_Unloadable(entry.name, f"{entry.value} cannot be loaded ({type(error).__name__}: {error})"))
    return tuple(ours)


class _Unloadable(Native):
    """Stands for a format of another package that does not load: it knows nothing, and says why when asked."""

    def __init__(self, name: str, why: str) -> None:
        self.name, self.layout = name, f"{name}: {why}"

    def recognises(self, root: Path) -> bool:
        """Nothing."""
        return False


def checkout(path: str | Path) -> Checkout:
    """What a folder or a file holds; UsageError where no format knows it."""
    root = Path(path).expanduser()
    if not root.exists():
        raise UsageError(f"{root} does not exist")
    found = recognised(root)
    if not found:
        looked = "; ".join(one.layout for one in formats())
        raise UsageError(f"{root} is kept in no format that is known; looked for {looked}")
    tasks: dict[str, Listed] = {}
    files: set[Path] = set()
    twice: list[str] = []
    for one, where in found:
        before = frozenset(files)
        for listed in one.tasks(where):
            file = listed.file.resolve()
            if file in before:  # another format has it
                continue
            files.add(file)
            if where != root:
                listed = replace(listed, name=f"{where.name}/{listed.name}")
            if listed.name in tasks:
                twice.append(listed.name)
            tasks.setdefault(listed.name, listed)
    return Checkout(root, tuple(found), tuple(tasks.values()), tuple(dict.fromkeys(twice)), commit(root))


def recognised(root: Path) -> list[tuple[Format, Path]]:
    """The formats that a path is kept in, or else the folders in it."""
    found = [(one, root) for one in formats() if one.recognises(root)]
    return found or [(one, inner) for inner in folders(root) for one in formats() if one.recognises(inner)]


def is_foreign(name: str) -> bool:
    """Whether PATH::TASK is meant, rather than a spec's file or name."""
    return SEPARATOR in name and not Path(name).exists()


def located(name: str) -> tuple[Format, Listed]:
    """The task that PATH::TASK names, and its format; UsageError where there is none, or it cannot be run here."""
    path, _, task = name.partition(SEPARATOR)
    there = checkout(collection(path))
    listed = there.task(task)
    if why := why_not(listed):
        raise UsageError(f"{name} cannot be run here: {why}")
    return there.format(listed), listed


def why_not(listed: Listed) -> str:
    """Why a task cannot be run on this machine, in a sentence; "" where it can."""
    if listed.why_not:
        return listed.why_not
    missing = [need.value for need in listed.needs if need not in _ANYWHERE]
    return f"it needs {' and '.join(missing)}" if missing else ""


_ANYWHERE: frozenset[Need] = frozenset({Need.GPU})
"""What a proof does without: kernels are interpreted where there is no GPU."""


def spec_name(name: str) -> str:
    """What a spec will be called; UsageError where there is none, before anything is started for it."""
    return identifier(located(name)[1].name) if is_foreign(name) else for_spec(name).spec.stem


async def prepared(name: str, folder: Path, judges: Judges, scale: Scale) -> Task:
    """The task behind a spec's file, its name, or PATH::TASK, which is made a spec in `folder` first."""
    if not is_foreign(name):
        return for_spec(name)
    one, listed = located(name)
    folder.mkdir(parents=True, exist_ok=True)
    return await one.task(listed, folder, judges, scale)


@contextmanager
def at_hand(name: str, judge: str | list[str] | None, scale: Scale) -> Iterator[Task]:
    """The same for a short command: the spec lies in a folder that is gone afterwards."""
    if not is_foreign(name):
        yield for_spec(name)
        return
    located(name)
    from geak.judge_process import command

    argv = words(judge) if isinstance(judge, str) else judge or command()

    async def made(folder: Path) -> Task:
        async with Judges([argv]) as judges:
            return await prepared(name, folder, judges, scale)

    with tempfile.TemporaryDirectory(prefix="geak-task-") as folder:
        yield asyncio.run(made(Path(folder)))
