"""Hidden cases far beyond the shown ones: inside the domain, one axis long or many elements, and never too many."""

from __future__ import annotations

import random

import pytest

from geak_evaluator.proof import far, shapes
from geak_evaluator.schema import domain
from geak_evaluator.schema.spec import Axis, Case, Scalar, Spec, Tensor


def a_spec(m: Axis, n: Axis, *where: str) -> Spec:
    return Spec(
        axes={"M": m, "N": n},
        inputs={"x": Tensor("M, N"), "scale": Scalar("int", choices=(1, 2))},
        outputs=Tensor("M, N"),
        where=where,
        cases=(Case({"M": 5, "N": 4099}), Case({"M": 7, "N": 17})),
    )


WIDE_OPEN = a_spec(Axis(1, 65536), Axis(1, 65536))


@pytest.mark.parametrize("seed", range(50))
def test_rows_keep_to_the_domain_and_to_what_can_be_carried_out(seed: int) -> None:
    spec = a_spec(Axis(1, 1 << 28), Axis(8, 1 << 28, multiple_of=8), "N >= 2 * scale", "M <= N")
    rows = far.rows(spec, 3, random.Random(seed))
    assert len(rows) == 3
    for row in rows:
        for case in row:
            assert domain.holds(spec, domain.with_scalars(spec, case.sizes))
            assert 2 * int(case.sizes["M"]) * int(case.sizes["N"]) <= far.MOST_ELEMENTS
            assert shapes.kind(case, spec) == shapes.FAR


@pytest.mark.parametrize("seed", range(50))
def test_a_long_axis_is_near_its_end_and_the_others_are_small(seed: int) -> None:
    (first, *_), wide, (third, *_) = far.rows(WIDE_OPEN, 3, random.Random(seed))
    by_axis = {max(("M", "N"), key=lambda name: int(case.sizes[name])): case.sizes for case in (first, third)}
    assert 49152 <= int(by_axis["M"]["M"]) <= 65536
    assert by_axis["M"]["N"] == 1
    assert 49152 <= int(by_axis["N"]["N"]) <= 65536
    assert by_axis["N"]["M"] == 1
    most = 5 * 4099
    assert all(int(case.sizes["M"]) * int(case.sizes["N"]) >= 2 * most for case in wide)
    assert len(wide) == 2


@pytest.mark.parametrize("seed", range(50))
def test_a_single_case_is_long_and_larger_than_all_that_are_shown(seed: int) -> None:
    for row in far.rows(WIDE_OPEN, 1, random.Random(seed))[:2]:
        assert max(int(row[0].sizes["M"]), int(row[0].sizes["N"])) >= 49152
        assert shapes.elements(WIDE_OPEN, row[0]) > 5 * 4099


def test_a_row_goes_down_while_it_is_far() -> None:
    spec = a_spec(Axis(choices=(1,)), Axis(1, 1 << 20))
    row = far.rows(spec, 1, random.Random(0))[0]
    sizes = [int(case.sizes["N"]) for case in row]
    assert sizes == sorted(sizes, reverse=True)
    assert all(size > 4 * 4099 for size in sizes)
    assert 131072 < sizes[0] <= far.MOST_ELEMENTS // 2, "as long as a case with its output may be"


def test_sizes_that_are_fixed_or_near_have_none() -> None:
    fixed = a_spec(Axis(choices=(5, 7)), Axis(choices=(17, 4099, 1 << 20)))
    assert far.rows(fixed, 3, random.Random(0)) == ()
    assert far.rows(a_spec(Axis(1, 8), Axis(1, 5000)), 3, random.Random(0)) == ()


def test_an_axis_that_must_be_as_long_goes_with_it() -> None:
    for row in far.rows(a_spec(Axis(1, 500), Axis(1, 500), "M == N"), 1, random.Random(0)):
        assert all(case.sizes["M"] == case.sizes["N"] for case in row)


@pytest.mark.parametrize("seed", range(20))
def test_what_lies_near_is_not_called_far(seed: int) -> None:
    for case in shapes.hidden(WIDE_OPEN, 12, random.Random(seed)):
        assert shapes.kind(case, WIDE_OPEN) != shapes.FAR
