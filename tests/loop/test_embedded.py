"""What needs no language model: a compiler's kernels, the tuner, and both beside a language model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import geak
from geak.api import load_run
from geak.errors import UsageError
from geak.journal.events import Announced, Tuned
from tests.loop import stage


def asked(place: Path, words: str, **more: object) -> dict[str, object]:
    (place / "double.py").write_text(f"{stage.SPEC}# {words}\n")
    return {"judge": (stage.JUDGE,), "out": place / "run"} | more


def kinds(result: geak.Result) -> list[str]:
    return [f"{c.name} {c.move.kind}" for c in result.population.candidates.values()]


def test_with_no_model_a_compiler_writes_and_the_best_is_tuned(tmp_path: Path) -> None:
    options = asked(tmp_path, "seeds: 2")
    result = geak.generate(tmp_path / "double.py", **options)
    assert kinds(result) == ["1.1 seed", "1.2 tune", "2.1 seed", "3.1 seed", "4.1 seed"]
    assert result.best is not None
    assert (result.exit_code, result.best.name) == (0, "1.2")
    assert result.population.candidates["3.1"].trouble == "it has no further variant"
    assert "BLOCK=512" in result.best.plan
    assert "compile figures, not of speed" in result.best.plan
    handed = json.loads((tmp_path / "run" / "best.json").read_text())
    assert handed["tuning"]["targets"]["gfx942"]["best"][0]["values"] == {"BLOCK": 512}
    assert handed["models"]["seeder"] == "compiler:inductor"

    before = [entry.event for entry in load_run(tmp_path / "run").entries]
    again = geak.resume(tmp_path / "run")
    new = [entry.event for entry in load_run(tmp_path / "run").entries][len(before) :]
    assert again.best is not None
    assert again.best.source == result.best.source
    assert not any(isinstance(event, Announced | Tuned) for event in new), "what was had already is asked for again"


def test_a_compiler_that_cannot_says_why(tmp_path: Path) -> None:
    result = geak.generate(tmp_path / "double.py", **asked(tmp_path, "trouble: it branches on a value"))
    assert (result.exit_code, result.reason) == (1, "rounds")
    assert result.message == "no kernel was written: it branches on a value"


def test_a_given_kernel_is_tuned_where_there_is_no_reference(tmp_path: Path) -> None:
    options = asked(tmp_path, "trouble: there is no reference to compile")
    mine = tmp_path / "mine.py"
    mine.write_text(stage.kernel(0, "width: 32", "tuned: 128"))
    result = geak.optimize(mine, spec=tmp_path / "double.py", **options)
    assert kinds(result) == ["0 given", "1.1 seed", "1.2 tune"]
    assert result.best is not None
    assert (result.exit_code, result.best.name, result.best.move.parents) == (0, "1.2", ("0",))


def test_a_spec_may_name_the_kernel_to_begin_from(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(stage.kernel(0, "width: 32", "tuned: 128"))
    options = asked(tmp_path, "starter: mine.py\n# trouble: it draws random numbers")
    result = geak.generate(tmp_path / "double.py", **options)
    assert kinds(result) == ["0 given", "1.1 seed", "1.2 tune"]
    assert result.population.conditions.original == str(tmp_path / "mine.py")
    assert geak.resume(tmp_path / "run").best == result.best


def test_a_given_kernel_with_nothing_to_tune_is_left_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(stage.kernel(0, "width: 32"))
    result = geak.optimize(mine, spec=tmp_path / "double.py", **asked(tmp_path, "trouble: none"))
    assert (result.exit_code, result.message) == (
        1,
        "the rounds are over: no candidate is better than the kernel that was given",
    )
    assert result.population.candidates["1.2"].trouble == "there is no number that could be another"


def test_a_language_model_may_begin_with_a_compilers_kernel_and_have_its_own_tuned(tmp_path: Path) -> None:
    scripted = stage.options(tmp_path, [stage.kernel(9, "width: 32", "tuned: 64")], seed="inductor", tune=4)
    options = asked(tmp_path, "seeds: 2", **scripted) | {"rounds": 4, "goal": "best"}
    result = geak.generate(tmp_path / "double.py", **options)
    assert kinds(result) == ["1.1 seed", "1.2 tune", "1.3 optimise", "1.4 tune"]
    by = {role: model.model for role, model in result.population.conditions.models.items()}
    assert by["seeder"] == "compiler:inductor"
    assert by["generator"].startswith("scripted:")
    tuned = [e.event.tuning.tried for e in load_run(tmp_path / "run").entries if isinstance(e.event, Tuned)]
    assert tuned == [4, 4]


@pytest.mark.parametrize(
    "more", [{"strategy": "reflexion"}, {"model": "compiler:inductor", "strategy": "best-of-n"}], ids=str
)
def test_a_compiler_repairs_nothing(tmp_path: Path, more: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"compiler:inductor writes first kernels and nothing else; name a model"):
        geak.generate(tmp_path / "double.py", **asked(tmp_path, "seeds: 1", **more))


def test_there_is_one_compiler(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no compiler 'gcc'; compiler:inductor is the one that there is"):
        geak.generate(tmp_path / "double.py", **asked(tmp_path, "seeds: 1", model="compiler:gcc"))
