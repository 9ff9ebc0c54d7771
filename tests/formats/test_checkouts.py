from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from geak.formats.base import Scale
from geak.formats.registry import checkout, prepared, why_not
from geak.judge_process import words
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.spec import Description
from tests.formats.checkouts import ROWS

BY_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.folder)


def made(names: list[str], folder: Path, judge: str) -> list[tuple[Task, Description]]:
    """The tasks as specs, and what these declare."""

    async def all_of() -> list[tuple[Task, Description]]:
        async with Judges([words(judge)]) as judges:
            tasks = [await prepared(name, folder, judges, Scale()) for name in names]
            return [(task, await judges.describe(task.spec)) for task in tasks]

    return asyncio.run(all_of())


@BY_ROW
def test_every_task_is_listed_with_why_it_cannot_run(row):
    there = checkout(row.root)
    assert [one.name for one, _ in there.found] == [row.format]
    assert {task.name for task in there.tasks} == {*row.contracts, *row.cannot}
    for task in there.tasks:
        assert row.cannot.get(task.name, "") in why_not(task)
        assert bool(why_not(task)) == (task.name in row.cannot)
        assert task.licence
        assert task.tolerance
        assert task.metric


@BY_ROW
def test_a_task_becomes_a_spec_whose_reference_runs_and_whose_bench_has_its_own_sizes(row, tmp_path, running_judge):
    specs = made([f"{row.root}::{name}" for name in row.contracts], tmp_path, running_judge)
    for (task, about), contract in zip(specs, row.contracts.values(), strict=True):
        assert about.spec.contract == contract
        assert about.spec.bench
        assert not task.single_shape
        assert row.format in about.doc
        assert task.findings is not None


def test_grids_and_groups_are_timed_and_a_task_without_work_is_soft(tmp_path, running_judge):
    named = [f"{ROWS[1].root}::3_row_scale", f"{ROWS[2].root}::tiny_linear/forward", f"{ROWS[2].root}::task_7/forward"]
    (_, groups), (plain, grid), (soft, _) = made(named, tmp_path, running_judge)
    assert [tuple(case.sizes.values())[:3] for case in groups.spec.bench] == [(4, 512, 96), (2, 33, 1024)]
    assert groups.spec.dtypes == {"T": ("fp32", "fp16")}
    assert {tuple(case.sizes.values()) for case in grid.spec.bench} == {
        (64, 128, 10), (64, 512, 10), (4, 128, 10), (4, 512, 10),
    }  # fmt: skip
    assert plain.soft == ()
    assert any("zeros would pass" in text for text in soft.soft)
