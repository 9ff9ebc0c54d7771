import numpy as np
import pytest
import torch

from geak_evaluator.device import formats

FP8 = {
    "fp8e4nv": torch.float8_e4m3fn,
    "fp8e5": torch.float8_e5m2,
    "fp8e4b8": torch.float8_e4m3fnuz,
    "fp8e5b16": torch.float8_e5m2fnuz,
}
EDGES = [0, -0.0, np.inf, -np.inf, np.nan, 448, 464, 465, 1e9, 240, 248, 249, 57344, 61440, 2e-3, 2**-10, 3 * 2**-10]


def samples() -> np.ndarray:
    random = np.random.default_rng(0)
    wide = random.standard_normal(50000) * np.exp(random.standard_normal(50000) * 6)
    return np.concatenate([wide, EDGES]).astype(np.float32)


def test_bf16_rounds_as_torch_does():
    x = samples()
    expected = torch.from_numpy(x).bfloat16()
    got = torch.from_numpy(formats.encode_bf16(x).view(np.int16)).view(torch.bfloat16)
    torch.testing.assert_close(got, expected, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(
        torch.from_numpy(formats.decode_bf16(formats.encode_bf16(x))), expected.float(), rtol=0, atol=0, equal_nan=True
    )


def test_bf16_towards_zero_drops_the_low_half():
    x = np.array([1.999, -1.999, 3.0e38], dtype=np.float32)
    assert formats.encode_bf16(x, toward_zero=True).tolist() == (x.view(np.uint32) >> 16).tolist()


@pytest.mark.parametrize("name", sorted(FP8))
def test_fp8_decodes_as_torch_does(name):
    codes = np.arange(256, dtype=np.uint8)
    expected = torch.from_numpy(codes).view(FP8[name]).float().numpy()
    np.testing.assert_array_equal(formats.decode_fp8(codes, name), expected)


@pytest.mark.parametrize("name", sorted(FP8))
def test_fp8_rounds_to_nearest_even_and_saturates(name):
    x = samples()
    limits = torch.finfo(FP8[name])
    expected = torch.from_numpy(x).clamp(limits.min, limits.max).to(FP8[name]).view(torch.uint8).numpy()
    np.testing.assert_array_equal(formats.encode_fp8(x, name), expected)


@pytest.mark.parametrize("name", sorted(formats.FP8))
def test_fp8_survives_a_round_trip(name):
    codes = np.arange(256, dtype=np.uint8)
    values = formats.decode_fp8(codes, name)
    finite = np.isfinite(values)
    assert formats.encode_fp8(values, name)[finite].tolist() == codes[finite].tolist()


def test_fp8_towards_zero_never_grows():
    x = samples()[:1000]
    x = x[np.abs(x) < 400]
    out = formats.decode_fp8(formats.encode_fp8(x, "fp8e4nv", toward_zero=True), "fp8e4nv")
    assert (np.abs(out) <= np.abs(x)).all()


def test_tf32_keeps_ten_bits_to_nearest_even():
    one = 2.0**-10
    x = np.array([1 + one / 2, 1 + 3 * one / 2, 1 + one * 0.51, np.inf, 5.0], dtype=np.float32)
    assert formats.round_tf32(x).tolist() == [1.0, 1 + 2 * one, 1 + one, np.inf, 5.0]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_floats_become_integers_as_devices_do_it():
    x = np.array([1.9, -1.9, np.nan, 1e20, -1e20, np.inf], dtype=np.float32)
    limit = np.iinfo(np.int32)
    assert formats.float_to_int(x, np.dtype(np.int32)).tolist() == [1, -1, 0, limit.max, limit.min, limit.max]
    assert formats.float_to_int(x, np.dtype(np.uint32)).tolist() == [1, 0, 0, 2**32 - 1, 0, 2**32 - 1]
    assert formats.float_to_int(x, np.dtype(np.int64)).tolist()[3:] == [2**63 - 1, -(2**63), 2**63 - 1]
    assert formats.float_to_int(np.array([300.7]), np.dtype(np.int8)).tolist() == [300 - 256]
