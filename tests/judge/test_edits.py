"""Inputs that are edited, and references one of whose operations is another."""

import sys

import pytest
import torch

from geak_evaluator.children.edits import edited, flat
from geak_evaluator.children.mutations import Mutated
from geak_evaluator.children.slips import SLIPS
from geak_evaluator.schema.exchange import Edit

X = torch.arange(12.0).view(3, 4)
INF = float("inf")


def one(edit, value=X, **others):
    return edited({"x": value, **others}, edit)["x"].tolist()


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (Edit("filled", ("x",), value=1), [[1] * 4] * 3),
        (Edit("first", ("x",), axes=(0,)), [[0, 1, 2, 3]] * 3),
        (Edit("first", ("x",), axes=(1,)), [[0] * 4, [4] * 4, [8] * 4]),
        (Edit("rolled", ("x",), axes=(1,), start=1), [[3, 0, 1, 2], [7, 4, 5, 6], [11, 8, 9, 10]]),
        (Edit("flipped", ("x",), axes=(0,)), [[8, 9, 10, 11], [4, 5, 6, 7], [0, 1, 2, 3]]),
        (Edit("repeated", ("x",), axes=(1,), stop=2), [[0, 1, 0, 1], [4, 5, 4, 5], [8, 9, 8, 9]]),
        (Edit("only", ("x",), axes=(1,), start=2, stop=4), [[0, 0, 2, 3], [0, 0, 6, 7], [0, 0, 10, 11]]),
        (Edit("only", ("x",), axes=(0,), stop=1, value=-INF), [[0, 1, 2, 3], [-INF] * 4, [-INF] * 4]),
        (Edit("of_each", ("x",), axes=(1,), start=1, stop=2), [[0, 0, 2, 0], [4, 0, 6, 0], [8, 0, 10, 0]]),
        (Edit("cut", ("x",), axes=(1,), start=1, stop=3), [[1, 2], [5, 6], [9, 10]]),
        (Edit("padded", ("x",), axes=(1,), stop=5, value=1), [[0, 1, 2, 3, 1], [4, 5, 6, 7, 1], [8, 9, 10, 11, 1]]),
        (Edit("laid", ("x",), axes=(1, 0)), [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]),
        (Edit("apart", ("x",), axes=(2, 1)), [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]),
        (Edit("negated", ("x",)), (-X).tolist()),
        (Edit("interleaved", ("x",)), [[0, 2, 1, 3], [4, 6, 5, 7], [8, 10, 9, 11]]),
        (Edit("separated", ("x",)), [[0, 2, 1, 3], [4, 6, 5, 7], [8, 10, 9, 11]]),
        (Edit("like", ("x",), "y"), [[7.0]]),
        (Edit("exchanged", ("x",), "y"), [[7.0]]),
        (Edit("mutated", (), "left out"), X.tolist()),
    ],
)
def test_an_edit_leaves_the_inputs_themselves_alone(edit, expected):
    before = X.clone()
    assert one(edit, y=torch.tensor([[7.0]])) == expected
    assert torch.equal(X, before)


def test_edits_of_whole_numbers_and_bytes():
    index = torch.tensor([4, 2, 9])
    assert one(Edit("counted", ("x",)), index) == [0, 1, 2]
    assert one(Edit("added", ("x",), value=-1), index) == [3, 1, 8]
    packed = torch.tensor([0x1F, 0xA0], dtype=torch.uint8)
    assert one(Edit("nibbles", ("x",)), packed) == [0xF1, 0x0A]
    assert one(Edit("signed_nibbles", ("x",)), packed) == [0x97, 0x28]
    assert one(Edit("padded", ("x",), axes=(0,), stop=4, value=1), index) == [4, 2, 9, 0]
    assert edited({"eps": 0.5}, Edit("scalar", ("eps",), value=1)) == {"eps": 1.0}
    assert edited({"causal": False}, Edit("scalar", ("causal",), value=1)) == {"causal": True}


@pytest.mark.parametrize("kind", ["rolled", "only", "padded", "laid", "repeated", "first", "flipped", "cut", "of_each"])
def test_numbers_of_eight_bits_are_moved_too(kind):
    narrow = torch.tensor([[1.0, -2.0], [4.0, 0.5]]).to(torch.float8_e4m3fn)
    axes = (1, 0) if kind == "laid" else (1,)
    found = edited({"x": narrow}, Edit(kind, ("x",), axes=axes, start=0 if kind != "of_each" else 1, stop=2))["x"]
    assert found.dtype is torch.float8_e4m3fn
    assert set(found.float().flatten().tolist()) <= {1.0, -2.0, 4.0, 0.5, 0.0}


def test_strides_that_are_not_used():
    wide = torch.arange(10.0).as_strided((2, 3), (5, 1))
    assert one(Edit("flat", ("x",)), wide) == [[0, 1, 2], [3, 4, 5]]
    assert flat(torch.tensor([[1.0, 2], [3, 4], [5, 6]])).tolist() == [[1, 3], [5, 2], [4, 6]]


def test_what_cannot_be_edited_raises():
    with pytest.raises(RuntimeError):
        one(Edit("apart", ("x",), axes=(100, 1)))


def mutated(what, number=0):
    with Mutated(__file__, what, number) as mode:
        result = reference(X)
    return result, mode


def reference(x):
    """Read by its mode from this file."""
    centred = x - x.mean(-1, keepdim=True)
    return torch.exp(2 * centred) * torch.rsqrt((centred * centred).mean(-1, keepdim=True) + 0.5)


def test_operations_are_counted_by_what_may_be_done_instead():
    _, mode = mutated("")
    assert mode.places["left out"] == 2
    assert mode.places["the sum"] == 2
    assert mode.places["its first operand alone"] == 5
    assert "sigmoid" not in mode.places
    assert mode.text == ""


CENTRED = X - X.mean(-1, keepdim=True)
MEAN = (CENTRED * CENTRED).mean(-1, keepdim=True)
ROOT = torch.rsqrt(MEAN + 0.5)


@pytest.mark.parametrize(
    ("what", "number", "expected", "text"),
    [
        ("left out", 0, 2 * CENTRED * ROOT, "torch.exp(2 * centred)"),
        ("of the negative", 0, torch.exp(-2 * CENTRED) * ROOT, "torch.exp(2 * centred)"),
        (
            "the sum",
            1,
            torch.exp(2 * CENTRED) * torch.rsqrt(4 * MEAN + 0.5),
            "(centred * centred).mean(-1, keepdim=True)",
        ),
        ("the other root", 0, torch.exp(2 * CENTRED) * torch.sqrt(MEAN + 0.5), "rsqrt"),
        (
            "with what is added outside of the root",
            0,
            torch.exp(2 * CENTRED) / (torch.sqrt(MEAN) + 0.5),
            "rsqrt",
        ),
        ("its first operand alone", 1, torch.exp(CENTRED) * ROOT, "2 * centred"),  # torch has the tensor first
        ("its second operand alone", 4, ROOT.expand(3, 4), "`*`"),
    ],
)
def test_one_operation_is_another(what, number, expected, text):
    result, mode = mutated(what, number)
    torch.testing.assert_close(result, expected)
    assert mode.text.startswith("`")
    assert "(line " in mode.text
    if sys.version_info >= (3, 11):
        assert text in mode.text


def test_without_such_an_operation_nothing_is_another():
    result, mode = mutated("the sum", 7)
    torch.testing.assert_close(result, reference(X))
    assert mode.text == ""


def test_a_place_that_is_passed_often_is_another_each_time():
    def looped(x):
        for _ in range(3):
            x = torch.exp(x)
        return x

    with Mutated(__file__, "left out", 0):
        found = looped(X)
    assert torch.equal(found, X)


@pytest.mark.parametrize("what", SLIPS)
def test_no_slip_breaks_on_an_operation_that_it_does_not_fit(what):
    values = torch.linspace(0.1, 0.9, 6).view(2, 3)
    for operation in (torch.exp, torch.mean, torch.sum, torch.round, torch.sqrt, torch.triu, torch.abs, torch.relu):
        with Mutated(__file__, what, 0):
            assert isinstance(operation(values), torch.Tensor)


def test_what_changes_its_operand_is_left_alone():
    def in_place(x):
        x += 1
        x.add_(2).mul_(3)
        return x

    for what in ("left out", "its first operand alone", "a difference"):
        with Mutated(__file__, what, 0) as mode:
            found = in_place(X.clone())
        assert torch.equal(found, (X + 3) * 3)
        assert mode.text == ""
