"""GPUs are found without a driver, and the variables that hide some of them count as their runtimes count them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import pytest

from geak_evaluator import serve
from geak_evaluator.measure import devices, present
from geak_evaluator.sandbox.box import Sandbox
from tests.measure import fakes, machines


def test_amd(tmp_path: Path) -> None:
    first, second = devices.gpus(machines.amd(tmp_path))
    assert first.uuid == "GPU-21b6d61638a86f8c"
    assert (first.name, first.arch, first.target) == ("AMD Instinct MI300X", "gfx942", "gfx942")
    assert (first.units, first.xcds, first.wave, first.memory >> 30) == (304, 8, 64, 191)
    assert (first.bus, second.bus) == ("0000:05:00.0", "0000:06:00.0")
    assert second.nodes == ("/dev/kfd", "/dev/dri/renderD129")
    assert first.usable
    words = str(first)
    assert words == "AMD Instinct MI300X, gfx942, 304 CUs, 8 XCDs, wave64, 192 GiB [GPU-21b6d61638a86f8c]"
    assert "cuda" not in words.lower()


def test_an_architecture_that_is_not_described(tmp_path: Path) -> None:
    (gpu,) = devices.gpus(machines.amd(tmp_path, 1, version=110000))
    assert (gpu.arch, gpu.target) == ("gfx1100", "")


def test_hexadecimal_steppings(tmp_path: Path) -> None:
    assert devices.gpus(machines.amd(tmp_path, 1, version=90010))[0].arch == "gfx90a"


def test_partitions_of_one_card_are_told_apart(tmp_path: Path) -> None:
    machines.amd(tmp_path, 2)
    for node in (1, 2):
        file = tmp_path / f"sys/class/kfd/kfd/topology/nodes/{node}/properties"
        file.write_text(file.read_text().replace(f"unique_id {0x21B6D61638A86F8C + node - 1}", "unique_id 7"))
    assert [gpu.uuid for gpu in devices.gpus(tmp_path)] == ["GPU-0000000000000007/0", "GPU-0000000000000007/1"]
    assert devices.alone(devices.gpus(tmp_path)[1], {}) == {"ROCR_VISIBLE_DEVICES": "1"}


def test_nvidia(tmp_path: Path) -> None:
    first, second = devices.gpus(machines.nvidia(tmp_path))
    assert (first.name, first.target, first.wave) == ("NVIDIA H100 80GB HBM3", "sm_90", 32)
    assert second.uuid == "GPU-00000001-1a2b-3c4d-5e6f-001122334455"


def test_a_container_has_the_devices_whose_nodes_it_has(tmp_path: Path) -> None:
    machines.nvidia(tmp_path)
    (tmp_path / "dev/nvidia0").unlink()
    (gpu,) = devices.gpus(tmp_path)
    assert (gpu.index, gpu.nodes) == (0, ("/dev/nvidiactl", "/dev/nvidia1"))


def test_what_a_container_shows_and_does_not_have_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's list has three, and nvidia-smi numbers the two that are here."""
    machines.nvidia(tmp_path, 3, uuid="GPU-????????-????-????-????-????????????")
    (tmp_path / "dev/nvidia1").unlink()
    lines = "".join(f"GPU {number}: NVIDIA H100 (UUID: GPU-{number + 7}a5a5a5a-0000)\n" for number in range(2))
    fakes.program(tmp_path / "bin", "nvidia-smi", f"print({lines!r})")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    first, second = devices.gpus(tmp_path)
    assert (first.index, first.uuid, first.nodes[-1]) == (0, "GPU-7a5a5a5a-0000", "/dev/nvidia0")
    assert (second.index, second.uuid, second.nodes[-1]) == (1, "GPU-8a5a5a5a-0000", "/dev/nvidia2")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [devices.handle(gpu) for gpu in devices.gpus(tmp_path)] == ["0", "1"]


def test_a_uuid_that_proc_keeps_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machines.nvidia(tmp_path, 1, uuid="GPU-????????-????-????-????-????????????")
    body = "assert argv == ['-L']\nprint('GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-5a5a5a5a-0000)')"
    fakes.program(tmp_path / "bin", "nvidia-smi", body)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert devices.gpus(tmp_path)[0].uuid == "GPU-5a5a5a5a-0000"


def test_a_machine_that_shows_nothing_of_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the kernel itself is a container's sandbox."""
    for node in ("nvidiactl", "nvidia-uvm", "nvidia0"):
        machines.put(tmp_path, f"dev/{node}")
    fakes.program(tmp_path / "bin", "nvidia-smi", "print('GPU 0: NVIDIA H200 (UUID: GPU-5a5a5a5a-0000)')")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (found,) = devices.gpus(tmp_path)
    assert (found.name, found.target, found.uuid, found.usable) == ("NVIDIA H200", "sm_90", "GPU-5a5a5a5a-0000", True)
    assert found.nodes == ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.gpus(tmp_path) == ()


def test_a_machine_without_any(tmp_path: Path) -> None:
    assert devices.gpus(tmp_path) == ()
    assert devices.software(tmp_path) == {}


def test_versions_of_rocm(tmp_path: Path) -> None:
    found = devices.software(machines.amd(tmp_path))
    assert found == {"rocm": "7.1.1-38", "hip": "7.1.52802", "amdgpu": "6.16.6"}


VISIBLE = [
    ({}, [0, 1, 2, 3]),
    ({"ROCR_VISIBLE_DEVICES": "2,3"}, [2, 3]),
    ({"HIP_VISIBLE_DEVICES": "1"}, [1]),
    ({"CUDA_VISIBLE_DEVICES": "1"}, [1]),
    ({"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "3"}, [1]),
    ({"ROCR_VISIBLE_DEVICES": "1,2,3", "HIP_VISIBLE_DEVICES": "0"}, [1]),
    ({"ROCR_VISIBLE_DEVICES": "3,1", "CUDA_VISIBLE_DEVICES": "1,0"}, [1, 3]),
    ({"ROCR_VISIBLE_DEVICES": "0", "HIP_VISIBLE_DEVICES": "1"}, []),
    ({"ROCR_VISIBLE_DEVICES": "GPU-21b6d61638a86f8e"}, [2]),
    ({"ROCR_VISIBLE_DEVICES": "0,9,1"}, [0]),
    ({"ROCR_VISIBLE_DEVICES": ""}, []),
    ({"HIP_VISIBLE_DEVICES": "-1"}, []),
    ({"HIP_VISIBLE_DEVICES": "1,1"}, [1]),
]


@pytest.mark.parametrize(("variables", "left"), VISIBLE, ids=lambda value: str(value)[:60])
def test_variables_on_rocm(tmp_path: Path, variables: dict[str, str], left: list[int]) -> None:
    found = devices.gpus(machines.amd(tmp_path, 4))
    assert [gpu.index for gpu in devices.visible(found, variables)] == left


def test_variables_on_cuda(tmp_path: Path) -> None:
    found = devices.gpus(machines.nvidia(tmp_path, 3))
    assert [gpu.index for gpu in devices.visible(found, {"CUDA_VISIBLE_DEVICES": "GPU-00000001,0"})] == [1, 0]
    assert [gpu.index for gpu in devices.visible(found, {"ROCR_VISIBLE_DEVICES": "2"})] == [0, 1, 2]


def test_gpu_ids_count_among_what_is_visible(tmp_path: Path) -> None:
    found = devices.gpus(machines.amd(tmp_path, 4))
    assert [gpu.index for gpu in devices.visible(found, {"ROCR_VISIBLE_DEVICES": "2,3"}, "1")] == [3]
    with pytest.raises(devices.NoSuchDevice, match=r"there is no device '2'; there are: 0 \(AMD Instinct MI300X, GPU-"):
        devices.visible(found, {"ROCR_VISIBLE_DEVICES": "2,3"}, "0,2")


def test_a_process_for_one_device_sees_no_other(tmp_path: Path) -> None:
    gpu = devices.gpus(machines.amd(tmp_path))[1]
    before = {"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "1", "ROCR_VISIBLE_DEVICES": "0,1", "PATH": "/bin"}
    assert devices.alone(gpu, before) == {"PATH": "/bin", "ROCR_VISIBLE_DEVICES": gpu.uuid}


def test_a_child_may_open_every_render_node_and_is_told_which_device_is_its_own(tmp_path: Path) -> None:
    """ROCm's thunk gives up where a render node of its topology is there and is refused."""
    metal = present.first({"HIP_VISIBLE_DEVICES": "1"}, machines.amd(tmp_path, 3))
    assert metal is not None
    assert metal.visible == metal.uuid == "GPU-21b6d61638a86f8d"
    assert set(metal.nodes) == {"/dev/kfd", *(f"/dev/dri/renderD{128 + n}" for n in range(3))}
    metal = present.first({}, machines.nvidia(tmp_path / "other"))
    assert metal is not None
    assert "/dev/nvidia1" not in metal.nodes


def test_gpu_ids_are_for_all_that_a_judge_does(tmp_path: Path) -> None:
    root = machines.nvidia(machines.amd(tmp_path, 3), 2)
    variables = {"ROCR_VISIBLE_DEVICES": "2,1", "PATH": "/bin"}
    devices.narrow("1,3", variables, root)  # the second of AMD's that are left, and the second of NVIDIA's
    found = devices.visible(devices.gpus(root), variables)
    assert [(gpu.vendor, gpu.index) for gpu in found] == [("amd", 1), ("nvidia", 1)]
    metal = present.first(variables, root)
    assert metal is not None
    assert metal.visible == "GPU-21b6d61638a86f8d"
    with pytest.raises(devices.NoSuchDevice):
        devices.narrow("2", variables, root)


def test_judges_spread_over_devices_of_one_product_alone(tmp_path: Path) -> None:
    root = machines.nvidia(machines.amd(tmp_path, 3), 2)
    assert [gpu.index for gpu in present.alike({"ROCR_VISIBLE_DEVICES": "2,0"}, root)] == [2, 0]
    assert {gpu.vendor for gpu in present.alike({"ROCR_VISIBLE_DEVICES": ""}, root)} == {"nvidia"}
    assert present.alike({"ROCR_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": ""}, root) == ()


def test_each_judge_has_a_device_of_its_own_while_there_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = machines.amd(tmp_path, 2)
    monkeypatch.setenv("GEAK_LEASES", str(tmp_path / "leases"))
    found = devices.gpus(root)
    monkeypatch.setattr(present, "alike", lambda: found)
    watches = [serve._stopwatch(cast(Sandbox, None), "") for _ in range(3)]
    uuids = [watch.lent.metal.uuid for watch in watches if watch is not None]
    assert uuids == [found[0].uuid, found[1].uuid, found[0].uuid]


def test_products_by_their_names(tmp_path: Path) -> None:
    models = ("NVIDIA H200", "NVIDIA A100-SXM4-80GB", "NVIDIA GeForce RTX 4090", "NVIDIA GH200 480GB")
    for place, model in enumerate(models):
        machines.nvidia(tmp_path / str(place), 1, model)
    assert [devices.gpus(tmp_path / str(place))[0].target for place in range(4)] == ["sm_90", "sm_80", "", ""]
