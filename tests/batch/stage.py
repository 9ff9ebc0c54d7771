"""A small dataset on the stage of tests/loop: specs whose comments tell the judge what to say of their kernels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import geak
from geak.journal.events import Announced, Received
from geak.journal.store import read
from tests.loop import stage

SPEC = f"{stage.SPEC}\nfrom geak_evaluator import Spec\n\nspec = Spec()\n"
"""By which the folder is known to hold specs."""
BAD, GOOD = stage.kernel(0, "verdict: rejected"), stage.kernel(1)


def dataset(place: Path, *words: str, name: str = "specs") -> Path:
    """A folder with a spec for each of these words: k00, k01, ..."""
    folder = place / name
    folder.mkdir()
    for number, said in enumerate(words):
        (folder / f"k{number:02}.py").write_text(f"{SPEC}# number {number}\n# {said}\n")
    return folder


def asked(place: Path, *kernels: str, **more: Any) -> dict[str, Any]:
    """What `geak.batch` is asked: by default every kernel takes two rounds and three calls."""
    script = place / "replies.toml"
    if not script.exists():
        stage.script(place, kernels or (BAD, GOOD))
    common = {"model": f"scripted:{script}", "judge": (stage.JUDGE,), "rounds": 3, "jobs": 3, "out": place / "run"}
    return common | more


def batch(place: Path, *kernels: str, **more: Any) -> geak.BatchResult:
    """A dataset run over `specs`."""
    return geak.batch(place / "specs", **asked(place, *kernels, **more))


def fates(result: geak.BatchResult) -> dict[str, str]:
    """How each task stands, of its last repeat."""
    return {one.task: one.fate for one in result.outcomes}


def bought(folder: Path) -> Counter[tuple[str, str, str]]:
    """How often each question was answered, over all kernels."""
    found: Counter[tuple[str, str, str]] = Counter()
    for run in sorted(folder.glob("kernels/*/*")):
        events = [entry.event for entry in read(run)]
        by_call = {event.call: event for event in events if isinstance(event, Announced)}
        for event in events:
            if isinstance(event, Received):
                call = by_call[event.call]
                found[f"{run.parent.name}/{run.name}", call.candidate, call.role] += 1
    return found
