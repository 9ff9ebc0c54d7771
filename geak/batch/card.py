"""The protocol card of a dataset run: all that a person must know to compare its numbers with others'."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from geak.errors import RunError
from geak.journal.events import Caps, RoleModel
from geak.journal.store import has_run, write
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Policy
from geak_evaluator.schema.wire import Hello

VERSION = 2
"""Raised with every change that an older GEAK would misread."""
CARD, KERNELS, SKIPPED, SUMMARY, SPECS = "dataset.json", "kernels", "skipped.jsonl", "summary.json", "spec"
"""What lies in a dataset run's folder; `spec` in a kernel's, where a format made one."""


@dataclass(frozen=True)
class Chosen:
    """A task that is run."""

    name: str
    sha256: str
    """Of its spec's text; of a task that a format makes a spec of, of the file that it is made from."""
    category: str = ""
    difficulty: str = ""
    licence: str = ""
    """By its SPDX name; "" where the dataset does not say."""
    title: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A task that is not run, and why, in a sentence."""

    name: str
    why: str


@dataclass(frozen=True)
class Selection:
    """What was asked for of a dataset; all of it, if nothing is said."""

    filter: tuple[str, ...] = ()
    slice: str = ""
    shuffle: int | None = None


@dataclass(frozen=True)
class Room:
    """The judge, by its own word."""

    sha256: str
    """Of its source; "" where it did not say."""
    python: str
    sandbox: str
    packages: dict[str, str]


@dataclass(frozen=True)
class Card:
    """What was asked for, of what, and who judged it; written once, at the beginning."""

    version: int
    dataset: str
    format: str
    dataset_sha256: str
    """Over the names and hashes of the chosen tasks, whatever their order."""
    judge: Room
    models: dict[str, RoleModel]
    """By role, as they were asked for; what answered is in the kernels' journals."""
    policy: Policy
    targets: tuple[str, ...]
    devices: tuple[str, ...]
    """The kinds of GPU that the judge could open; none, where nothing could be measured."""
    goal: str
    strategy: str
    samples: int
    rounds: int
    repairs: int
    ancestors: int
    tune: int
    caps: Caps
    """Of the whole dataset run."""
    repeats: int
    geak: str
    began: str
    """UTC."""
    elements: int = 4096
    """How large the cases of a task may become that a format makes a spec of."""
    hint: str = ""
    selection: Selection = Selection()
    tasks: tuple[Chosen, ...] = ()
    """In the order in which they are begun."""
    left_out: tuple[LeftOut, ...] = ()

    @property
    def candidates(self) -> int:
        """How many each kernel may have."""
        return self.samples * self.rounds


@dataclass(frozen=True)
class Difference:
    """What two cards say differently of one thing."""

    field: str
    """Down to what differs of it: "judge.packages.triton"."""
    one: str
    other: str


_CHANGED = ("models", "strategy", "repairs", "ancestors", "tune", "hint", "geak")
"""What is compared: who writes, and how it is gone about."""
_PROTOCOL = (
    "dataset_sha256",
    "judge",
    "policy",
    "targets",
    "devices",
    "goal",
    "elements",
    "candidates",
    "caps",
    "repeats",
)
"""What must be one for two numbers to mean the same: what is asked, who decides, on what, and what it may cost."""


def unequal(one: Card, other: Card) -> tuple[Difference, ...]:
    """Why two runs' numbers cannot be compared: `geak compare` refuses where there is any, unless it is forced."""
    return _differences(one, other, _PROTOCOL)


def changed(one: Card, other: Card) -> tuple[Difference, ...]:
    """What a comparison of two runs is about: models, strategy; told with it, and no reason to refuse."""
    return _differences(one, other, _CHANGED)


def dataset_hash(tasks: Iterable[Chosen]) -> str:
    """What was run, as one hash: equal for equal tasks, in whatever order."""
    lines = sorted(json.dumps([task.name, task.sha256]) for task in tasks)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def room(hello: Hello) -> Room:
    """A judge, as the card names it."""
    return Room(hello.code, hello.python, hello.sandbox, dict(hello.packages))


def devices(hello: Hello) -> tuple[str, ...]:
    """The kinds of GPU that a judge can open, by name: one target is several devices' of unlike speed."""
    return tuple(sorted({gpu.name or gpu.target or gpu.arch for gpu in hello.gpus if gpu.usable}))


def write_card(folder: Path, card: Card) -> None:
    """Writes it, once."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / CARD, (json.dumps(codec.to_json(card), indent=1) + "\n").encode())


def read_card(folder: Path) -> Card:
    """The card of a dataset run, or a RunError that says what is in its place."""
    path = folder / CARD
    try:
        data = codec.loads(path.read_bytes(), limit=1 << 28)
        if isinstance(data, dict) and data.get("version") != VERSION:
            raise RunError(f"{path} was written by another GEAK (card {data.get('version')}, this one reads {VERSION})")
        return codec.from_json(Card, data)
    except FileNotFoundError:
        raise RunError(f"{folder} holds no dataset run: there is no {CARD} in it") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except codec.WireError as error:
        raise RunError(f"{path} cannot be read: {str(error)[:200]}") from None


def folder_name(task: str) -> str:
    """What a task's folder is called."""
    return task.replace("/", "__")


def kernel_name(task: str, repeat: int) -> str:
    """One repeat of one task, for a person."""
    return task if repeat == 1 else f"{task} ({repeat})"


def kernel_folder(folder: Path, task: str, repeat: int) -> Path:
    """Where one repeat of one task is run."""
    return folder / KERNELS / folder_name(task) / str(repeat)


def kernel_folders(folder: Path, card: Card) -> Iterator[tuple[Chosen, int, Path]]:
    """Every task and repeat of a card with the folder of its run, where that was begun."""
    for task in card.tasks:
        for repeat in range(1, card.repeats + 1):
            place = kernel_folder(folder, task.name, repeat)
            if has_run(place):
                yield task, repeat, place


def skipped(folder: Path) -> dict[str, str]:
    """Tasks that could not be run, each with the last reason; a line that was cut off says nothing."""
    try:
        lines = (folder / SKIPPED).read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    found: dict[str, str] = {}
    for line in lines:
        try:
            said = codec.loads(line) if line else {}
        except codec.WireError:
            continue
        if isinstance(said, dict) and isinstance(said.get("task"), str):
            found[said["task"]] = str(said.get("why", ""))
    return found


def _differences(one: Card, other: Card, names: tuple[str, ...]) -> tuple[Difference, ...]:
    found: list[Difference] = []
    for name in names:
        pair = [codec.to_json(getattr(card, name)) for card in (one, other)]
        if name == "dataset_sha256" and pair[0] != pair[1]:
            pair = [f"{card.dataset} ({len(card.tasks):,}, hash {card.dataset_sha256[:12]})" for card in (one, other)]
        found += _narrowed(_CALLED.get(name, name), *pair)
    return tuple(found)


_CALLED = {"dataset_sha256": "tasks", "candidates": "candidates of each kernel"}


def _narrowed(name: str, one: object, other: object) -> Iterator[Difference]:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        if one.get("model") != other.get("model"):  # what it costs and how it is asked follows from which it is
            keys = ["model"]
        for key in keys:
            yield from _narrowed(f"{name}.{key}", one.get(key), other.get(key))
    elif one != other:
        yield Difference(name, _said(one), _said(other))


def _said(value: object) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value) or "none"
    return "none" if value in (None, "") else value if isinstance(value, str) else codec.dumps(value)
