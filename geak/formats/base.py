"""What a format tells of a benchmark's checkout: files are read here, nothing of them is run, nothing is written."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from geak.judges import Judges
from geak.settings import ELEMENTS
from geak.tasks import Task
from geak_evaluator.schema.verdict import Policy


class Need(str, enum.Enum):
    """What a task takes that not every machine has."""

    GPU = "a GPU"
    AMD = "an AMD GPU"
    NVIDIA = "an NVIDIA GPU"
    NETWORK = "the network"
    WEIGHTS = "weights of a model"
    CONTAINER = "a container image"
    OTHER_LANGUAGE = "a kernel language other than Triton"


@dataclass(frozen=True)
class Listed:
    """One task of a checkout, as its files tell it; it is no spec yet."""

    name: str
    """Within its checkout, as `geak generate PATH::NAME` takes it: "level1/19_ReLU"."""
    file: Path
    format: str
    title: str = ""
    """What it computes, in a line."""
    category: str = ""
    difficulty: str = ""
    licence: str = ""
    """Of the benchmark or of this task, by its SPDX name; "" where the checkout does not say."""
    needs: tuple[Need, ...] = ()
    why_not: str = ""
    """Why it cannot be made a spec at all, in a sentence; "" where it can."""
    policy: Policy = Policy.PURE
    """What may do the work beside Triton kernels, where nobody says otherwise."""
    tolerance: str = ""
    """The benchmark's own, in its words; ours is the spec's."""
    metric: str = ""
    """What the benchmark itself reports, in its words."""


@dataclass(frozen=True)
class Scale:
    """How large the cases of a task may become where they are interpreted."""

    elements: int = ELEMENTS
    """Of all inputs of a case together, about; the benchmark's own sizes stay the spec's bench."""


class Format(Protocol):
    """One benchmark's way of keeping tasks: a short module each, found by the entry point group `geak.formats`."""

    name: str
    """One word, for messages and for the card of a run."""
    layout: str
    """What is looked for, for a path that nothing recognises: "KernelBench/level1/*.py with a class Model"."""

    def recognises(self, root: Path) -> bool:
        """Whether this folder or file is kept that way; cheap, by names and at most a few files."""

    def tasks(self, root: Path) -> Iterable[Listed]:
        """All tasks below, those that cannot be run here included."""

    async def task(self, listed: Listed, folder: Path, judges: Judges, scale: Scale) -> Task:
        """Its spec as a file in `folder`, which exists; with the kernel to begin from, where the task has one.

        Raises SpecError or UsageError, with a sentence, where it cannot be made one. What has to be run to be known
        (the shapes of a test's calls) is run by a judge, confined.
        """
