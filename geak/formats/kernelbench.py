"""KernelBench: a PyTorch module a file, with the inputs that it is to be run on; levels 1 to 4."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from geak.drafting import from_torch
from geak.formats.base import Listed, Need, Scale
from geak.formats.files import folders, head, python_files
from geak.formats.modules import ENTRY, Drafting, drafted
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.verdict import Policy

_LEVEL = re.compile(r"level[1-9]")
_NUMBERED = re.compile(r"\d+_.+\.py")
_KINDS = {"level1": "single operations", "level2": "fused operations", "level3": "architectures"}


class KernelBench:
    """KernelBench/level1/19_ReLU.py: class Model, get_inputs, get_init_inputs."""

    name = "kernelbench"
    layout = "KernelBench: KernelBench/level1/1_NAME.py with a class Model and get_inputs"

    def recognises(self, root: Path) -> bool:
        """Whether the folders of the levels are here, or one of them, or a file of one."""
        return any(_is_task(file) for level in _levels(root) for file in python_files(level)[:3])

    def tasks(self, root: Path) -> Iterator[Listed]:
        """A task for each numbered file."""
        for level in _levels(root):
            for file in python_files(level):
                if _NUMBERED.fullmatch(file.name):
                    yield _listed(file)

    async def task(self, listed: Listed, folder: Path, judges: Judges, scale: Scale) -> Task:
        """A spec of the module, in fp32, with its own sizes for timing."""
        return await drafted(listed, draft_of(listed), folder, judges, scale)


def draft_of(listed: Listed) -> Drafting:
    """How its file is read."""
    return lambda wanted: from_torch(listed.file, "Model", ENTRY, wanted=wanted)


def _levels(root: Path) -> list[Path]:
    """The levels at or below a path; a single file stands for itself."""
    if root.is_file() or _LEVEL.fullmatch(root.name):
        return [root]
    below = [f for f in folders(root) if _LEVEL.fullmatch(f.name)]
    return below or [f for f in folders(root / "KernelBench") if _LEVEL.fullmatch(f.name)]


def _is_task(file: Path) -> bool:
    text = head(file)
    return bool(_NUMBERED.fullmatch(file.name)) and "class Model" in text and "def get_inputs" in text


def _listed(file: Path) -> Listed:
    level = file.resolve().parent.name if _LEVEL.fullmatch(file.resolve().parent.name) else ""
    return Listed(
        "/".join(filter(None, (level, file.stem))),
        file,
        KernelBench.name,
        title=re.sub(r"^\d+_", "", file.stem).replace("_", " ").strip(),
        category=_KINDS.get(level, ""),
        difficulty=level.replace("level", "level "),
        licence="MIT",
        needs=(Need.WEIGHTS, Need.NETWORK) if level == "level4" else (),
        policy=Policy.MIXED if level in ("level2", "level3") else Policy.PURE,
        tolerance="torch.allclose with atol = rtol = 1e-4 in fp32 (1e-2 up to version 0.1)",
        metric="fast_p: the share of tasks that are right and more than p times as fast as eager torch",
    )
