"""bench/known_good.py: files counted in four ways, and records whose figures are those of their own tasks."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench"
RECORDS = sorted((BENCH / "results").glob("known-good-*.json"))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("known_good")


def test_files_are_counted_by_any_and_by_all_of_their_tasks_under_any_policy_and_under_the_default(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    about = {"format": "tritonbench-g", "category": "", "outcome": "judged"}
    good = about | {"accepted": ["gfx942"], "policy": "pure"}
    mixed = about | {"accepted": ["gfx942", "sm_90"], "policy": "mixed"}
    none = about | {"accepted": [], "policy": "pure"}
    tasks = {
        "tritonbench-g/G/one/f": good,
        "tritonbench-g/G/one/g": good,
        "tritonbench-g/G/two/f": good,
        "tritonbench-g/G/two/g": mixed,
        "tritonbench-g/G/three/f": mixed,
        "tritonbench-g/G/three/g": none,
        "tritonbench-g/G/four": about | {"outcome": "no_spec", "why": "its test calls nothing"},
    }
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"figures": {"recognised": {"tritonbench-g": 9}}, "date": "then", "tasks": tasks}))
    monkeypatch.setattr("sys.argv", ["known_good.py", "--figures", str(record)])
    bench.main()
    kept = json.loads(record.read_text())
    assert json.loads(capsys.readouterr().out) == kept["figures"]
    assert (kept["date"], kept["tasks"], kept["figures"]["recognised"]) == ("then", tasks, {"tritonbench-g": 9})
    counts = kept["figures"]["tritonbench-g"]
    assert counts["files"] == 4
    for name, gfx942, sm_90 in (("any", 3, 2), ("all", 2, 0), ("any_pure", 2, 0), ("all_pure", 1, 0)):
        way, _, behind = name.partition("_")
        found = [counts[f"files_{way}_{t}{behind and f'_{behind}'}"] for t in ("gfx942", "sm_90")]
        assert found == [gfx942, sm_90], name


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_s_figures_are_those_of_its_tasks(bench: ModuleType, path: Path) -> None:
    record = json.loads(path.read_text())
    for name, counts in bench.summed(record["tasks"], record["figures"]["recognised"]).items():
        assert {key: counts[key] for key in record["figures"][name]} == record["figures"][name]


@pytest.mark.parametrize("argv", [[], ["somewhere", "--figures", "record.json"]])
def test_either_checkouts_or_a_record(
    bench: ModuleType, argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["known_good.py", *argv])
    with pytest.raises(SystemExit) as ended:
        bench.main()
    assert ended.value.code == 2
    assert "with --figures a record" in capsys.readouterr().err
