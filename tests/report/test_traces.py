"""Trajectories: what was asked, answered and judged, what it is worth, and nothing that is secret."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from geak.journal.events import Announced, Judged, Moved, Received, Written
from geak.journal.store import Journal
from geak.models.base import Message, Usage, prompt_text
from geak.population import Candidate
from geak.traces import Trace, concise, reward, traces
from geak_evaluator.schema.timing import Interval, Timing
from geak_evaluator.schema.verdict import CaseResult, Cause, Status, Tier, Verdict
from tests.journal.samples import begun, developed, verdict

RIGHT, WRONG = verdict(), verdict(Status.REJECTED)
CASE = RIGHT.cases[0]
MOVE = developed("1.1", 0)[0].move  # type: ignore[union-attr]


def rejected(*cases: CaseResult, asked: int = 4) -> Verdict:
    return replace(WRONG, cases=cases, asked=asked)


def timed(ratio: float) -> Verdict:
    place = (CASE.case, "AMD Instinct MI300X", "gfx942", "eager")
    return replace(RIGHT, timings=(Timing(*place, candidate_us=1, ratio=ratio, interval=Interval(ratio, ratio)),))


@pytest.mark.parametrize(
    ("full", "final", "worth"),
    [
        (None, None, 0.0),
        (rejected(replace(CASE, cause=Cause.COMPILE_ERROR)), None, 0.0),
        (rejected(replace(CASE, cause=Cause.RAISED)), None, 0.1),
        (rejected(replace(CASE, cause=Cause.WRONG_VALUES)), None, 0.2),
        (rejected(CASE, CASE, replace(CASE, cause=Cause.WRONG_VALUES)), None, 0.35),
        (rejected(CASE, replace(CASE, hidden="one past a tile", cause=Cause.WRONG_VALUES)), None, 0.5),
        (RIGHT, WRONG, 0.5),
        (RIGHT, RIGHT, 1.0),
        (RIGHT, None, 1.0),
        (timed(4.0), None, 2.0),
        (timed(2.0), None, 1.5),
        (timed(0.01), None, 0.75),
        (timed(99.0), None, 2.0),
        (verdict(Status.UNDECIDED, Cause.UNSUPPORTED), None, None),
        (RIGHT, verdict(Status.UNDECIDED, Cause.UNSUPPORTED), None),
    ],
)
def test_what_a_kernel_is_worth(full: Verdict | None, final: Verdict | None, worth: float | None) -> None:
    source = "" if full is None else "0"
    assert reward(Candidate(MOVE, source=source, verdict=full, final=final)) == worth


def test_a_run_is_its_prompts_answers_and_verdicts(kernel_run: Path) -> None:
    found = list(traces(kernel_run))
    assert [(one.candidate, one.status, one.reward) for one in sorted(found, key=lambda one: one.candidate)] == [
        *(("1.1", "rejected", 0.2), ("1.2", "undecided", None), ("1.3", "accepted", 1.0)),
        *(("2.1", "rejected", 0.2), ("2.2", "undecided", None), ("2.3", "accepted", 1.0)),
    ]
    first = next(one for one in found if one.candidate == "1.1")
    assert [said["role"] for said in first.messages] == ["system", "user"]
    assert first.source.rstrip() in first.reply
    assert first.thought == len("I write this.\n\n\n") // 4
    assert {one.role for one in traces(kernel_run, ["reflector", "optimizer"])} == {"reflector"}


def test_a_set_is_all_of_its_runs(dataset_run: Path) -> None:
    found = list(traces(dataset_run))
    assert {(one.task, one.repeat) for one in found} == {
        (task, n) for task in ("softmax", "level1/19_ReLU", "<i>tags</i>", "easy") for n in (1, 2)
    }


def made(thought: int, speedup: float | None = None, status: str = "accepted", task: str = "a") -> Trace:
    given = dict.fromkeys(Trace.__annotations__, "") | {"thought": thought, "speedup": speedup, "status": status}
    return Trace(**given | {"task": task, "reward": 1.0 if status == "accepted" else 0.2})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "share", "kept"),
    [
        ([made(9), made(3), made(5), made(7)], 0.5, [3, 5]),
        ([made(1, status="rejected"), made(8)], 0.5, [8]),  # short and wrong is not wanted
        ([made(1, 1.0), made(9, 2.0), made(5, 3.0)], 0.5, [5]),  # the slow one goes first
        ([made(9), made(3), made(1, task="b")], 0.1, [3, 1]),  # of each task at least one
        ([], 0.5, []),
    ],
)
def test_short_reasoning_that_led_to_fast_kernels(found: list[Trace], share: float, kept: list[int]) -> None:
    assert [one.thought for one in concise(found, share)] == kept


def test_no_secret_leaves_with_it(geak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    key = "sk-ant-api03-not-for-anybody"
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("TEAM_TOKEN=of-the-team-alone\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    run = tmp_path / "run"
    with Journal.create(run) as journal:
        prompt = journal.keep(prompt_text([Message("user", f"my key is {key}")]))
        reply = journal.keep(f"I saw {key} and of-the-team-alone\n```python\nx = '{key}'\n```\n")
        source = journal.keep(f"x = '{key}'\n")
        usage = Usage(input=10, output=20, reasoning=12)
        told = replace(WRONG, cases=(replace(WRONG.cases[0], message=f"it said {key}"),))
        for event in (
            begun(),
            Moved(MOVE),
            Announced(0, "1.1", "generator", "m", prompt, 100, 0.1),
            Received(0, reply, "stop", usage, 0.01, "m", 1.0),
            Written("1.1", source),
            Judged("1.1", Tier.FULL, told),
        ):
            journal.append(event)
    kept = (run / "blobs" / reply).read_text()
    assert key in kept, "it is there to be found"
    found = geak("export-traces", run)
    assert found.code == 0
    one = json.loads(found.out)
    assert (one["thought"], one["thought_counted"]) == (12, True)
    assert key not in found.out
    assert "of-the-team-alone" not in found.out
    assert found.out.count("[hidden]") == 6  # once a prompt, thrice an answer, once a source, once a verdict


def test_files_and_filters(geak, kernel_run: Path, dataset_run: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "all.jsonl"
    said = geak("export-traces", kernel_run, dataset_run, "--out", out)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert said.out == f"wrote {len(lines)} trajectories to {out}\n"
    kept = {word: geak("export-traces", kernel_run, "--keep", word).out for word in ("accepted", "rejected")}
    assert [json.loads(line)["status"] for line in kept["accepted"].splitlines()] == ["accepted"] * 2
    assert [json.loads(line)["status"] for line in kept["rejected"].splitlines()] == ["rejected"] * 2
    assert len(geak("export-traces", kernel_run, "--concise", 0.5).out.splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--concise", "2"], "a share lies above 0 and not above 1"),
        (["--out", "x.csv"], "by its end: .jsonl or .parquet"),
    ],
)
def test_what_cannot_be_meant(geak, kernel_run: Path, more: list[str], words: str) -> None:  # type: ignore[no-untyped-def]
    found = geak("export-traces", kernel_run, *more)
    assert (found.code, found.out) == (2, "")
    assert words in found.err


def test_without_pyarrow_it_says_so(geak, kernel_run, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    found = geak("export-traces", kernel_run, "--out", tmp_path / "x.parquet")
    assert found.code == 3
    assert "pip install 'geak[parquet]'" in found.err
    assert not (tmp_path / "x.parquet").exists()


def test_parquet_holds_the_same(geak, kernel_run: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra: pip install 'geak[parquet]'")
    file = tmp_path / "x.parquet"
    assert geak("export-traces", kernel_run, "--out", file).code == 0
    rows = parquet.read_table(file).to_pylist()
    assert rows == [json.loads(line) for line in geak("export-traces", kernel_run).out.splitlines()]
