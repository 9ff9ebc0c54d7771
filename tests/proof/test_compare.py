import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geak_evaluator.proof import compare as module
from geak_evaluator.proof import numbers
from geak_evaluator.proof.compare import compare, picked, ties
from geak_evaluator.schema import dtypes
from geak_evaluator.schema.layout import Slot, contiguous

INF, NAN = math.inf, math.nan


def floats(*values):
    return np.array(values, np.float64)


def whole(*values):
    return np.array(values, np.int64)


def agree(got, truth, format="fp32", tolerance=4.0):
    return compare("y", got, truth, format, tolerance)


@pytest.mark.parametrize("format", ["fp64", "fp32", "fp16", "bf16", "fp8_e4m3fn", "fp8_e4m3fnuz", "fp8_e5m2"])
@pytest.mark.parametrize("size", [1.0, 1.5, 32.0])
def test_the_edge_of_the_tolerance(format, size):
    one = 2.0 ** (math.floor(math.log2(size)) - dtypes.resolve(format).mantissa)
    truth = np.full(8, size)
    got = truth.copy()
    got[3] = size + 4 * one
    found = agree(got, truth, format)
    assert (found.steps, found.mismatch) == (4.0, None)
    got[3] = size + 5 * one
    found = agree(got, truth, format)
    assert found.steps == 5.0
    assert (found.mismatch.index, found.mismatch.got, found.mismatch.expected) == ((3,), got[3], size)


def test_without_tolerance_only_the_same_number_will_do():
    truth = floats(1.0, 2.0)
    assert agree(truth, truth, tolerance=0.0).mismatch is None
    assert agree(np.nextafter(truth, INF), truth, tolerance=0.0).mismatch.wrong == 2


def test_an_element_that_cancelled_is_measured_by_its_neighbours():
    truth = floats(1e-9, 1.0, -1.0, 1.0)
    got = truth + floats(1e-7, 0, 0, 0)
    # Next to 1 an error of 1e-7 is one step; next to 1e-9 it would be a million.
    assert agree(got, truth).steps == pytest.approx(1e-7 / 2**-24, rel=0.01)
    assert agree(got[:1], truth[:1]).steps > 1e6


def test_zeros_everywhere_leave_the_smallest_step():
    found = agree(floats(0.0, 1e-30), floats(0.0, 0.0))
    assert found.mismatch.index == (1,)
    assert agree(floats(-0.0), floats(0.0)).steps == 0.0


@pytest.mark.parametrize("odd", [NAN, INF, -INF])
def test_nan_and_infinity_agree_only_with_themselves(odd):
    truth, plain = floats(1.0, odd), floats(1.0, 2.0)
    assert agree(truth, truth.copy()) == agree(plain, plain)
    for other in (NAN, INF, -INF, 2.0):
        if repr(other) != repr(odd):
            got = floats(1.0, other)
            assert agree(got, truth, tolerance=1e30).mismatch.index == (1,), (other, odd)
            assert agree(truth, got).mismatch.index == (1,), (odd, other)


@pytest.mark.parametrize("format", ["fp16", "fp32", "bf16", "fp8_e5m2"])
def test_a_truth_that_does_not_fit_the_format_is_infinity(format):
    largest = dtypes.resolve(format).largest
    truth = floats(largest * 3, -largest * 3, largest * (1 + 2.0**-12))
    assert agree(floats(INF, -INF, INF), truth, format).mismatch is None
    assert agree(floats(INF, INF, INF), truth, format).mismatch.index == (1,)
    assert agree(floats(NAN, -INF, INF), truth, format).mismatch.index == (0,)
    assert agree(floats(1.0, -INF, INF), truth, format, tolerance=2.0).mismatch.index == (0,)


@pytest.mark.parametrize("format", ["fp8_e4m3fn", "fp8_e4m3fnuz", "fp8_e5m2"])
def test_the_whole_range_of_fp8_is_compared(format):
    largest = dtypes.resolve(format).largest
    step = {"fp8_e4m3fn": 32.0, "fp8_e4m3fnuz": 16.0, "fp8_e5m2": 8192.0}[format]
    truth = floats(largest - 0.4 * step, largest)
    assert agree(floats(largest, largest), truth, format).steps == pytest.approx(0.4)
    assert agree(floats(largest, largest - 5 * step), truth, format).mismatch.index == (1,)


def test_huge_values_do_not_overflow_the_comparison():
    truth = floats(1e300, -1e300, 1.0)
    assert agree(truth, truth.copy(), "fp64").mismatch is None
    assert agree(-truth, truth, "fp64").mismatch is not None


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
@pytest.mark.parametrize("format", ["fp32", "int64"])
def test_nothing_agrees_with_nothing(shape, format):
    kind = np.float64 if format == "fp32" else np.int64
    found = agree(np.zeros(shape, kind), np.zeros(shape, kind), format)
    assert (found.steps, found.mismatch) == (0.0, None)


def test_a_single_number_without_dimensions():
    truth = np.array(2.0)
    assert agree(np.array(2.0), truth).mismatch is None
    wrong = agree(np.array(3.0), truth).mismatch
    assert (wrong.index, wrong.wrong, wrong.elements, wrong.pattern) == ((), 1, 1, "everything")


@pytest.mark.parametrize("format", ["int8", "int32", "int64", "uint8", "bool"])
def test_whole_numbers_are_equal_or_wrong(format):
    truth = whole(0, 1, 1, 0)
    assert agree(truth, truth.copy(), format, tolerance=0.0) == module.Agreement(0.0)
    found = agree(whole(0, 1, 0, 0), truth, format, tolerance=0.0).mismatch
    assert (found.index, found.got, found.expected, found.wrong, found.elements) == ((2,), 0.0, 1.0, 1, 4)


def test_whole_numbers_may_be_given_a_tolerance():
    truth = whole(-127, 0, 127)
    assert agree(whole(-126, 1, 126), truth, "int8", tolerance=1.0).mismatch is None
    assert agree(whole(-125, 0, 127), truth, "int8", tolerance=1.0).mismatch.index == (0,)


def test_large_whole_numbers_are_not_rounded_before_they_are_compared():
    assert agree(whole(1 << 62), whole((1 << 62) + 1), "int64", tolerance=0.0).mismatch is not None


_SQUARE = (8, 16)


@pytest.mark.parametrize(
    ("shape", "where", "pattern"),
    [
        (_SQUARE, np.s_[:], "everything"),
        (_SQUARE, np.s_[:, 12:], "only from column 12 of 16 on: look at the mask of the last tile"),
        (_SQUARE, np.s_[:, 15:], "only from column 15 of 16 on: look at the mask of the last tile"),
        (_SQUARE, np.s_[6:], "only from row 6 of 8 on: look at the mask of the last rows"),
        (_SQUARE, np.s_[7], "only from row 7 of 8 on: look at the mask of the last rows"),
        (_SQUARE, np.s_[3], "only in row 3"),
        (_SQUARE, np.s_[:, 5], "only in column 5"),
        (_SQUARE, np.s_[:, :15], "only columns 0 to 14 of 16"),
        (_SQUARE, np.s_[2:5], "only rows 2 to 4 of 8"),
        (_SQUARE, np.s_[:, 1:], "only from column 1 of 16 on"),
        (_SQUARE, np.s_[:, ::2], "only one column in 2, from column 0 on"),
        (_SQUARE, np.s_[1::3], "only one row in 3, from row 1 on"),
        (_SQUARE, (np.r_[0, 1, 3], np.r_[0, 5, 7]), "in 3 of 8 rows"),
        (_SQUARE, (np.r_[0, 1, 2], np.r_[0, 1, 2]), "in 3 of 8 rows"),
        (_SQUARE, np.s_[3, 4], "only in row 3"),
        ((16,), np.s_[12:], "only from element 12 of 16 on: look at the mask of the last tile"),
        ((16,), np.s_[3:4], "only in element 3"),
        ((16,), np.s_[3:9], "only elements 3 to 8 of 16"),
        ((4,), np.s_[2:], ""),
        ((7, 2), np.s_[4:], "in 3 of 7 rows"),
        ((16,), np.r_[1, 2, 9], ""),
        ((2, 4, 16), np.s_[:, :, 12:], "only from column 12 of 16 on: look at the mask of the last tile"),
        ((2, 4, 16), np.s_[1], "only from row 4 of 8 on: look at the mask of the last rows"),
        ((8, 1), np.s_[:6], "only rows 0 to 5 of 8"),
    ],
)
@pytest.mark.parametrize("format", ["fp32", "int32"])
def test_where_the_wrong_elements_lie(shape, where, pattern, format):
    truth = np.ones(shape, np.float64 if format == "fp32" else np.int64)
    got = truth.copy()
    got[where] = 7
    found = agree(got, truth, format).mismatch
    assert found.pattern == pattern
    assert found.wrong == (got != truth).sum()
    assert found.elements == truth.size
    assert found.index == tuple(np.argwhere(got != truth)[0])


@pytest.mark.parametrize(
    "format", ["fp64", "fp32", "fp16", "bf16", "fp8_e4m3fn", "fp8_e4m3fnuz", "int8", "int64", "uint8"]
)
def test_what_was_never_written_is_told_from_a_nan_that_was_computed(format):
    size = dtypes.resolve(format).bytes
    got = np.array(numbers.decode(numbers.poison(16 * size), format))
    truth = np.ones(16, got.dtype)
    got[:8] = truth[:8]
    words = "only from element 8 of 16 on, never written? look at the grid and the mask of the store"
    assert agree(got, truth, format, tolerance=0.0).mismatch.pattern == words
    got[15] = 0
    if format not in ("int8", "int64", "uint8", "fp8_e4m3fnuz"):  # these have no NaN to tell
        words = "only from element 8 of 16 on, 7 of them never written?"
        assert agree(got, truth, format, tolerance=0.0).mismatch.pattern == words
    got[8:] = 7 if got.dtype == np.int64 else NAN
    if format != "fp8_e4m3fn":  # all its NaNs are one to us
        words = "only from element 8 of 16 on: look at the mask of the last tile"
        assert agree(got, truth, format, tolerance=0.0).mismatch.pattern == words


@pytest.mark.parametrize("chunk", [1, 7, 16, 100])
@pytest.mark.parametrize("shape", [(40,), (13, 5), (3, 4, 5), (2, 50)])
def test_chunks_change_nothing(monkeypatch, chunk, shape):
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(shape)
    got = truth * (1 + 1e-6 * rng.standard_normal(shape))
    got[-1] += 3
    expected = agree(got, truth)
    monkeypatch.setattr(module, "_CHUNK", chunk)
    found = agree(got, truth)
    assert (found.steps, found.mismatch) == (pytest.approx(expected.steps), expected.mismatch)


def test_a_large_output_is_compared_to_its_end():
    truth = np.ones(module._CHUNK + 3)
    got = truth.copy()
    got[-1] = 2
    assert agree(got, truth).mismatch.index == (module._CHUNK + 2,)


def test_a_view_without_writable_memory_is_compared():
    truth = np.broadcast_to(np.float64(2.0), (3, 4))
    assert agree(np.full((3, 4), 2.0), truth).mismatch is None


@pytest.mark.parametrize(
    ("got", "wrong"),
    [
        (whole(1, 0), [False, False]),
        (whole(3, 2), [False, False]),
        (whole(0, 0), [True, False]),
        (whole(-1, 4), [True, True]),
        (whole(1 << 40, 0), [True, False]),
    ],
)
def test_any_index_of_an_equal_value_is_right(got, wrong):
    values = floats(1, 9, 2, 9, 5, 5, 5, 4).reshape(2, 4)
    assert ties(got, whole(1, 0), values).tolist() == wrong


@pytest.mark.parametrize(
    ("got", "wrong"),
    [
        ([[1, 3, 2]], [[False, False, False]]),
        ([[3, 1, 2]], [[False, False, False]]),
        ([[1, 1, 2]], [[True, True, True]]),
        ([[1, 3, 0]], [[False, False, True]]),
        ([[2, 3, 1]], [[True, False, True]]),
        ([[1, 4, 2]], [[False, True, False]]),
    ],
)
def test_several_indices_of_a_row_must_differ(got, wrong):
    values = floats(1, 9, 2, 9).reshape(1, 4)
    assert ties(np.array(got), np.array([[1, 3, 2]]), values).tolist() == wrong


@pytest.mark.parametrize("shape", [(70,), (40, 70), (2, 20, 70)])
def test_indices_are_looked_at_in_pieces_too(monkeypatch, shape):
    monkeypatch.setattr(module, "_CHUNK", 100)
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 4, shape).astype(np.float16)  # many are equal
    values = numbers.stored(raw.tobytes(), Slot("x", "fp16", shape, contiguous(shape)))
    truth = np.argmax(raw, axis=-1)
    got = np.array(shape[-1] - 1 - np.argmax(raw[..., ::-1], axis=-1))
    assert (got != truth).any()
    np.testing.assert_array_equal(picked(got, truth, values), truth)
    got = np.full_like(got, -1)
    np.testing.assert_array_equal(picked(got, truth, values) != truth, ties(got, truth, raw))


_NUMBERS = st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=12)


@settings(max_examples=300, deadline=2000)
@given(st.data(), st.sampled_from(["fp32", "fp16", "bf16", "fp64", "fp8_e4m3fn", "fp8_e5m2"]), st.floats(0, 1e6))
def test_any_numbers_compare_without_a_complaint(data, format, tolerance):
    truth = np.array(data.draw(_NUMBERS))
    got = np.array(data.draw(st.lists(st.floats(), min_size=len(truth), max_size=len(truth))))
    found = agree(got, truth, format, tolerance)
    assert not math.isnan(found.steps)
    assert (found.mismatch is None) == (found.steps <= tolerance)
    assert agree(truth.copy(), truth, format, 0.0).mismatch is None
