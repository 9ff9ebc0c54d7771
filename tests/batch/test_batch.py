"""`geak.batch`: many kernels under one budget, each its own run; what goes wrong with one is its own."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

import geak
import geak.api
from geak.batch import running
from geak.batch.card import read_card
from geak.batch.running import Began, Done, Told, What
from geak.errors import RunError, UsageError
from geak.journal.store import Journal, locked, read
from tests.batch.stage import BAD, GOOD, SPEC, asked, batch, bought, dataset, fates
from tests.loop import stage


def test_every_kernel_is_a_run_of_its_own_in_one_folder(tmp_path: Path) -> None:
    dataset(tmp_path, "", "", "", "")
    result = batch(tmp_path)
    assert (result.reason, result.exit_code, result.counts) == ("complete", 0, {"goal": 4})
    assert result.account.calls == 12
    for number in range(4):
        assert geak.load_run(tmp_path / "run" / "kernels" / f"k{number:02}" / "1").population.best is not None
        assert (tmp_path / "run" / "kernels" / f"k{number:02}" / "1" / "best.py").is_file()
    card = read_card(tmp_path / "run")
    assert [task.name for task in card.tasks] == ["k00", "k01", "k02", "k03"]
    assert (card.dataset, card.format, card.repeats, card.rounds) == ("specs", "native", 1, 3)
    assert card.judge.packages == {"torch": "2.13", "triton": "3.9"}


def test_the_same_command_again_buys_and_judges_nothing(tmp_path: Path) -> None:
    dataset(tmp_path, "", "# never")
    first = batch(tmp_path, BAD, GOOD, BAD)
    lines = {path: path.read_bytes() for path in tmp_path.glob("run/kernels/*/*/events.jsonl")}
    again = batch(tmp_path)
    assert len(lines) == 2
    assert {path: path.read_bytes() for path in lines} == lines
    assert (again.outcomes, again.exit_code) == (first.outcomes, 1)
    assert again.account.calls == first.account.calls > 0


def test_what_goes_wrong_with_one_leaves_the_others(tmp_path: Path) -> None:
    dataset(tmp_path, "", "unreadable: an axis is missing", "kills", "never", "")
    result = batch(tmp_path, BAD, GOOD)  # after which the script has no more
    assert fates(result) == {"k00": "goal", "k01": "skipped", "k02": "skipped", "k03": "provider", "k04": "goal"}
    assert result.exit_code == 1
    assert "2 of 5 kernels reached their goal" in result.message
    skipped = [json.loads(line) for line in (tmp_path / "run" / "skipped.jsonl").read_text().splitlines()]
    assert {line["task"]: line["why"].split(";")[0] for line in skipped} == {
        "k01": "an axis is missing",
        "k02": "two judges in turn did not answer this",
    }


def test_what_failed_is_tried_again_only_where_that_is_asked(tmp_path: Path) -> None:
    specs = dataset(tmp_path, "", "unreadable: an axis is missing", "never")
    batch(tmp_path, BAD, GOOD)
    (specs / "k01.py").write_text(SPEC)
    stage.script(tmp_path, [BAD, GOOD, BAD])  # one more reply than before
    again = batch(tmp_path)
    assert fates(again) == {"k00": "goal", "k01": "skipped", "k02": "provider"}
    retried = batch(tmp_path, retry="failed")
    assert fates(retried) == {"k00": "goal", "k01": "goal", "k02": "rounds"}
    assert not (tmp_path / "run" / "skipped.jsonl").read_text()
    assert fates(batch(tmp_path)) == fates(retried)
    assert set(bought(tmp_path / "run").values()) == {1}


def test_a_spec_that_was_changed_under_its_kernels_is_another_dataset(tmp_path: Path) -> None:
    specs = dataset(tmp_path, "", "")
    batch(tmp_path)
    (specs / "k01.py").write_text(SPEC)
    with pytest.raises(RunError, match=r"run holds a run of another choice of tasks \(2 tasks\); choose another --out"):
        batch(tmp_path)


def test_a_key_that_is_wrong_ends_all_at_once_and_three_failures_in_a_row_too(tmp_path: Path) -> None:
    dataset(tmp_path, *["never"] * 8)
    result = batch(tmp_path, BAD, jobs=1)
    assert (result.reason, result.exit_code) == ("provider", 5)
    assert result.counts == {"provider": 3, "waiting": 5}
    assert "has no reply number 2" in result.message


def test_a_mistake_of_ours_costs_one_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = running.begin

    async def begin(task, *arguments, **more):  # type: ignore[no-untyped-def]
        if task.spec.stem == "k01":
            raise KeyError("a mistake")
        return await whole(task, *arguments, **more)

    monkeypatch.setattr(running, "begin", begin)
    dataset(tmp_path, "", "", "")
    result = batch(tmp_path)
    assert fates(result) == {"k00": "goal", "k01": "mistake", "k02": "goal"}
    assert "GEAK itself failed over it: KeyError: 'a mistake'" in result.outcomes[1].message


def test_repeats_are_independent_runs(tmp_path: Path) -> None:
    dataset(tmp_path, "", "")
    result = batch(tmp_path, repeat=2)
    assert [(one.task, one.repeat, one.calls) for one in result.outcomes] == [
        *(("k00", 1, 3), ("k01", 1, 3), ("k00", 2, 3), ("k01", 2, 3))
    ]
    assert len({geak.load_run(run).population.run for run in tmp_path.glob("run/kernels/*/*")}) == 4


def test_shards_part_the_tasks_and_the_money(tmp_path: Path) -> None:
    dataset(tmp_path, *[""] * 5)
    parts = [batch(tmp_path, shard=f"{n}/2", calls=30) for n in (1, 2)]
    assert [list(fates(part)) for part in parts] == [["k00", "k02", "k04"], ["k01", "k03"]]
    whole = batch(tmp_path, calls=30)
    assert (whole.exit_code, whole.account.calls) == (0, 15)
    assert sum(part.account.calls for part in parts) == 15
    assert read_card(tmp_path / "run").caps.calls == 30


def test_a_stopped_batch_begins_nothing_more_and_is_gone_on_with(tmp_path: Path) -> None:
    dataset(tmp_path, *[""] * 6)
    stopper = geak.Stopper()

    def watch(what: What) -> None:
        if isinstance(what, Done):
            stopper.stop()

    first = batch(tmp_path, stopper=stopper, watch=watch, jobs=2)
    assert (first.reason, first.exit_code) == ("interrupted", 130)
    assert first.counts["waiting"] == 4
    assert batch(tmp_path).exit_code == 0
    assert set(bought(tmp_path / "run").values()) == {1}
    assert len(bought(tmp_path / "run")) == 18


def test_runs_side_by_side_are_told_by_kernel(tmp_path: Path) -> None:
    dataset(tmp_path, "", "")
    seen: list[What] = []
    batch(tmp_path, watch=seen.append, jobs=2)
    assert [type(what) for what in seen if isinstance(what, Began | Done)] == [Began, Began, Done, Done]
    told = {what.kernel.name for what in seen if isinstance(what, Told)}
    assert told == {"k00", "k01"}


def test_a_kernel_that_another_process_works_on_is_left_to_it(tmp_path: Path) -> None:
    dataset(tmp_path, "", "")
    with Journal.create(tmp_path / "run" / "kernels" / "k00" / "1"):
        result = batch(tmp_path)
    assert fates(result) == {"k00": "elsewhere", "k01": "goal"}
    assert (result.exit_code, result.reason) == (1, "complete")
    assert fates(batch(tmp_path)) == {"k00": "goal", "k01": "goal"}


def test_one_part_has_one_process(tmp_path: Path) -> None:
    dataset(tmp_path, "")
    (tmp_path / "run").mkdir()
    lock = locked(tmp_path / "run" / ".lock-1-1", "busy")
    with pytest.raises(
        RunError, match=r"another process works on this part of .*; --shard I/N divides it among several"
    ):
        batch(tmp_path)

    os.close(lock)
    assert batch(tmp_path).exit_code == 0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            {"filter": ("x*", "re:^y")},
            r"--filter 'x\*' --filter 're:\^y' matches none of the 3 tasks of .*specs; names",
        ),
        ({"filter": ("re:(",)}, r"--filter 're:\(' is no regular expression"),
        ({"slice": "5:"}, "--slice 5: leaves none of the tasks"),
        ({"slice": "five"}, "--slice 'five' is no slice; :10 is the first ten"),
        ({"shard": "3/2"}, "--shard '3/2' is no part of the whole; 2/8 is the second of eight"),
        ({"retry": "all"}, "--retry 'all' is nothing that can be tried again; there is --retry failed"),
        ({"repeat": 0}, "--repeat and --jobs are numbers from 1"),
        ({"goal": "1.2x"}, "a speed cannot be a goal here"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_written(tmp_path: Path, more: dict, says: str) -> None:  # type: ignore[type-arg]
    dataset(tmp_path, "", "", "")
    with pytest.raises(geak.GeakError, match=says):
        batch(tmp_path, **more)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    dataset(tmp_path, "", "")
    batch(tmp_path, slice=":1")
    with pytest.raises(RunError, match="holds a run of another choice of tasks"):
        batch(tmp_path)
    with pytest.raises(RunError, match="then") as caught:
        batch(tmp_path, slice=":1", rounds=5)
    assert str(caught.value) == (
        f"{tmp_path / 'run'} was begun otherwise (candidates of each kernel: 3 then, 5 now); ask for the same again, "
        "or choose another --out"
    )
    with pytest.raises(RunError, match=r"\(models.generator.temperature: none then, 0.5 now; models.optimizer.temp"):
        batch(tmp_path, slice=":1", temperature=0.5)
    dataset(tmp_path, "other", name="others")
    with pytest.raises(RunError, match=r"holds a run of the dataset specs \(1 tasks\)"):
        geak.batch(tmp_path / "others", **asked(tmp_path))
    with pytest.raises(RunError, match="holds the run of one kernel"):
        batch(tmp_path, out=tmp_path / "run" / "kernels" / "k00" / "1")
    with pytest.raises(UsageError, match="none does not exist"):
        geak.batch(tmp_path / "none", **asked(tmp_path))


def test_a_task_that_cannot_be_run_here_is_left_out_and_said(tmp_path: Path) -> None:
    checkout = Path(__file__).parents[1] / "formats" / "kernelbench"
    opening = asyncio.run(geak.api.preview_batch_async(checkout, **asked(tmp_path)))
    names = {task.name for task in opening.card.tasks}
    assert names == {"level1/19_Hinge", "level2/7_Linear_Shift_Sigmoid", "level2/11_Conv2d_Swish_BiasAdd"}
    assert opening.card.format == "kernelbench"
    left_out = {one.name: one.why for one in opening.card.left_out}
    assert list(left_out) == ["level4/2_somebody-tiny_bs1_seq8"]
    assert "weights of a model" in left_out["level4/2_somebody-tiny_bs1_seq8"]
    with pytest.raises(UsageError, match=r"none of the 1 tasks can be run here: level4/2_somebody.*weights of a model"):
        asyncio.run(geak.api.preview_batch_async(checkout, **asked(tmp_path), filter=["level4/*"]))


def test_filter_shuffle_and_slice_choose(tmp_path: Path) -> None:
    dataset(tmp_path, *[""] * 12)
    names = [
        list(fates(batch(tmp_path, out=tmp_path / f"run{n}", calls=0, **more)))
        for n, more in enumerate(
            (
                {"filter": ("k0*",), "slice": "2:4"},
                {"filter": ("re:0$",), "slice": "-1:"},
                {"shuffle": 7, "slice": ":4"},
                {"shuffle": 7, "slice": ":4"},
                {"shuffle": 8, "slice": ":4"},
            )
        )
    ]
    assert names[:2] == [["k02", "k03"], ["k10"]]
    assert names[2] == names[3] != names[4]
    assert sorted(names[2]) != names[2]


def test_each_kernel_s_journal_is_whole(tmp_path: Path) -> None:
    dataset(tmp_path, *[""] * 3)
    batch(tmp_path, jobs=3)
    for run in tmp_path.glob("run/kernels/*/*"):
        kinds = [type(entry.event).__name__ for entry in read(run)]
        assert (kinds[0], kinds[-1], kinds.count("Received")) == ("Begun", "Ended", 3)
