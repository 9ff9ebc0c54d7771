"""Tuning through the judge: what is tried, what is proved, and what is handed out."""

import json
from pathlib import Path

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.tuning import Tuning
from geak_evaluator.schema.verdict import Policy
from geak_evaluator.tune.reading import read
from geak_evaluator.tuning import tune
from geak_evaluator.variants import Variants
from tests.tuning import files

BOTH = ("gfx942", "sm_90")


def tuned(judge: Judge, source: str, spec: str = files.SPEC, name: str = "double", **options) -> Tuning:
    return tune(judge, SpecFile(Path(f"/specs/{name}.py"), spec.encode()), source.encode(), minutes=5, **options)


@pytest.fixture(scope="module")
def double(judge: Judge) -> Tuning:
    return tuned(judge, files.DOUBLE, evaluations=8)


def test_configurations_are_tried_and_put_in_order(double):
    (ranking,) = double.rankings
    assert (ranking.target, ranking.how, len(ranking.configurations), double.tried) == ("gfx942", "compiled", 8, 8)
    assert ranking.present == {"BLOCK": 256}
    assert ranking.feasible[0].proved
    figures = ranking.feasible[0].figures
    assert figures["load_bits"] == figures["store_bits"] == 128
    assert figures["registers"] > 0
    assert "microseconds" not in figures
    assert {one.name for one in double.tunables} == {"BLOCK", "num_warps"}  # no wave is missing there


def test_the_best_is_written_in_and_proved(double):
    best = double.rankings[0].feasible[0].values
    assert double.proved
    assert double.picked == best
    assert double.changes.startswith(f"BLOCK={best['BLOCK']}")
    assert f"BLOCK={best['BLOCK']}" in double.source
    assert double.source.count(str(best["BLOCK"])) == 2  # in the grid too
    assert "which is no speed" in double.note


@pytest.mark.slow
def test_the_same_is_tried_again(judge, double):
    assert tuned(judge, files.DOUBLE, evaluations=8) == double


@pytest.mark.slow
def test_a_table_holds_each_target_s_own(judge):
    found = tuned(judge, files.TABLE, targets=BOTH, evaluations=5)
    best = {ranking.target: ranking.feasible[0].values for ranking in found.rankings}
    assert found.proved
    for target in BOTH:
        row = f'"{target}": {{"BLOCK": {best[target]["BLOCK"]}, "num_warps": {best[target]["num_warps"]}}}'
        assert row in found.source


@pytest.mark.slow
def test_a_list_gets_the_best_few_of_each_target(judge):
    found = tuned(judge, files.AUTOTUNED, targets=BOTH, evaluations=5)
    proved = [one.values for ranking in found.rankings for one in ranking.configurations if one.proved]
    assert found.proved
    assert found.source.count("triton.Config(") == len({json.dumps(values) for values in proved})
    for values in proved:
        assert f'{{"BLOCK": {values["BLOCK"]}, "TWICE": 2}}, num_warps={values["num_warps"]}' in found.source


def test_a_number_that_somebody_counts_on_stays(judge):
    fixed = files.DOUBLE.replace("triton.cdiv(x.numel(), 256)", "4")
    found = tuned(judge, fixed, evaluations=3)
    assert "line 14: a launch of kernel: BLOCK may not be smaller than 256" in found.left[0]
    assert min(one.values["BLOCK"] for one in found.rankings[0].configurations) == 256


def test_a_row_that_does_not_fit_is_replaced_in_the_table(judge):
    rows = {"1": {"BLOCK": 512, "num_warps": 4}, "4096": {"BLOCK": 512, "num_warps": 32, "OTHER": 3}}
    found = tuned(judge, files.DOUBLE, evaluations=3, table=json.dumps({"triton_version": "3.6.0", **rows}))
    (ranking,) = found.rankings
    (out,) = (one for one in ranking.configurations if one.cause)
    assert (out.cause, out.values["num_warps"]) == ("out_of_resources", 32)
    assert ranking.table["1"] == rows["1"]
    assert ranking.table["4096"] == {**rows["4096"], **{n: ranking.feasible[0].values[n] for n in ("BLOCK",)}} | {
        "num_warps": ranking.feasible[0].values.get("num_warps", 4)
    }


TESTS = files.SPEC.replace("cases=[", 'oracle="tests",\n    tests=("python", "-m", "pytest"),\n    cases=[')
CONSTANT = files.DOUBLE.replace("BLOCK=256", "BLOCK=block(x), num_warps=warps(x), num_stages=1, waves_per_eu=waves(x)")


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        (files.DOUBLE.replace("* 2", "* 3"), {}, "the gate does not accept this kernel as it stands: REJECTED double"),
        (CONSTANT, {}, "nothing in this kernel is tunable: line 14: BLOCK of kernel is computed (block(x))"),
        ("def double(x):\n    return x", {}, "defines no @triton.jit kernel"),
        ("def double(", {}, "a kernel must be Python"),
        (files.AUTOTUNED.replace('["n"]', '["size"]'), {}, "the autotune key 'size' names no parameter of kernel"),
        (files.DOUBLE, {"table": "["}, "the table is not JSON"),
        (files.DOUBLE, {"table": '{"1": {"BLOCK_SIZE": 3}}'}, "the table names BLOCK_SIZE, and what is tunable"),
    ],
)
def test_what_cannot_be_tuned_is_told_in_a_sentence(judge, source, options, words):
    found = tuned(judge, source, **options)
    assert words in found.note
    assert (found.source, found.proved, found.rankings) == ("", False, ())


def test_tiles_of_a_product_are_put_in_order_for_the_case_that_is_timed(judge):
    """A large tile reuses more, and leaves most units idle where a matrix has 16 rows."""
    space = read(files.MATMUL.encode())
    large, small = ({**space.present, "BM": n, "BN": n, "BK": 64} for n in (128, 16))
    spec = files.MATMUL_SPEC
    for timed, first in ((spec, small), (spec.replace('"M": 16, "N": 2048', '"M": 4096, "N": 4096'), large)):
        with judge.oracle(SpecFile(Path("/specs/matmul.py"), timed.encode())) as oracle:
            variants = Variants(judge, oracle, space, ("gfx942",), Policy.PURE)
            variants.keys([space.present], "gfx942")
            keys = dict(zip(("large", "small"), variants.keys([large, small], "gfx942"), strict=True))
        assert min(keys, key=lambda name: keys[name]) == ("small" if first is small else "large"), keys
