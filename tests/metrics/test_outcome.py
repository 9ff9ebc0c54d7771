"""What a verdict, and what a run, comes to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import geak
from geak.metrics.outcome import held_out, of_run, of_verdict, reached
from geak.metrics.results import load
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.timing import Interval, State, Timing
from geak_evaluator.schema.verdict import CaseResult, Cause, Code, Policy, Status, Tier, Verdict
from tests.journal.samples import verdict
from tests.loop.stage import kernel, options, spec

RIGHT = verdict(Status.ACCEPTED)
CASE = RIGHT.cases[0]
UNSEEN = replace(CASE, hidden="a size that is not a multiple of the tile")


def with_cases(*cases: CaseResult, tier: Tier = Tier.FULL) -> Verdict:
    wrong = any(c.cause is not None for c in cases)
    return replace(RIGHT, cases=cases, tier=tier, status=Status.REJECTED if wrong else Status.ACCEPTED)


@pytest.mark.parametrize(
    ("cause", "compiled", "called"),
    [
        (None, True, True),
        (Cause.WRONG_VALUES, True, True),
        (Cause.FOREIGN_WORK, True, True),
        (Cause.RAISED, True, False),
        (Cause.TIMEOUT, True, False),
        (Cause.OUT_OF_BOUNDS, True, False),
        (Cause.COMPILE_ERROR, False, False),
        (Cause.NOT_PYTHON, False, False),
        (Cause.MISSING_ENTRY, False, False),
        (Cause.OUT_OF_RESOURCES, False, False),
    ],
)
def test_how_far_a_kernel_came(cause: Cause | None, compiled: bool, called: bool) -> None:
    assert reached(with_cases(replace(CASE, cause=cause))) == (compiled, called)


def test_a_target_that_refuses_it_is_a_kernel_that_does_not_compile() -> None:
    found = replace(RIGHT, status=Status.REJECTED, code=(Code("sm_80", cause=Cause.COMPILE_ERROR, message="no"),))
    assert reached(found) == (False, False)
    assert of_verdict("t", 1, found, policy=Policy.PURE).cause == "compile_error"


def test_every_cause_has_its_place() -> None:
    """A new cause is thought about: what neither stops nor is unreadable ran to its end."""
    ran = [c.value for c in Cause if reached(with_cases(replace(CASE, cause=c))) == (True, True)]
    assert ran == [
        *("wrong_outputs", "wrong_type", "wrong_shape", "wrong_dtype", "wrong_device", "wrong_strides", "wrong_state"),
        *("no_gradient", "wrong_values", "unwritten", "changed_input", "no_kernel", "foreign_work", "not_plain"),
        *("unstable_plan", "race", "plan_too_long", "tests_failed"),
    ]


@pytest.mark.parametrize(
    ("full", "final", "held"),
    [
        (with_cases(CASE), None, None),  # nothing hidden was asked
        (with_cases(CASE, UNSEEN), None, True),
        (with_cases(CASE, replace(UNSEEN, cause=Cause.WRONG_VALUES)), None, False),
        (with_cases(replace(CASE, cause=Cause.WRONG_VALUES), UNSEEN), None, None),  # wrong on what is shown
        (with_cases(CASE, UNSEEN), with_cases(replace(UNSEEN, cause=Cause.WRONG_VALUES), tier=Tier.FINAL), False),
        (with_cases(CASE, UNSEEN), with_cases(UNSEEN, tier=Tier.FINAL), True),
        (with_cases(CASE, replace(UNSEEN, cause=Cause.TOO_BIG_HERE)), None, None),
        (with_cases(CASE, tier=Tier.GATE), None, None),
        (None, None, None),
    ],
)
def test_right_on_what_it_did_not_see(full: Verdict | None, final: Verdict | None, held: bool | None) -> None:
    assert held_out(full, final) is held


def timing(n: int, ratio: float, baseline: str = "eager", **more: object) -> Timing:
    interval = Interval(ratio * 0.99, ratio * 1.01)
    known = {"candidate_us": 10.0, "baseline_us": 10.0 * ratio, "ratio": ratio, "interval": interval, "sol_us": 5.0}
    return Timing(Case({"N": n}), "AMD Instinct MI300X", "gfx942", baseline, **{**known, **more})  # type: ignore[arg-type]


def test_a_speedup_is_read_off_times_that_may_be_quoted() -> None:
    timed = replace(
        RIGHT, timings=(timing(64, 2.0), timing(128, 8.0), timing(64, 1.5, "compile"), timing(128, 1.5, "compile"))
    )
    speed = of_verdict("t", 1, timed, policy=Policy.PURE).speed
    assert speed is not None
    assert speed.ratios == {"eager": pytest.approx(4.0), "compile": pytest.approx(1.5)}
    assert speed.peak == pytest.approx(0.5)


@pytest.mark.parametrize("state", [s for s in State if s is not State.MEASURED])
def test_a_case_without_a_figure_leaves_no_speedup(state: State) -> None:
    timed = replace(RIGHT, timings=(timing(64, 2.0), timing(128, 9.0, state=state)))
    assert of_verdict("t", 1, timed, policy=Policy.PURE).speed is None


def test_a_rejected_kernel_has_no_speed() -> None:
    timed = replace(verdict(Status.REJECTED), timings=(timing(64, 9.0),))
    assert of_verdict("t", 1, timed, policy=Policy.PURE).speed is None


@pytest.mark.parametrize(
    ("words", "accepted", "cause"),
    [
        (["verdict: rejected", "verdict: accepted"], True, ""),
        (["verdict: rejected", "verdict: rejected"], False, "wrong_values"),
        (["final: rejected", "verdict: rejected"], False, "wrong_values"),
        (["verdict: undecided", "verdict: undecided"], False, "unsupported"),
    ],
)
def test_a_run_on_the_stage(tmp_path: Path, words: list[str], accepted: bool, cause: str) -> None:
    kernels = [kernel(n, word) for n, word in enumerate(words)]
    result = geak.generate(spec(tmp_path), **options(tmp_path, kernels, rounds=2))
    (found,) = load(result.folder).outcomes
    assert (found.accepted, found.cause) == (accepted, cause)
    assert (found.candidates, found.rounds, found.usd) == (2, 2, 0.0)
    assert found.calls == geak.load_run(result.folder).population.account.calls
    assert [step.samples for step in found.steps] == ([2] if accepted else [])


def test_the_kernel_that_was_given_is_nobodys_success(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(kernel(0))
    asked = options(tmp_path, [kernel(1, "verdict: rejected")], rounds=1)
    result = geak.optimize(file, spec=str(spec(tmp_path)), **asked)
    run = geak.load_run(result.folder)
    found = of_run("double", 1, run.population, run.entries)
    assert (found.accepted, found.cause, found.candidates) == (False, "not_better_than_given", 1)
