"""The loop through its front door: scripted replies, a judge that goes by words, real journals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import geak
from geak.errors import RunError, UsageError
from geak.journal.events import Announced, Ended, Failed, Judged, Moved, Received
from geak.journal.store import Entry, read
from geak.population import GIVEN
from geak.record import Opening, Waiting
from geak.runs import Result
from geak_evaluator.schema.verdict import Tier
from tests.loop.stage import JUDGE, kernel, options, script, spec

REJECTED = "verdict: rejected"


def run(place: Path, kernels: list[str], **more: Any) -> Result:
    return geak.generate(spec(place), **options(place, kernels, **more))


def kinds(result: Result) -> dict[str, str]:
    return {name: candidate.move.kind for name, candidate in result.population.candidates.items()}


def roles(result: Result) -> list[str]:
    return [e.event.role for e in read(result.folder) if isinstance(e.event, Announced)]


def test_a_kernel_fails_is_repaired_and_reaches_the_goal(tmp_path: Path) -> None:
    result = run(tmp_path, [kernel(1, REJECTED), kernel(2), kernel(3)])
    assert (result.exit_code, result.reason) == (0, "goal")
    assert kinds(result) == {"1.1": "draft", "1.2": "repair"}
    assert result.best is not None
    assert result.best.name == "1.2"
    assert result.source == kernel(2)
    assert result.best.final is not None, "the winner is put to the final tier"
    assert roles(result) == ["generator", "reflector", "generator"], "nobody reads what the winner taught"
    assert kernel(2) in (result.folder / "best.py").read_text()
    assert json.loads((result.folder / "best.json").read_text())["accepted"] is True


def test_with_the_goal_best_it_goes_on_and_keeps_the_best(tmp_path: Path) -> None:
    kernels = [kernel(1, "width: 32"), kernel(2, "width: 128"), kernel(3, "width: 64"), kernel(4, REJECTED)]
    result = run(tmp_path, kernels, goal="best", rounds=4)
    assert (result.exit_code, result.reason) == (0, "goal")
    assert kinds(result) == {"1.1": "draft", "1.2": "optimise", "1.3": "optimise", "1.4": "optimise"}
    assert result.population.candidates["1.4"].move.parents == ("1.1", "1.3", "1.2"), "worst to best"
    assert result.source == kernel(2, "width: 128")
    assert roles(result)[:5] == ["generator", "reflector", "optimizer", "generator", "reflector"]


def test_rounds_that_bring_nothing_end_with_1(tmp_path: Path) -> None:
    result = run(tmp_path, [kernel(n, REJECTED) for n in range(9)], rounds=5, repairs=2)
    assert (result.exit_code, result.reason) == (1, "rounds")
    assert "".join(kind[0] for kind in kinds(result).values()) == "drrdr"
    assert not (result.folder / "best.py").exists()
    assert (result.folder / "nearest.py").exists()
    assert json.loads((result.folder / "best.json").read_text())["accepted"] is False


def test_what_cannot_be_decided_ends_with_6(tmp_path: Path) -> None:
    result = run(tmp_path, [kernel(n, "verdict: undecided") for n in range(2)], rounds=2)
    assert result.exit_code == 6


def test_what_the_final_tier_refuses_is_not_handed_over(tmp_path: Path) -> None:
    result = run(tmp_path, [kernel(1, "final: rejected"), kernel(2)], rounds=3)
    assert result.best is not None
    assert result.best.name == "1.2"
    assert kinds(result) == {"1.1": "draft", "1.2": "draft"}, "of the refusal nothing is told"
    only = run(tmp_path, [kernel(1, "final: rejected")], rounds=1, out=tmp_path / "only")
    assert (only.exit_code, only.best) == (1, None)


def mute(place: Path, source: str) -> None:
    """Makes the script's answers with this source answers without any."""
    file = place / "replies.toml"
    file.write_text(file.read_text().replace(f"```python\n{source}```", "I would rather not."))


def test_a_bad_answer_costs_one_more_question(tmp_path: Path) -> None:
    asked = options(tmp_path, ["no kernel at all", kernel(2)])
    mute(tmp_path, "no kernel at all")
    result = geak.generate(spec(tmp_path), **asked)
    assert (result.exit_code, kinds(result)) == (0, {"1.1": "draft"})
    assert roles(result) == ["generator", "generator"]


def test_answers_without_a_kernel_cost_a_round_and_no_more(tmp_path: Path) -> None:
    asked = options(tmp_path, ["no kernel at all"] * 4, rounds=2)
    mute(tmp_path, "no kernel at all")
    result = geak.generate(spec(tmp_path), **asked)
    assert result.exit_code == 1
    assert all(candidate.trouble for candidate in result.population.candidates.values())
    assert kinds(result) == {"1.1": "draft", "1.2": "draft"}, "there is nothing to repair"


def test_the_same_kernel_is_judged_once(tmp_path: Path) -> None:
    result = run(tmp_path, [kernel(1, REJECTED), kernel(2, REJECTED), kernel(1, REJECTED)], rounds=3)
    verdicts = [e.event for e in read(result.folder) if isinstance(e.event, Judged)]
    assert len(verdicts) == 3
    assert verdicts[0].verdict == verdicts[2].verdict


def test_a_kernel_over_which_judges_die_costs_no_other(tmp_path: Path) -> None:
    result = run(tmp_path, [kernel(1, "dies"), kernel(2)], rounds=3)
    assert result.exit_code == 0
    assert "two judges" in result.population.candidates["1.1"].trouble


def test_judges_that_always_die_end_the_run_and_lose_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, [kernel(n, "dies") for n in range(5)], rounds=5)
    assert (result.exit_code, result.reason) == (3, "machine")
    assert len(result.population.candidates) == 3
    again = geak.resume(result.folder, judge=(JUDGE,))
    assert again.exit_code == 3
    assert len(again.population.candidates) == 5


def test_lineages_are_developed_side_by_side(tmp_path: Path) -> None:
    kernels = [kernel(n, REJECTED) for n in range(12)]
    result = run(tmp_path, kernels, samples=3, rounds=4)
    assert sorted(kinds(result)) == [f"{n}.{r}" for n in (1, 2, 3) for r in (1, 2, 3, 4)]
    moves = [e.event.move for e in read(result.folder) if isinstance(e.event, Moved)]
    assert {move.lineage for move in moves[:3]} == {1, 2, 3}


def test_best_of_n_asks_the_generator_alone(tmp_path: Path) -> None:
    kernels = [kernel(n, f"width: {2**n}") for n in range(4, 10)]
    result = run(tmp_path, kernels, samples=2, rounds=3, strategy="best-of-n", goal="best")
    assert set(kinds(result).values()) == {"draft"}
    assert set(roles(result)) == {"generator"}
    assert result.best is not None
    assert result.source == kernels[2], "each lineage has the script for itself"


# --- money


def priced(place: Path, usd: float) -> dict[str, Any]:
    """A table of a model that costs something and answers from a script."""
    path = place / "replies.toml"
    return {"paid": {"kind": "scripted", "model": str(path), "price": {"input": usd, "output": usd}}}


def test_money_ends_the_run_before_it_is_overdrawn(tmp_path: Path) -> None:
    from geak.settings import Settings

    kernels = [kernel(n, REJECTED) for n in range(20)]
    script(tmp_path, kernels)
    settings = Settings(model="paid", models=priced(tmp_path, 10.0), judge=(JUDGE,), usd=0.5, max_tokens=8000)
    result = geak.generate(spec(tmp_path), settings=settings, rounds=20, out=tmp_path / "run")
    account = result.population.account
    assert (result.exit_code, result.reason) == (4, "budget")
    assert "--usd allows more" in result.message
    assert 0 < account.usd <= 0.5
    announced = [e.event for e in read(result.folder) if isinstance(e.event, Announced)]
    spent = 0.0
    for event, entry in zip(
        announced, [e.event for e in read(result.folder) if isinstance(e.event, Received)], strict=True
    ):
        assert event.bound_usd is not None
        assert spent + event.bound_usd <= 0.5 + 1e-9, "it was reserved before it was sent"
        spent += entry.usd or 0.0
    more = geak.resume(result.folder, settings=settings, usd=1.0)
    assert more.population.account.usd > account.usd
    assert len(more.population.candidates) > len(result.population.candidates)


def test_what_a_dead_process_had_announced_is_lost_and_nobody_waits_for_it(tmp_path: Path) -> None:
    from geak.journal.store import Journal
    from geak.settings import Settings

    script(tmp_path, [kernel(n, REJECTED) for n in range(4)])
    settings = Settings(model="paid", models=priced(tmp_path, 10.0), judge=(JUDGE,), usd=0.5, max_tokens=8000)
    first = geak.generate(spec(tmp_path), settings=settings, rounds=1, out=tmp_path / "run")
    announced = [e.event for e in read(first.folder) if isinstance(e.event, Announced)]
    left = 0.5 - first.population.account.usd
    with Journal.open(first.folder) as journal:  # a call is announced, and the process killed
        journal.append(replace(announced[-1], call=len(announced), candidate="1.2", bound_usd=left))
    again = geak.resume(first.folder, settings=settings, rounds=2)
    assert (again.exit_code, again.reason) == (4, "budget")
    account = again.population.account
    assert (account.lost, account.open) == (1, {})
    assert account.usd == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("cap", "words"), [({"calls": 3}, "--calls"), ({"tokens": 9000}, "--tokens"), ({"minutes": 0.0}, "--minutes")]
)
def test_every_cap_ends_the_run(tmp_path: Path, cap: dict[str, Any], words: str) -> None:
    result = run(tmp_path, [kernel(n, REJECTED) for n in range(9)], rounds=9, max_tokens=3000, **cap)
    assert (result.exit_code, result.reason) == (4, "budget")
    assert words in result.message
    account = result.population.account
    assert account.calls <= cap.get("calls", 99)
    assert account.spent_tokens <= cap.get("tokens", 10**9)


def test_many_lineages_keep_to_one_budget(tmp_path: Path) -> None:
    from geak.settings import Settings

    script(tmp_path, [kernel(n, REJECTED) for n in range(40)], lessons=80)
    settings = Settings(model="paid", models=priced(tmp_path, 10.0), judge=(JUDGE,), usd=0.4, max_tokens=8000)
    result = geak.generate(spec(tmp_path), settings=settings, rounds=10, samples=4, out=tmp_path / "run")
    under_way: dict[int, float] = {}
    spent = 0.0
    for entry in read(result.folder):
        if isinstance(entry.event, Announced):
            under_way[entry.event.call] = entry.event.bound_usd or 0.0
        elif isinstance(entry.event, Received):
            under_way.pop(entry.event.call)
            spent += entry.event.usd or 0.0
        assert spent + sum(under_way.values()) <= 0.4 + 1e-9
    assert result.exit_code == 4


def test_a_price_that_nobody_knows_asks_for_another_cap(tmp_path: Path) -> None:
    program = "command:cat"
    with pytest.raises(UsageError, match=r"is not known, so .* cannot be kept to"):
        run(tmp_path, [], model=program)
    assert not (tmp_path / "run").exists()


# --- going on


def test_a_run_is_gone_on_with_by_the_same_command(tmp_path: Path) -> None:
    kernels = [kernel(n, REJECTED) for n in range(6)]
    first = run(tmp_path, kernels, rounds=2)
    second = run(tmp_path, kernels, rounds=4)
    assert len(second.population.candidates) == 4
    assert second.run == first.run
    assert sum(isinstance(e.event, Ended) for e in read(second.folder)) == 2


def test_a_folder_of_another_run_is_left_alone(tmp_path: Path) -> None:
    run(tmp_path, [kernel(1)])
    before = (tmp_path / "run" / "events.jsonl").read_bytes()
    with pytest.raises(RunError, match="holds a run with another strategy"):
        run(tmp_path, [kernel(1)], strategy="best-of-n")
    (tmp_path / "double.py").write_text('"""Another spec."""\n')
    with pytest.raises(RunError, match="holds a run of an earlier text of this spec"):
        geak.generate(tmp_path / "double.py", **options(tmp_path, [kernel(1)]))
    with pytest.raises(RunError, match="was changed since"):
        geak.resume(tmp_path / "run", judge=(JUDGE,))
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == before


@pytest.mark.parametrize("ask", [geak.generate, geak.optimize])
def test_a_folder_of_a_dataset_run_is_left_alone(tmp_path: Path, ask: Callable[..., object]) -> None:
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(RunError, match="holds a dataset run; choose another --out"):
        ask("double.py", out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]


def test_what_a_run_keeps_cannot_be_changed_by_going_on(tmp_path: Path) -> None:
    run(tmp_path, [kernel(1)])
    with pytest.raises(UsageError, match="keeps its samples"):
        geak.resume(tmp_path / "run", samples=4)


def test_a_run_that_is_stopped_says_so_and_goes_on_later(tmp_path: Path) -> None:
    stopper = geak.Stopper()

    def watch(what: Entry | Waiting) -> None:
        if isinstance(what, Entry) and isinstance(what.event, Judged):
            stopper.stop()

    kernels = [kernel(n, REJECTED) for n in range(6)]
    stopped = run(tmp_path, kernels, rounds=3, watch=watch, stopper=stopper)
    assert (stopped.exit_code, stopped.reason) == (130, "interrupted")
    assert len(stopped.population.candidates) == 1
    done = geak.resume(stopped.folder, judge=(JUDGE,))
    assert (done.exit_code, len(done.population.candidates)) == (1, 3)
    lesson = done.population.candidates["1.1"].lesson
    assert lesson is not None
    assert lesson.cause == "cause 0", "the reflector is asked later, not left out"


def test_what_is_about_to_be_spent_is_said_first(tmp_path: Path) -> None:
    said: list[Opening] = []

    def refuse(opening: Opening) -> None:
        said.append(opening)
        raise UsageError("nothing was begun")

    with pytest.raises(UsageError, match="nothing was begun"):
        run(tmp_path, [kernel(1)], agree=refuse)
    (opening,) = said
    assert opening.targets_by_default
    assert opening.conditions.targets == ("gfx942", "sm_90")
    assert any("scripted replies" in note for note in opening.notes)
    assert not (tmp_path / "run").exists()


# --- a kernel that is there


def optimise(place: Path, kernels: list[str], original: str, **more: Any) -> Result:
    (place / "mine.py").write_text(original)
    return geak.optimize(place / "mine.py", spec=spec(place), **options(place, kernels, **more))


def test_a_given_kernel_is_judged_first_and_bettered(tmp_path: Path) -> None:
    result = optimise(tmp_path, [kernel(1, "width: 16"), kernel(2, "width: 128")], kernel(0, "width: 32"))
    assert kinds(result) == {GIVEN: "given", "1.1": "optimise", "1.2": "optimise"}
    assert result.population.candidates["1.1"].move.parents == (GIVEN,)
    assert result.population.candidates["1.2"].move.parents == ("1.1", GIVEN)
    assert (result.exit_code, result.source) == (0, kernel(2, "width: 128"))


def test_a_given_kernel_that_nothing_betters_stays_the_best(tmp_path: Path) -> None:
    result = optimise(tmp_path, [kernel(n, "width: 16") for n in range(3)], kernel(0, "width: 32"), rounds=2)
    assert (result.exit_code, result.reason) == (1, "rounds")
    assert "better than the kernel that was given" in result.message
    assert result.source == kernel(0, "width: 32")


def test_a_given_kernel_that_is_wrong_is_repaired(tmp_path: Path) -> None:
    result = optimise(tmp_path, [kernel(1)], kernel(0, REJECTED))
    assert kinds(result) == {GIVEN: "given", "1.1": "repair"}
    assert result.exit_code == 0


def test_a_best_that_was_edited_by_hand_comes_back_in(tmp_path: Path) -> None:
    first = optimise(tmp_path, [kernel(1), kernel(2), kernel(3)], kernel(0, REJECTED), rounds=1)
    assert first.best is not None
    edited = kernel(9, "width: 128")
    handed = (first.folder / "best.py").read_text()
    (tmp_path / "best.py").write_text(handed)
    same = geak.optimize(tmp_path / "best.py", **options(tmp_path, [kernel(1)], rounds=1))
    assert "0.1" not in same.population.candidates, "it is the best as it was handed over"
    (tmp_path / "best.py").write_text(handed.replace(first.source, edited))
    second = geak.optimize(tmp_path / "best.py", **options(tmp_path, [kernel(1)], rounds=1, goal="best"))
    assert second.population.candidates["0.1"].move.kind == "given"
    assert second.best is not None
    assert (second.best.name, second.source) == ("0.1", edited)


def test_every_final_verdict_stays_out_of_the_prompts(tmp_path: Path) -> None:
    result = run(tmp_path, [kernel(1, "final: rejected"), kernel(2, REJECTED), kernel(3)], rounds=4)
    finals = [e.event for e in read(result.folder) if isinstance(e.event, Judged) and e.event.tier is Tier.FINAL]
    assert finals
    run_ = geak.load_run(result.folder)
    prompts = [run_.text(e.event.prompt) for e in run_.entries if isinstance(e.event, Announced)]
    assert prompts
    assert not any("final" in prompt.lower() for prompt in prompts)
    assert not [e for e in run_.entries if isinstance(e.event, Failed)]
