"""Dataset runs on the stage: real kernel runs in the folders that a batch would give them, and their card."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import geak
from geak.batch.card import Card, Chosen, dataset_hash, kernel_folder, write_card
from geak.journal.store import EVENTS
from geak.metrics.results import card_of
from tests.loop.stage import options, spec

Kernels = Sequence[str]


def dataset(
    place: Path,
    tasks: Mapping[str, Sequence[Kernels]],
    *,
    about: Mapping[str, Mapping[str, Any]] | None = None,
    soft: Sequence[str] = (),
    **more: Any,
) -> Path:
    """A dataset run's folder: of each task, for each repeat, what its model writes in turn."""
    folder = place / "set"
    runs = [(task, n, kernels) for task, each in tasks.items() for n, kernels in enumerate(each, 1) if kernels]
    asyncio.run(_all(place, folder, runs, more))
    chosen = tuple(Chosen(name, "0" * 64, **dict((about or {}).get(name, {}))) for name in tasks)
    for task, repeat, _ in runs:
        if task in soft:
            _mark_soft(kernel_folder(folder, task, repeat))
    run = geak.load_run(kernel_folder(folder, runs[0][0], runs[0][1]))
    repeats = max(len(each) for each in tasks.values())
    write_card(folder, card(run, chosen, repeats))
    return folder


def card(run: geak.Run, chosen: tuple[Chosen, ...], repeats: int = 1) -> Card:
    """A card as a batch would write it for runs like this one."""
    return replace(
        card_of(run),
        dataset="staged",
        tasks=chosen,
        dataset_sha256=dataset_hash(chosen),
        repeats=repeats,
    )


def _mark_soft(run: Path) -> None:
    """Has its journal say what a format's task would: the specs of this stage are our own."""
    first, _, rest = (run / EVENTS).read_text().partition("\n")
    begun = json.loads(first)
    begun["conditions"]["soft"] = True
    (run / EVENTS).write_text(f"{json.dumps(begun)}\n{rest}")


async def _all(place: Path, folder: Path, runs: Sequence[tuple[str, int, Kernels]], more: Mapping[str, Any]) -> None:
    for task, repeat, kernels in runs:
        shop = place / f"{task.replace('/', '__')}-{repeat}"
        shop.mkdir(parents=True)
        out = kernel_folder(folder, task, repeat)
        await geak.generate_async(spec(shop), **options(shop, kernels, **{"out": out, "rounds": 2, **more}))
