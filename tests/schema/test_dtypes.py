import pytest
import torch

from geak_evaluator import device
from geak_evaluator.schema import dtypes

FLOATS = [f for f in dtypes.FORMATS.values() if f.kind == "float"]


@pytest.mark.parametrize("target", sorted(device.TARGETS))
def test_fp8_is_the_flavour_of_the_target(target):
    assert dtypes.resolve("fp8_e4m3", target).name == f"fp8_e4m3{device.TARGETS[target].fp8_e4m3}"


def test_fp8_without_a_target_is_the_standard_flavour():
    assert dtypes.resolve("fp8_e4m3").name == "fp8_e4m3fn"


@pytest.mark.parametrize("name", sorted(dtypes.FORMATS))
def test_each_name_means_itself_on_every_target(name):
    assert {dtypes.resolve(name, target).name for target in device.TARGETS} == {name}


@pytest.mark.parametrize("name", ["", "float32", "FP16", "fp8", "half", "fp8_e4m3fnuz "])
def test_an_unknown_name(name):
    with pytest.raises(ValueError, match=r"there is no number format .*; there are fp64, fp32, .*fp8_e4m3$"):
        dtypes.resolve(name)


@pytest.mark.parametrize("format", dtypes.FORMATS.values(), ids=str)
def test_size_sign_and_kind_are_torch_s(format):
    dtype = getattr(torch, format.torch)
    assert dtype.itemsize == format.bytes
    assert dtype.is_floating_point == (format.kind == "float")
    assert dtype.is_signed == format.signed
    assert dtypes.of_torch(str(dtype).removeprefix("torch.")) is format


@pytest.mark.parametrize("format", FLOATS, ids=str)
def test_mantissa_range_and_smallest_normal_are_torch_s(format):
    dtype = getattr(torch, format.torch)
    assert torch.finfo(dtype).max == format.largest
    assert torch.finfo(dtype).smallest_normal == 2.0**format.min_exponent
    whole = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[format.bytes]
    after_one = (torch.ones(1).to(dtype).view(whole) + 1).view(dtype).double()  # torch.finfo(e5m2fnuz).eps is wrong
    assert float(after_one) == 1 + 2.0**-format.mantissa


def test_what_torch_has_and_we_do_not():
    assert dtypes.of_torch("complex64") is None
    assert dtypes.of_torch("int32").name == "int32"
