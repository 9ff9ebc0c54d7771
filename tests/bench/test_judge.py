"""bench/judge.py: how its figures come about; a figure that cannot be is not kept."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("judge")


def test_pools_are_warm_and_take_turns(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    rates = iter([1.0, 1.0, 10.0, 20.0, 25.0, 15.0, 20.0, 30.0])
    monkeypatch.setattr(bench, "_gates_per_s", lambda room, _: asked.append(room) or next(rates))
    assert bench._rates([], {1: "one", 2: "two"}, 3) == {1: [10.0, 15.0, 20.0], 2: [20.0, 25.0, 30.0]}
    assert asked == ["one", "two", "one", "two", "two", "one", "one", "two"]


@pytest.mark.parametrize(
    ("scaling", "cores", "fits"), [(1.9, 2, True), (2.326, 2, False), (1.1, 1, False), (2.1, 64, False)]
)
def test_two_judges_do_no_more_than_twice_the_work(bench: ModuleType, scaling: float, cores: int, fits: bool) -> None:
    assert (bench.impossible({"scaling_2_least": scaling}, cores) == "") is fits


def test_a_figure_that_cannot_be_is_not_recorded(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known: dict[str, Any] = {"cores": 2, "kernels": 41}
    kept: list[str] = []
    monkeypatch.setattr(bench, "measure", lambda *_: ({"scaling_2": 2.4, "scaling_2_least": 2.326}, known))
    monkeypatch.setattr(bench.record, "report", lambda name, *_: kept.append(name))
    monkeypatch.setattr("sys.argv", ["judge.py", "--write"])
    with pytest.raises(
        SystemExit, match=r"scaling_2 is 2\.326 at the least, and two judges on 2 cores do at most 2 times"
    ) as ended:
        bench.main()
    assert isinstance(ended.value.code, str)  # which Python prints, and exits with 1
    assert kept == []
    monkeypatch.setattr("sys.argv", ["judge.py"])
    bench.main()
    assert kept == ["judge"]
    assert "scaling_2 is 2.326 at the least" in capsys.readouterr().err


def test_what_is_measured_is_what_the_command_line_asks_for(bench: ModuleType) -> None:
    from geak.settings import DEFAULT_TARGETS

    assert bench.ASKED == DEFAULT_TARGETS


def test_a_judge_is_kept_to_the_processors_that_it_was_started_on(bench: ModuleType) -> None:
    every = os.sched_getaffinity(0)
    told = [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"]
    with bench._kept_to(1):
        assert int(subprocess.check_output(told)) == 1
    assert os.sched_getaffinity(0) == every
