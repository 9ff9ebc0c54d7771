import subprocess
import sys

import pytest

from geak_evaluator.schema import target as targets


def test_there_are_six_and_products_name_them():
    assert sorted(targets.TARGETS) == ["gfx90a", "gfx942", "gfx950", "sm_100", "sm_80", "sm_90"]
    found = {alias: targets.find(alias).name for alias in ("MI300X", "mi325x", "MI350X", "mi355X", "MI250X")}
    assert found == {"MI300X": "gfx942", "mi325x": "gfx942", "MI350X": "gfx950", "mi355X": "gfx950", "MI250X": "gfx90a"}
    found = {alias: targets.find(alias).name for alias in ("a100", "H100", "h200", "B200", "GFX942", "SM_90")}
    assert found == {
        "a100": "sm_80",
        "H100": "sm_90",
        "h200": "sm_90",
        "B200": "sm_100",
        "GFX942": "gfx942",
        "SM_90": "sm_90",
    }


def test_an_unknown_name_is_told_which_exist():
    with pytest.raises(targets.UnknownTarget, match=r"'gfx000'.*gfx942.*sm_100.*MI300X") as told:
        targets.find("gfx000")
    assert isinstance(told.value, ValueError)


@pytest.mark.parametrize(
    ("name", "near"),
    [("sm90", "sm_90"), ("MI300", "MI300X"), ("gfx94", "gfx942"), ("h100x", "H100")],
)
def test_a_name_that_is_nearly_one_is_told_which(name, near):
    with pytest.raises(targets.UnknownTarget) as told:
        targets.find(name)
    assert f"there is no target '{name}'; did you mean {near}" in str(told.value)


@pytest.mark.parametrize(
    ("name", "arch", "capability"),
    [("gfx90a", "gfx90a", (9, 0)), ("gfx942", "gfx942", (9, 4)), ("sm_80", 80, (8, 0)), ("sm_100", 100, (10, 0))],
)
def test_what_triton_and_torch_ask(name, arch, capability):
    target = targets.find(name)
    assert target.triton_arch == arch
    assert target.capability == capability


def test_what_is_said_of_tf32_and_fp8():
    tf32 = {name for name, target in targets.TARGETS.items() if target.default_dot_is_tf32}
    assert tf32 == {"gfx942", "sm_80", "sm_90", "sm_100"}
    fnuz = {name for name, target in targets.TARGETS.items() if target.fp8_e4m3 == "fnuz"}
    assert fnuz == {"gfx942", "gfx90a"}


def test_importing_the_room_loads_neither_torch_nor_triton():
    code = "import sys, geak_evaluator.device; print([m for m in ('torch', 'triton', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
def test_the_data_agree_with_triton(name):
    from geak_evaluator.device import simulated

    target = targets.find(name)
    with simulated._fusion_settled():
        options = simulated._backend(target).parse_options({})
    assert ("tf32" in options.allowed_dot_input_precisions) == target.default_dot_is_tf32
    assert options.warp_size == target.warp_size if hasattr(options, "warp_size") else target.backend == "cuda"
