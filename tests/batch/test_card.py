"""The protocol card: what it holds comes back, and what forbids a comparison is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from geak.batch.card import (
    CARD,
    VERSION,
    Card,
    Chosen,
    LeftOut,
    Room,
    Selection,
    changed,
    dataset_hash,
    devices,
    kernel_folder,
    kernel_folders,
    read_card,
    skipped,
    unequal,
    write_card,
)
from geak.errors import RunError
from geak.journal.events import Caps, RoleModel
from geak.models.base import Price
from geak_evaluator.schema.device import Gpu
from geak_evaluator.schema.verdict import Policy
from geak_evaluator.schema.wire import Hello

TASKS = (
    Chosen("level1/19_ReLU", "a" * 64, "level1", "1", "MIT", "ReLU"),
    Chosen("softmax", "b" * 64),
)
ONE = Card(
    version=VERSION,
    dataset="starter",
    format="native",
    dataset_sha256=dataset_hash(TASKS),
    judge=Room("c" * 64, "3.11", "isolated", {"torch": "2.13"}),
    models={"generator": RoleModel("anthropic:some", Price(1.0, 5.0), "high", None, 8000)},
    policy=Policy.PURE,
    targets=("gfx942",),
    devices=(),
    goal="correct",
    strategy="reflexion",
    samples=1,
    rounds=10,
    repairs=3,
    ancestors=4,
    tune=0,
    caps=Caps(usd=5.0),
    repeats=2,
    geak="0.1.0",
    began="2026-01-01T00:00:00Z",
    selection=Selection(("level1/*",), "0:10", 7),
    tasks=TASKS,
    left_out=(LeftOut("x", "it needs a GPU"),),
)


def test_a_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_card(tmp_path, ONE)
    assert read_card(tmp_path) == ONE


def test_a_folder_without_a_card_is_said_to_hold_no_dataset_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no dataset run: there is no dataset\.json"):
        read_card(tmp_path)
    (tmp_path / CARD).write_text('{"version": 99}')
    with pytest.raises(RunError, match="written by another GEAK"):
        read_card(tmp_path)
    (tmp_path / CARD).write_text('{"version": 1, "dataset"')
    with pytest.raises(RunError, match="cannot be read: not JSON"):
        read_card(tmp_path)


def test_the_dataset_s_hash_knows_tasks_and_not_their_order() -> None:
    assert dataset_hash(TASKS) == dataset_hash(TASKS[::-1])
    assert dataset_hash(TASKS) != dataset_hash(TASKS[:1])
    assert dataset_hash(TASKS) != dataset_hash((TASKS[0], replace(TASKS[1], sha256="d" * 64)))


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, dataset_sha256="0"),
        replace(ONE, judge=replace(ONE.judge, packages={"torch": "2.12"})),
        replace(ONE, policy=Policy.OPEN),
        replace(ONE, targets=("sm_90",)),
        replace(ONE, devices=("/dev/kfd",)),
        replace(ONE, rounds=20),
        replace(ONE, caps=Caps(usd=50.0)),
        replace(ONE, repeats=1),
    ],
)
def test_another_protocol_cannot_be_compared(other: Card) -> None:
    assert len(unequal(ONE, other)) == 1
    assert not changed(ONE, other)


def test_another_model_is_what_a_comparison_is_about() -> None:
    other = replace(ONE, models={"generator": RoleModel("openai:other")}, strategy="best-of-n", samples=10, rounds=1)
    assert not unequal(ONE, other)
    assert [difference.field for difference in changed(ONE, other)] == ["models.generator.model", "strategy"]


def test_where_a_kernel_s_run_lies(tmp_path: Path) -> None:
    place = kernel_folder(tmp_path, "level1/19_ReLU", 2)
    assert place == tmp_path / "kernels" / "level1__19_ReLU" / "2"
    assert list(kernel_folders(tmp_path, ONE)) == []
    place.mkdir(parents=True)
    (place / "events.jsonl").touch()
    assert list(kernel_folders(tmp_path, ONE)) == []  # its process was killed before the first line
    (place / "events.jsonl").write_text("{}\n")
    assert list(kernel_folders(tmp_path, ONE)) == [(TASKS[0], 2, place)]


def test_what_was_skipped_is_read_line_by_line(tmp_path: Path) -> None:
    assert skipped(tmp_path) == {}
    (tmp_path / "skipped.jsonl").write_text('{"task": "a", "why": "one"}\n{"task": "a", "why": "two"}\n{"task": "b"')
    assert skipped(tmp_path) == {"a": "two"}


def test_devices_are_kinds_of_gpu_and_not_files_or_targets() -> None:
    """Two GPUs of one target may differ in speed; one that cannot be opened measures nothing."""
    faster, slower = (Gpu("amd", name, name=name, target="gfx942") for name in ("MI325X", "MI300X"))
    locked = Gpu("nvidia", "x", name="H100", target="sm_90", usable=False)
    hello = Hello(1, "3.11", {}, "isolated", devices=("/dev/kfd",), gpus=(faster, slower, slower, locked))
    assert devices(hello) == ("MI300X", "MI325X")
    assert devices(replace(hello, gpus=())) == ()
