"""What a plan's numbers take, in bytes."""

from __future__ import annotations

import pytest

from geak_evaluator.proof.spelled import size
from geak_evaluator.schema.plan import Allocate, Argument, Copy, Fill, Launch, Plan, Step, View


def at(offset: int, storage: int = 0, length: int = 8) -> View:
    return View(storage, "fp32", offset, (length,), (1,))


def launched(*arguments: Argument, grid: tuple[int, int, int] = (1, 1, 1), kernel: str = "k", **options: int) -> Launch:
    return Launch(kernel, "", grid, arguments, dict(options))


def number(value: int | float | bool) -> Argument:
    return Argument("number", number=value)


def tensor(view: View) -> Argument:
    return Argument("tensor", view=view)


def more(first: Step, then: Step) -> int:
    """What a second step adds."""
    return size(Plan((first, then))) - size(Plan((first,)))


@pytest.mark.parametrize(
    ("first", "then", "bytes"),
    [
        (launched(number(7)), launched(number(7)), 1),
        (launched(number(7)), launched(number(8)), 2),
        (launched(number(7)), launched(number(-(1 << 15))), 3),
        (launched(number(7)), launched(number(1 << 799)), 101),
        (launched(number(7)), launched(number(7.5)), 9),
        (launched(number(1)), launched(number(True)), 2),
        (launched(number(7)), launched(number(7), kernel="other"), 5),
        (launched(grid=(1, 1, 1)), launched(grid=(300, 1, 1)), 3),
        (launched(num_warps=4), launched(num_warps=8), 2),
        (launched(Argument("text", text="sum")), launched(Argument("text", text="maximum")), 8),
        (launched(tensor(at(0))), launched(tensor(at(0, length=300))), 1),
        (launched(tensor(at(0))), launched(tensor(at(70000))), 4),
        (launched(tensor(at(0))), launched(tensor(at(0, storage=1))), 2),
        (
            launched(Argument("descriptor", view=at(0), block=(16,))),
            launched(Argument("descriptor", view=at(0, length=300), block=(32,))),
            4,
        ),
        (
            launched(Argument("tuple", items=(number(1), number(2)))),
            launched(Argument("tuple", items=(number(3), number(4), number(5)))),
            4,
        ),
        (Allocate(1, 40), Allocate(2, 80), 1),
        (Fill(at(0), 0), Fill(at(3, length=300), 0), 4),
        (Copy(at(0), at(0, 1)), Copy(at(0), at(9, 1)), 2),
    ],
)
def test_what_differs_from_the_step_before_is_counted_by_its_size(first: Step, then: Step, bytes: int) -> None:
    assert more(first, then) == bytes


def test_a_kind_of_step_that_was_foretold_says_nothing() -> None:
    told = Plan((launched(number(7)), launched(number(8)), launched(number(9), kernel="other")))
    foretold = Plan((launched(number(7)), launched(number(8)), launched(number(1), kernel="other")))
    assert size(told, told) == 0
    assert size(told, foretold) == size(Plan(told.steps[2:]))


@pytest.mark.parametrize(
    "foretold",
    [
        pytest.param(Plan((launched(number(7)), launched(number(1)))), id="one-of-them-differs"),
        pytest.param(Plan((launched(number(7)),)), id="there-was-one-less"),
    ],
)
def test_of_a_kind_that_differs_anywhere_every_step_is_counted(foretold: Plan) -> None:
    told = Plan((launched(number(7)), launched(number(8))))
    assert size(told, foretold) == size(told)
