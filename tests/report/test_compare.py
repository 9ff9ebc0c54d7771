"""Two runs side by side: what is better, what is noise, and when they may not be compared at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geak.batch.card import write_card
from geak.errors import UsageError
from geak.journal.events import Caps, RoleModel
from geak.metrics.compare import Comparison, compare
from geak.metrics.outcome import Outcome
from geak.metrics.results import Results, load
from geak.metrics.summary import summarize
from geak_evaluator.schema.verdict import Policy
from tests.metrics.rows import row


@pytest.fixture(scope="module")
def made(dataset_run: Path) -> Results:
    return load(dataset_run)


def against(made: Results, before: list[Outcome], after: list[Outcome]) -> Comparison:
    (found,) = compare(replace(made, outcomes=tuple(before)), replace(made, outcomes=tuple(after)))
    return found


def words(found: Comparison) -> dict[str, str]:
    return {d.key: d.word for d in found.differences}


def test_pairs_see_what_two_means_do_not(made: Results) -> None:
    """Every kernel is a tenth faster: far less than tasks differ among each other, and no noise all the same."""
    speeds = np.exp(np.random.default_rng(3).normal(0, 1, 30))
    before = [row(f"t{n}", fast=float(s)) for n, s in enumerate(speeds)]
    after = [row(f"t{n}", fast=float(s) * 1.1) for n, s in enumerate(speeds)]
    found = against(made, before, after)
    assert words(found)["geomean@eager"] == "better"
    apart = next(d for d in found.differences if d.key == "geomean@eager")
    assert apart.difference == pytest.approx(0.1 * apart.first)  # type: ignore[operator]
    unpaired = summarize(replace(made, outcomes=tuple(after))).groups[0].metric("geomean@eager")
    assert unpaired is not None
    assert unpaired.low is not None
    assert unpaired.low < apart.first  # type: ignore[operator]


@pytest.mark.parametrize(
    ("won", "lost", "word"), [(12, 0, "better"), (0, 12, "worse"), (2, 1, "noise"), (6, 6, "noise"), (0, 0, "equal")]
)
def test_what_is_noise(made: Results, won: int, lost: int, word: str) -> None:
    before = [row(f"t{n:02}", ok=n >= won) for n in range(40)]
    after = [row(f"t{n:02}", ok=not won <= n < won + lost) for n in range(40)]
    found = against(made, before, after)
    assert words(found)["execution_accuracy"] == word
    assert [c.second == "accepted" for c in found.changed] == [True] * won + [False] * lost


def test_cheaper_is_better(made: Results) -> None:
    before = [row(f"t{n}", usd=2.0 + n / 9, tokens=9, calls=1) for n in range(9)]
    after = [row(f"t{n}", usd=1.0 + n / 9, tokens=9, calls=1) for n in range(9)]
    assert words(against(made, before, after))["usd_per_solved"] == "better"


def test_chance_alone_is_called_noise(made: Results) -> None:
    """Of two runs of the same model at most one in ten is said to differ."""
    source, said = np.random.default_rng(5), 0
    for _ in range(40):
        p = source.beta(1, 1, 25)
        one, two = ([row(f"t{n}", ok=bool(ok)) for n, ok in enumerate(source.random(25) < p)] for _ in range(2))
        said += words(against(made, one, two))["execution_accuracy"] != "noise"
    assert said <= 4


def test_what_only_one_has_is_left_out_and_told(made: Results) -> None:
    found = against(made, [row("a"), row("b"), row("old")], [row("a"), row("b"), row("new")])
    assert (found.pairs, found.alone) == (2, ("new", "old"))
    with pytest.raises(UsageError, match="no task in common"):
        against(made, [row("a")], [row("b")])


def test_policies_are_not_pooled(made: Results) -> None:
    outcomes = (row("a"), row("b", policy=Policy.OPEN), row("c", soft=True))
    both = replace(made, outcomes=outcomes)
    assert [(c.policy, c.soft, c.pairs) for c in compare(both, both)] == [
        ("open", False, 1),
        ("pure", False, 1),
        ("pure", True, 1),
    ]
    groups = summarize(both).groups
    assert [(g.policy, g.soft, g.tasks) for g in groups] == [
        (Policy.PURE, False, 1),
        (Policy.OPEN, False, 1),
        (Policy.PURE, True, 1),
    ]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("dataset_sha256", "1" * 64, r"tasks: .* hash \w{12}\) in the one, .* hash 111111111111\) in the other"),
        ("policy", Policy.OPEN, "policy: pure in the one, open in the other"),
        ("targets", ("sm_80",), "targets: gfx942.* in the one, sm_80 in the other"),
        ("devices", ("AMD Instinct MI300X",), "devices: none in the one, AMD Instinct MI300X in the other"),
        ("caps", Caps(usd=9.0), r"caps.usd: none in the one, 9.0 in the other"),
        ("repeats", 5, "repeats: [0-9] in the one, 5 in the other"),
    ],
)
def test_unequal_cards_are_refused_and_what_differs_is_said(
    made: Results, field: str, value: object, said: str
) -> None:
    other = replace(made, card=replace(made.card, **{field: value}))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=f"were not made alike: {said}; --force compares them all the same"):
        compare(made, other)
    assert all(one.unequal for one in compare(made, other, force=True))


def test_another_model_is_what_is_compared(made: Results) -> None:
    other = replace(made, card=replace(made.card, models={"generator": RoleModel("openai:gpt-6")}))
    found = compare(made, other)
    assert found[0].unequal == ()
    assert any("models" in words for words in found[0].about)


def test_two_kernel_runs_are_compared_by_the_same_command(geak, kernel_run: Path, dataset_run: Path) -> None:
    found = geak("compare", kernel_run, kernel_run)
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines()[0] == "1 task in 1 pair, policy pure"
    assert "of one task nothing can be said" in found.out
    refused = geak("compare", kernel_run, dataset_run)
    assert refused.code == 2
    assert "were not made alike" in refused.err


def test_as_a_person_and_as_a_program_read_it(geak, dataset_run: Path, tmp_path: Path) -> None:
    shown = geak("compare", dataset_run, dataset_run)
    assert "Correct" in shown.out
    assert ": equal" in shown.out
    assert geak("compare", dataset_run, dataset_run, "--json").out.count("\n") == 1
    (tmp_path / "other").mkdir()
    card = load(dataset_run).card
    write_card(tmp_path / "other", replace(card, repeats=3))
    refused = geak("compare", dataset_run, tmp_path / "other")
    assert refused.code == 2
    assert "repeats: 2 in the one, 3 in the other" in refused.err
    assert geak("compare", dataset_run, tmp_path / "other", "--force").code == 0
