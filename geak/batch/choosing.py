"""Which tasks of a dataset are run: all, those that match, some of them, every n-th."""

from __future__ import annotations

import fnmatch
import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geak.batch.card import Chosen, LeftOut, Selection, folder_name
from geak.errors import UsageError
from geak.formats.base import Listed, Scale
from geak.formats.registry import Checkout, checkout, why_not
from geak.judges import Judges
from geak.specs import collection
from geak.tasks import Task


@dataclass(frozen=True)
class Dataset:
    """A dataset as its format lists it; nothing of it was run."""

    name: str
    there: Checkout
    scale: Scale = field(default_factory=Scale)

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.there.root

    @property
    def format(self) -> str:
        """How it is kept."""
        return "+".join(dict.fromkeys(one.name for one, _ in self.there.found))

    @property
    def tasks(self) -> tuple[Listed, ...]:
        """All that there are."""
        return self.there.tasks

    async def task(self, listed: Listed, folder: Path, judges: Judges) -> Task:
        """The task itself; what has to be made for it lies in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        return await self.there.format(listed).task(listed, folder, judges, self.scale)


def open_dataset(name: str, scale: Scale | None = None) -> Dataset:
    """The dataset behind a path, or behind the name of one that ships, or of one spec of these."""
    root = collection(name)
    there = checkout(root)
    if there.duplicates:
        raise UsageError(f"{root} has two tasks of the name {there.duplicates[0]!r}; rename one of them")
    return Dataset(root.resolve().name if root.is_dir() else root.stem, there, scale or Scale())


@dataclass(frozen=True)
class Shard:
    """Every n-th task: what one of several processes works on."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Reads "2/8"; all, if nothing is said."""
        if not text:
            return cls()
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match and 1 <= int(match[1]) <= int(match[2]):
            return cls(int(match[1]), int(match[2]))
        raise UsageError(f"--shard {text!r} is no part of the whole; 2/8 is the second of eight")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def choose(dataset: Dataset, selection: Selection) -> tuple[list[Listed], list[LeftOut]]:
    """The tasks that are run, in their order, and those that cannot be, each with the reason."""
    names = Counter(folder_name(listed.name) for listed in dataset.tasks)
    if twice := [name for name, count in names.items() if count > 1]:
        raise UsageError(f"{dataset.path} has two tasks whose folder would be {twice[0]!r}; rename one of them")
    wanted = [listed for listed in dataset.tasks if _matches(listed, selection.filter)]
    if not wanted:
        raise UsageError(_nothing(dataset, selection))
    if selection.shuffle is not None:
        random.Random(selection.shuffle).shuffle(wanted)
    wanted = wanted[_slice(selection.slice)]
    if not wanted:
        raise UsageError(f"--slice {selection.slice} leaves none of the tasks of {dataset.path}")
    reasons = {listed.name: why_not(listed) for listed in wanted}
    left_out = [LeftOut(name, why) for name, why in reasons.items() if why]
    chosen = [listed for listed in wanted if not reasons[listed.name]]
    if not chosen:
        raise UsageError(f"none of the {len(wanted)} tasks can be run here: {left_out[0].name}: {left_out[0].why}")
    return chosen, left_out


def described(chosen: Iterable[Listed]) -> tuple[Chosen, ...]:
    """The chosen as the card keeps them; each file is read once, whatever number of tasks it holds."""
    known: dict[Path, str] = {}

    def digest(path: Path) -> str:
        if path not in known:
            try:
                known[path] = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError:
                known[path] = ""  # said when its turn comes: the others go on
        return known[path]

    return tuple(
        Chosen(one.name, digest(one.file), one.category, one.difficulty, one.licence, one.title) for one in chosen
    )


def _matches(listed: Listed, patterns: Sequence[str]) -> bool:
    texts = [text for text in (listed.name, listed.category) if text]
    return not patterns or any(test(text) for test in map(_test, patterns) for text in texts)


def _test(pattern: str) -> Callable[[str], bool]:
    if not pattern.startswith("re:"):
        return lambda text: fnmatch.fnmatchcase(text, pattern)
    try:
        compiled = re.compile(pattern.removeprefix("re:"))
    except re.error as error:
        raise UsageError(f"--filter {pattern!r} is no regular expression: {error}") from None
    return lambda text: compiled.search(text) is not None


def _slice(text: str) -> slice:
    if not text:
        return slice(None)
    match = re.fullmatch(r"(-?\d+)?:(-?\d+)?", text)
    if match is None:
        raise UsageError(f"--slice {text!r} is no slice; :10 is the first ten, 10:20 the next, -5: the last five")
    first, last = (int(part) if part else None for part in match.groups())
    return slice(first, last)


def _nothing(dataset: Dataset, selection: Selection) -> str:
    categories = sorted({listed.category for listed in dataset.tasks if listed.category})
    some = ", ".join([listed.name for listed in dataset.tasks[:3]])
    kinds = f", categories are {', '.join(categories[:5])}" if categories else ""
    asked = " ".join(f"--filter {pattern!r}" for pattern in selection.filter)
    return f"{asked} matches none of the {len(dataset.tasks)} tasks of {dataset.path}; names are {some}, ...{kinds}"
