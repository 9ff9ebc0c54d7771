"""Each recogniser speaks where the values bear it out, and is silent where they only look a little like it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geak_evaluator.proof.gain import Wrong
from geak_evaluator.proof.likeness import plainly, vaguely

RNG = np.random.default_rng(0)
TRUTH = RNG.standard_normal((8, 40)) + 0.5
TRUTH = np.where(np.abs(TRUTH) < 0.05, 0.05, TRUTH)
ROW, COLUMN = RNG.standard_normal((8, 1)) + 2, RNG.standard_normal(40) + 2
X = RNG.standard_normal((8, 40))
WHOLE = RNG.integers(-100, 100, (8, 40))
NAN, INF = math.nan, math.inf


def rounded(values, format):
    kind = {"fp32": np.float32, "fp16": np.float16}.get(format)
    return values if kind is None else values.astype(kind).astype(np.float64)


def said(got, truth=TRUTH, format="fp16", tolerance=4.0, **more):
    with np.errstate(all="ignore"):
        one = Wrong(rounded(np.asarray(got), format), np.asarray(truth), format, tolerance, **more)
    return plainly(one) or vaguely(one)


def somewhere(change, rows=np.s_[2:4]):
    got = TRUTH.copy()
    got[rows] = change
    return got


PLACES = [
    (-TRUTH, "everything has the other sign", {}),
    (1 / TRUTH, "everything is 1 over what is expected", {}),
    (X, "what is wrong is x as it was given", {"inputs": {"x": X}}),
    (somewhere(X[2:4]), "what is wrong is x as it was given", {"inputs": {"x": X}}),
    (X, "it is what output mean must be: are two outputs exchanged?", {"others": {"mean": X}}),
    (TRUTH[::-1], "along axis 0 it is turned round", {}),
    (TRUTH[:, ::-1], "along axis 1 it is turned round", {}),
    (np.roll(TRUTH, 1, 1), "along axis 1 it is what belongs 1 before it", {}),
    (np.roll(TRUTH, -1, 0), "along axis 0 it is what belongs 1 after it", {}),
    (np.broadcast_to(TRUTH[:1], (8, 40)), "along axis 0 all is what belongs to the first", {}),
    (TRUTH.reshape(8, 20, 2)[..., ::-1].reshape(8, 40), "along axis 1 neighbours are exchanged", {}),
    (TRUTH.reshape(8, 20, 2).swapaxes(1, 2).reshape(8, 40), "along axis 1 it lies in halves, not interleaved", {}),
    (TRUTH.reshape(8, 2, 20).swapaxes(1, 2).reshape(8, 40), "along axis 1 it lies interleaved, not in halves", {}),
    (TRUTH.T.reshape(8, 40), "its axes lie in memory in the order 1, 0", {}),
    (TRUTH * COLUMN, "everything is multiplied by weight once too often", {"inputs": {"weight": COLUMN}}),
    (TRUTH / COLUMN, "weight is left out as a factor of everything", {"inputs": {"weight": COLUMN}}),
    (TRUTH + COLUMN, "bias is added to everything once too often", {"inputs": {"bias": COLUMN}}),
    (TRUTH - X, "x is not added, or taken off everything", {"inputs": {"x": X}}),
    (TRUTH / 40, "everything is 0.025 times what is expected, which is 1 / N here", {"constants": {"N": 40.0}}),
    (TRUTH * 0.3, "everything is 0.3 times what is expected: look at a scale", {"constants": {"N": 40.0}}),
    (TRUTH * ROW, "each row is off by a factor of its own", {}),
    (TRUTH + ROW, "each row is off by an amount of its own", {}),
    (TRUTH * ROW + ROW[::-1], "each row is off by a factor and an amount of its own", {}),
    (
        (TRUTH - COLUMN) * ROW + COLUMN,
        "but for bias each row is off by a factor of its own",
        {"inputs": {"bias": COLUMN}},
    ),
    (TRUTH + ROW * X, "each row is off by a multiple of x: look at a sum", {"inputs": {"x": X}}),
    (TRUTH * COLUMN, "each column is off by a factor of its own", {}),
    (TRUTH + COLUMN, "each column is off by an amount of its own", {}),
    (np.where(np.arange(40) < 16, TRUTH, TRUTH + ROW), "from column 16 on each row is off by an amount of its own", {}),
    (somewhere(NAN), "NaN, computed where a number is expected", {}),
    (somewhere(-INF), "-infinity where a number is expected", {}),
    (TRUTH * 0, "everything is 0: ", {}),
    (somewhere(0.0), "what is wrong is 0: ", {}),
    (np.maximum(TRUTH, 0), "0 where a negative number is expected", {}),
    (TRUTH * 0 + 1, "it is 1 throughout: is it cut off there?", {}),
]


@pytest.mark.parametrize(("got", "words", "more"), PLACES, ids=[words for _, words, _ in PLACES])
def test_what_wrong_values_look_like(got, words, more):
    assert said(got, **more).startswith(words)


@pytest.mark.parametrize(("got", "words", "more"), PLACES, ids=[words for _, words, _ in PLACES])
def test_one_element_that_does_not_fit_silences_it(got, words, more):
    if not np.isfinite(got).all() or (np.asarray(got) == 0).any():
        pytest.skip("no number, or nothing, is a matter of single elements")
    other = np.array(got)
    other[5, 20] += 7 + np.sqrt(np.square(other).mean())
    assert said(other, **more) == ""


@pytest.mark.parametrize("format", ["fp16", "bf16", "fp32", "fp8_e4m3fn"])
def test_other_numbers_altogether_are_like_nothing(format):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth, got, x = rng.standard_normal((3, 6, 20))
        more = {"inputs": {"x": x, "weight": x[0]}, "others": {"1": got * x}, "constants": {"M": 6.0, "N": 20.0}}
        assert said(got, truth, format, tolerance=32.0 if format.startswith("fp8") else 4.0, **more) == ""


def test_a_number_that_is_like_two_sizes_is_that_which_fits_better():
    truth = np.linspace(1, 2, 64)
    assert "which" not in said(truth * 0.9815, truth, constants={"L": 77.0})
    assert "which is (L - 1) / L here" in said(truth * 76 / 77, truth, "fp32", 128.0, constants={"L": 77.0})


def test_a_single_number_is_no_evidence_of_a_factor_but_of_a_named_one():
    assert said(np.array(1.7), np.array(3.1), "fp32", 128.0, constants={"N": 12.0}) == ""
    assert "which is N here" in said(np.array(3.1 * 12), np.array(3.1), "fp32", 128.0, constants={"N": 12.0})


@pytest.mark.parametrize("format", ["fp16", "fp32"])
def test_lost_digits_are_told_from_another_number(format):
    if format == "fp32":
        found = said(TRUTH.astype(np.float16).astype(float), format=format, tolerance=128.0)
        assert found == "right to 3 digits: is something rounded to fp16 or tf32 on the way?"
        assert said(TRUTH + RNG.standard_normal(TRUTH.shape) / 4, format=format, tolerance=128.0) == ""
    else:
        noisy = TRUTH * (1 + 2.0**-10 * RNG.uniform(-6, 6, TRUTH.shape))
        assert said(noisy).startswith("nearly right: are digits lost on the way?")
        assert said(TRUTH * (1 + 2.0**-8 * RNG.uniform(-6, 6, TRUTH.shape))) == ""


def test_what_is_off_by_a_statistic_of_each_row():
    truth = RNG.standard_normal(8)
    logits = RNG.standard_normal((8, 5))
    more = {"inputs": {"logits": logits}, "format": "fp32", "tolerance": 128.0}
    assert said(truth - logits.max(-1), truth, **more).startswith("too little by the largest of each row of logits")
    assert said(truth + logits.sum(-1), truth, **more).startswith("too much by the sum of each row of logits")
    assert said(truth + logits[:, 0], truth, **more) == ""


def test_where_nothing_is_expected():
    truth = np.where(np.arange(40) % 8 == 3, 0.0, TRUTH[0])
    got = np.where(truth == 0, 7.0 + np.arange(40), truth)
    assert said(got, truth).startswith("wrong just where 0 is expected")
    got[0] += 3
    assert said(got, truth) == ""


INDICES = np.argmax(X, axis=-1)
LAST = np.array([[3.0, 9, 1, 9], [5, 5, 1, 5], [-1, -2, -3, -4], [-1, -2, -3, -4], [1, 2, 3, 9]])


@pytest.mark.parametrize(
    ("got", "truth", "x", "words"),
    [
        ([3, 1, 0, 0, 3], [1, 0, 0, 0, 3], LAST, "x holds the same at the places that it names"),
        ([1, 0, 4, 0, 3], [1, 0, 0, 0, 3], LAST, "an index lies beyond the 4 elements of x: does padding win?"),
        ([2, 0, 0, 0, 3], [1, 0, 0, 0, 3], LAST, ""),
        (
            [5, 700, 3, 90],
            [1029, 700, 2051, 90],
            np.zeros(3),
            "off by multiples of 1024: is the start of a block added?",
        ),
        ([5, 700, 3, 90], [1029, 700, 2052, 90], np.zeros(3), ""),
    ],
)
def test_what_wrong_indices_are(got, truth, x, words):
    assert (
        said(np.array(got), np.array(truth), "int64", 0.0, inputs={"x": x}).partition(":")[0] == words.partition(":")[0]
    )


def test_small_whole_numbers_are_no_indices():
    x, got = np.zeros((5, 31)), RNG.integers(-128, 128, (5, 31))
    words = "x is 0 throughout, and so is what is expected: is something divided by it?"
    assert said(got, np.zeros((5, 31), np.int64), "int8", 0.0, inputs={"x": x}) == words
    assert said(got, np.ones((5, 31), np.int64), "int8", 0.0, inputs={"x": x}) == ""
    assert said(got, np.zeros((5, 31), np.int64), "int8", 0.0, inputs={"x": x + 1}) == ""


def test_indices_that_are_wrong_where_all_is_negative():
    x = np.abs(RNG.standard_normal((40, 6)))
    x[::5] *= -1
    truth = np.argmax(x, axis=-1)
    got = np.where(np.arange(40) % 5 == 0, (truth + 1) % 6, truth)
    found = said(got, truth, "int64", 0.0, inputs={"x": x})
    assert found == "wrong just where x is nowhere above 0: does a maximum begin at 0?"
    got[1] = (truth[1] + 1) % 6
    assert said(got, truth, "int64", 0.0, inputs={"x": x}) == ""


def test_whole_numbers_that_are_rounded_otherwise():
    exact = RNG.uniform(-120, 120, 200)
    truth = np.rint(exact).astype(np.int64)
    assert said(np.trunc(exact).astype(np.int64), truth, "int8", 0.0).startswith("off by 1 towards 0 at most")
    assert said(np.floor(exact).astype(np.int64), truth, "int8", 0.0).startswith("too small by 1 at most")
    assert said(truth + RNG.integers(-1, 2, 200), truth, "int8", 0.0).startswith("off by 1 at most")
    wrapped = (truth + 1 + 128) % 256 - 128
    truth[0], wrapped[0] = 127, -128
    assert said(wrapped, truth, "int8", 0.0).startswith("off by 1 at most, and the largest wrap round")
    assert said(truth + RNG.integers(-3, 4, 200), truth, "int8", 0.0) == ""


def test_values_of_an_input_in_wrong_places():
    x = RNG.permutation(320).astype(float).reshape(8, 40)
    truth = np.sort(x, axis=-1)
    got = truth.copy()
    got[:, [3, 9, 21]] = truth[:, [9, 21, 3]]
    assert said(got, truth, inputs={"x": x}).startswith("all of it are values of x, but of the wrong places")
    got[got > 200] = 1e4
    assert said(got, truth, inputs={"x": x}).startswith("1e+04, which x does not hold")


_ANY = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["fp32", "fp16", "bf16", "fp64", "fp8_e5m2"]), st.sampled_from([(), (5,), (3, 4)]))
def test_any_numbers_are_looked_at_without_a_complaint(data, format, shape):
    count = math.prod(shape)
    got, truth, x = (np.array(data.draw(st.lists(_ANY, min_size=count, max_size=count))).reshape(shape) for _ in "123")
    one = Wrong(got, truth, format, 4.0, {"x": x}, {"1": x}, {"N": 4.0, "M": 0.0})
    assert isinstance(plainly(one) or vaguely(one), str)


def test_infinities_among_numbers_are_no_complaint_either():
    got, x = TRUTH.copy(), X.copy()
    got[1, 3], got[2] = INF, NAN
    x[1, 3] = x[4, 5] = -INF
    one = Wrong(got, TRUTH, "fp32", 128.0, {"x": x, "row": x[4]}, {"1": x}, {})
    assert "NaN" in (plainly(one) or vaguely(one))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["int8", "int32", "int64", "uint64", "bool"]))
def test_any_whole_numbers_too(data, format):
    some = st.integers(-(1 << 63), (1 << 63) - 1)
    got, truth, x = (np.array(data.draw(st.lists(some, min_size=10, max_size=10)), np.int64) for _ in "123")
    one = Wrong(got, truth, format, 0.0, {"x": x.astype(float).reshape(5, 2), "index": x}, {}, {"N": 4.0})
    assert isinstance(plainly(one) or vaguely(one), str)


@pytest.mark.parametrize("shape", [(1 << 13, 8), (1 << 16,)])
def test_large_outputs_are_told_by_some_of_their_rows(shape):
    truth = RNG.standard_normal(shape)
    x = RNG.standard_normal(shape)
    own = RNG.uniform(1.5, 3, (*shape[:-1], 1))
    words = "each row is off by a factor of its own" if len(shape) > 1 else "everything is "
    assert said(truth * own, truth, inputs={"x": x}).startswith(words)
    assert said(x, truth, inputs={"y": truth}) == ""
