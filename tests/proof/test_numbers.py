import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geak_evaluator.proof import numbers
from geak_evaluator.schema import dtypes, layout
from geak_evaluator.schema.layout import Slot

FORMATS = list(dtypes.FORMATS.values())
FLOATS = [f for f in FORMATS if f.kind == "float"]
NARROW = [f for f in FLOATS if f.bytes <= 2]


def by_torch(raw: np.ndarray, format: dtypes.Format) -> np.ndarray:
    """The same bytes as torch reads them."""
    values = torch.from_numpy(raw.view(np.uint8).copy()).view(getattr(torch, format.torch))
    return values.to(torch.float64 if format.kind == "float" else torch.int64).numpy()


def every_pattern(format: dtypes.Format) -> np.ndarray:
    return np.arange(1 << (8 * format.bytes), dtype={1: np.uint8, 2: np.uint16}[format.bytes])


def values_of(format: dtypes.Format) -> np.ndarray:
    """Every finite value of a narrow format, in order."""
    values = numbers.decode(every_pattern(format).tobytes(), format.name)
    return np.unique(values[np.isfinite(values)])


@pytest.mark.parametrize("format", NARROW, ids=lambda f: f.name)
def test_every_bit_pattern_of_a_narrow_float_reads_as_in_torch(format):
    raw = every_pattern(format)
    found, expected = numbers.decode(raw.tobytes(), format.name), by_torch(raw, format)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)
    numbered = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[numbered], np.signbit(expected)[numbered])


@pytest.mark.parametrize("name", ["int8", "uint8", "int16"])
def test_every_bit_pattern_of_a_narrow_integer_reads_as_in_torch(name):
    format = dtypes.resolve(name)
    raw = every_pattern(format)
    found = numbers.decode(raw.tobytes(), name)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, by_torch(raw, format))


@pytest.mark.parametrize("name", ["fp32", "fp64", "int32", "int64"])
def test_random_bits_of_a_wide_format_read_as_in_torch(name):
    format = dtypes.resolve(name)
    raw = np.random.default_rng(7).integers(0, 256, 8 * 100_000, np.uint8)
    np.testing.assert_array_equal(numbers.decode(raw.tobytes(), name), by_torch(raw, format))


def test_bool_reads_as_zero_and_one():
    np.testing.assert_array_equal(numbers.decode(b"\x00\x01", "bool"), [0, 1])


@pytest.mark.parametrize("format", NARROW, ids=lambda f: f.name)
def test_a_step_is_the_distance_to_the_next_number(format):
    values = values_of(format)
    positive = values[values >= 0]
    gaps = np.diff(positive)
    np.testing.assert_array_equal(numbers.step(positive[:-1], format), gaps)
    np.testing.assert_array_equal(numbers.step(-positive[:-1], format), gaps)


@pytest.mark.parametrize(("name", "kind"), [("fp32", np.float32), ("fp64", np.float64), ("fp16", np.float16)])
def test_a_step_is_numpy_s_spacing(name, kind):
    whole = {2: np.uint16, 4: np.uint32, 8: np.uint64}[np.dtype(kind).itemsize]
    raw = np.random.default_rng(3).integers(0, np.iinfo(whole).max, 100_000, whole, endpoint=True).view(kind)
    raw = np.abs(raw[np.isfinite(raw)])
    edges = np.exp2(np.arange(dtypes.resolve(name).min_exponent, 15, dtype=np.float64)).astype(kind)
    values = np.concatenate([raw, edges, np.nextafter(edges, kind(0)), np.nextafter(edges, kind(np.inf)), [kind(0)]])
    values = values[values < np.finfo(kind).max]
    np.testing.assert_array_equal(
        numbers.step(values.astype(np.float64), dtypes.resolve(name)), np.spacing(values).astype(np.float64)
    )


def test_what_has_no_magnitude_has_the_smallest_step():
    format = dtypes.resolve("fp16")
    steps = numbers.step(np.array([0.0, -0.0, np.inf, -np.inf, np.nan]), format)
    np.testing.assert_array_equal(steps, np.full(5, 2.0**-24))


@settings(max_examples=200, deadline=2000)
@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(FLOATS))
def test_a_step_is_a_power_of_two_that_fits_its_value(value, format):
    step = float(numbers.step(np.array([value]), format)[0])
    assert np.frexp(step)[0] == 0.5
    exponent = max(format.min_exponent, np.frexp(value)[1] - 1 if value else format.min_exponent)
    assert step == 2.0 ** (exponent - format.mantissa)


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.name)
def test_poison_is_no_number_in_any_float_format(format):
    (value,) = numbers.decode(numbers.poison(format.bytes), format.name)
    if format.name.endswith("fnuz"):
        return  # these have one NaN alone, and it is another pattern
    ones = -1 if format.signed or format.bytes == 8 else 256**format.bytes - 1  # 64 bits are told as signed ones
    assert np.isnan(value) if format.kind == "float" else value == (255 if format.kind == "bool" else ones)


@pytest.mark.parametrize(
    ("shape", "strides"),
    [((), ()), ((4,), (1,)), ((2, 3), (5, 1)), ((3, 2), (1, 3)), ((2, 2), (0, 1)), ((0, 3), (3, 1))],
)
@pytest.mark.parametrize("name", ["fp16", "bf16", "fp8_e5m2", "int32", "fp64"])
def test_a_tensor_is_read_by_its_strides(shape, strides, name):
    format = dtypes.resolve(name)
    slot = Slot("x", name, shape, strides)
    flat = torch.arange(slot.elements).to(getattr(torch, format.torch))
    found = numbers.tensor(flat.view(torch.uint8).numpy().tobytes(), slot)
    assert found.shape == shape
    expected = np.zeros(shape) if 0 in shape else torch.as_strided(flat.double(), shape, strides).numpy()
    np.testing.assert_array_equal(found, expected)


def test_a_tensor_is_not_to_be_written():
    slot = Slot("x", "fp64", (2,), layout.contiguous((2,)))
    found = numbers.tensor(b"\0" * 16, slot)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1
