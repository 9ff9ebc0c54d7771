"""Each metric against what its formula gives on paper; failures stay in N, and what was not measured is said."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from geak.formats.registry import formats
from geak.metrics.formulas import Metric, metrics
from geak.metrics.native import NATIVE
from geak.metrics.outcome import Outcome
from geak.metrics.speed import Speed
from tests.metrics.rows import row

SOME = [row("a", fast=4.0), row("b", fast=1.0), row("c", fast=0.5), row("d", ok=False)]
FAILED = Outcome("x")


def by_key(outcomes: list[Outcome], format_name: str = "") -> dict[str, Metric]:
    return {m.key: m for m in metrics(outcomes, format_name)}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("execution_accuracy", 3 / 4),
        ("compile_accuracy", 3 / 4),
        ("fast_0.5@eager", 2 / 4),  # strictly faster: 0.5 is not above 0.5
        ("fast_0.8@eager", 2 / 4),
        ("fast_1@eager", 1 / 4),
        ("fast_2@eager", 1 / 4),
        ("geomean@eager", (4 * 1 * 0.5 * 1) ** (1 / 4)),
        ("geomean_solved@eager", (4 * 1 * 0.5) ** (1 / 3)),
        ("median@eager", 1.0),
        ("median_solved@eager", 1.0),
    ],
)
def test_on_paper(key: str, value: float) -> None:
    assert by_key(SOME)[key].value == pytest.approx(value)


@pytest.mark.parametrize(
    ("right", "of", "k", "value"),
    [(1, 5, 5, 1.0), (0, 5, 5, 0.0), (1, 10, 5, 0.5), (2, 10, 5, 1 - math.comb(8, 5) / math.comb(10, 5))],
)
def test_pass_at_k_is_the_unbiased_estimate(right: int, of: int, k: int, value: float) -> None:
    outcomes = [row("a", n, ok=n <= right) for n in range(1, of + 1)]
    assert by_key(outcomes)[f"pass_at_{k}"].value == pytest.approx(value)


def test_pass_at_k_needs_as_many_repeats_of_every_task() -> None:
    outcomes = [row("a", n) for n in range(1, 6)] + [row("b", n) for n in range(1, 3)]
    assert [key for key in by_key(outcomes) if key.startswith("pass_at")] == ["pass_at_2"]


def test_repeats_count_as_one_task() -> None:
    outcomes = [row("a", n, ok=n == 1) for n in range(1, 5)] + [row("b")]
    found = by_key(outcomes)["execution_accuracy"]
    assert (found.value, found.tasks) == ((1 / 4 + 1) / 2, 2)


def test_without_a_measurement_speed_is_not_measured_and_never_1() -> None:
    found = by_key([row("a"), row("b", ok=False)])
    assert (found["speedup"].value, found["speedup"].note) == (None, "not measured")
    assert found["peak_fraction"].value is None
    assert not [key for key in found if key.startswith(("fast_", "geomean", "median"))]


def test_an_accepted_kernel_without_a_time_is_not_faster_and_that_is_said() -> None:
    found = by_key([row("a", fast=2.0), row("b")])["fast_1@eager"]
    assert (found.value, found.note) == (0.5, "1 accepted without a time count as not faster")


def test_a_fast_kernel_that_is_wrong_counts_for_nothing() -> None:
    wrong = row("a", ok=False, fast=9.0)
    found = by_key([wrong, row("b", fast=2.0)])
    assert found["fast_1@eager"].value == 0.5
    assert found["geomean@eager"].value == pytest.approx(math.sqrt(2))


def test_peak_fraction_has_0_for_a_failure() -> None:
    assert by_key([row("a", fast=1.0, peak=0.6), FAILED])["peak_fraction"].value == pytest.approx(0.3)


def test_generalisation_is_over_candidates_that_were_right_on_what_is_shown() -> None:
    found = by_key([row("a", shown=3, hidden=1), row("b", shown=1, hidden=1), row("c", shown=0, hidden=0)])
    assert (found["generalisation"].value, found["generalisation"].note) == (0.5, "of 4 candidates")
    assert by_key([row("a")])["generalisation"].note.startswith("no candidate was right on the shown cases")


def test_what_failed_is_paid_for_too() -> None:
    found = by_key([row("a", usd=1.0, tokens=10, calls=1), row("b", ok=False, usd=2.0, tokens=30, calls=1)])
    assert (found["usd_per_solved"].value, found["tokens_per_solved"].value) == (3.0, 40.0)
    unknown = by_key([row("a", usd=None, calls=1), row("b", usd=2.0, calls=1)])["usd_per_solved"]
    assert (unknown.value, unknown.note) == (None, "a price is unknown in 1 of 2 runs")
    assert by_key([row("a", ok=False, calls=1)])["usd_per_solved"].note == "no kernel was accepted"
    assert "usd_per_solved" not in by_key([row("a")]), "no model was asked"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kernelbench", 1 / 4),
        ("tritonbench-g+tritonbench-t", 3 / 4),
        ("geak-rocm", 3 / 4),
        ("agentkernelarena", (520 + 220 + 170 + 0) / 4),
    ],
)
def test_a_benchmarks_own_score_stands_beside(name: str, value: float) -> None:
    baseline = {"agentkernelarena": "original"}.get(name, "eager")
    some = [replace(o, speed=o.speed and Speed({baseline: o.speed.ratios["eager"]})) for o in SOME]
    [found] = [metric for key, metric in by_key(some, name).items() if key.startswith("native_")]
    assert found.value == pytest.approx(value)


@pytest.mark.parametrize("name", ["agentkernelarena", "tritonbench-g", "kernelbench"])
def test_a_native_score_is_not_measured_where_nothing_ran_at_the_benchmarks_own_sizes(name: str) -> None:
    [found] = [metric for key, metric in by_key([row("a")], name).items() if key.startswith("native_")]
    assert (found.value, found.note) == (None, "not measured")


def test_scores_are_for_formats_that_there_are_and_for_none_besides() -> None:
    known = {one.name for one in formats()}
    assert {name for native in NATIVE.values() for name in native.formats} <= known
    assert not [key for key in by_key(SOME, "kernelbench+robust-kbench") if key.startswith("native_")]


def test_nothing_was_run() -> None:
    assert all(m.value is None for m in metrics([]))
