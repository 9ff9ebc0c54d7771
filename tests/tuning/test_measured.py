"""Tuning where a target's device is here: what its time says, and what is done where it says nothing."""

from pathlib import Path

import pytest

from geak_evaluator.oracle import SpecFile
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.schema.tuning import MICROSECONDS, RATIO, Tuning
from geak_evaluator.tuning import tune
from tests.measure import scene
from tests.tuning import files

FILE = SpecFile(Path("/specs/double.py"), files.SPEC.encode())
FAST = "kernel=20,kernel/BLOCK/256=2,kernel/BLOCK/512=0.5"


def tuned(box: Sandbox, source: str = files.DOUBLE, targets=("gfx942",), evaluations=4, **device) -> Tuning:
    judge = scene.measuring_judge(box, **device)
    return tune(judge, FILE, source.encode(), targets=targets, evaluations=evaluations, minutes=5)


@pytest.fixture(scope="module")
def fast(box: Sandbox) -> Tuning:
    return tuned(box, costs=FAST, evaluations=6)


def test_the_fastest_comes_first_whatever_the_compiler_tells(fast: Tuning) -> None:
    (ranking,) = fast.rankings
    assert (ranking.how, ranking.device) == ("measured", "simulated gfx942")
    best = ranking.feasible[0]
    assert (best.values["BLOCK"], fast.picked["BLOCK"]) == (512, 512)
    assert best.figures[MICROSECONDS] == pytest.approx(10, rel=0.05)
    assert best.figures[RATIO] == pytest.approx(4, rel=0.05)
    assert fast.source.count("512") == 2
    assert "x (" in fast.note.split(" as fast as the present configuration, ")[0]
    assert "ordered by time on simulated gfx942 at [N=65536]" in fast.note
    assert "no speed" not in fast.note


def test_of_what_is_as_fast_the_one_comes_first_that_changes_least(fast: Tuning) -> None:
    assert fast.picked == {"BLOCK": 512}
    assert sum(one.values["BLOCK"] == 512 for one in fast.rankings[0].configurations) > 1


def test_what_is_timed_is_every_configuration_that_compiles(fast: Tuning) -> None:
    for one in fast.rankings[0].configurations:
        assert (MICROSECONDS in one.figures) is not bool(one.cause)


def test_what_is_no_faster_changes_nothing(box: Sandbox) -> None:
    found = tuned(box, costs="kernel=20", evaluations=2)
    assert (found.source, found.picked) == ("", {})
    assert "of 2 configurations none is told apart from the present one as a faster" in found.note
    first = found.rankings[0].feasible[0]
    assert first.values == found.rankings[0].present
    assert first.proved


def test_a_target_whose_device_is_not_here_is_put_in_order_by_figures(box: Sandbox) -> None:
    found = tuned(box, targets=("sm_90", "gfx942"), costs=FAST, evaluations=2)
    assert [ranking.how for ranking in found.rankings] == ["compiled", "measured"]
    assert not any(MICROSECONDS in one.figures for one in found.rankings[0].configurations)
    assert "sm_90 was not timed: the device here is simulated gfx942 (gfx942)" in found.note
    assert "gfx942 was not timed" not in found.note


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ({"broken": 1.0}, "the device has fallen off the bus"),
        ({"memory": 1 << 18}, "gfx942 was not timed: the case needs"),
        ({"trick": "reset", "liar": "kernel"}, "gfx942 was not timed: "),
    ],
)
def test_a_device_that_cannot_time_it_leaves_the_compiler_s_order(box: Sandbox, device, words: str) -> None:
    found = tuned(box, evaluations=2, **device)
    (ranking,) = found.rankings
    assert (ranking.how, ranking.device) == ("compiled", "")
    assert words in found.note
    assert not any(MICROSECONDS in one.figures for one in ranking.configurations)
    assert any(one.proved for one in ranking.configurations)


def test_what_is_wrong_on_the_device_is_out(box: Sandbox) -> None:
    """A kernel that does nothing there when it is called again."""
    found = tuned(box, trick="lazy", liar="kernel", evaluations=2)
    assert all(one.cause == "wrong_values" for one in found.rankings[0].configurations)
    assert "on simulated gfx942: " in found.note
    assert found.source == ""


SIZES = files.SPEC.replace('bench=[{"N": 65536}]', 'bench=[{"N": 8192}]')
ROWS = '{"512": {"BLOCK": 256}, "wide": {"BLOCK": 256}, "70000": {"BLOCK": 128}}'


def by_size(box: Sandbox, **options) -> Tuning:
    """At blocks of 1024 it is fastest, by far."""
    judge = scene.measuring_judge(box, costs="kernel=20,kernel/BLOCK/1024=0.5")
    file = SpecFile(Path("/specs/double.py"), SIZES.encode())
    named = {"evaluations": 6, "minutes": 5, "table": ROWS, **options}
    return tune(judge, file, files.DOUBLE.encode(), targets=("gfx942",), **named)


def test_each_row_of_a_table_is_settled_at_its_own_size(box: Sandbox) -> None:
    (ranking,) = by_size(box, axis="N").rankings
    assert ranking.table == {
        "512": {"BLOCK": 1024},
        "wide": {"BLOCK": 256},  # no size
        "70000": {"BLOCK": 128},  # none of this spec's
    }


def test_an_axis_that_the_spec_lacks_is_told(box: Sandbox) -> None:
    assert by_size(box, axis="ROWS").note == "spec double has no axis ROWS: its axes are N"
