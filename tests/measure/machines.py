"""Machines that are not here: what the kernel shows of their GPUs, as files below a folder."""

from __future__ import annotations

from pathlib import Path


def put(root: Path, path: str, text: str = "") -> None:
    """A file of a machine."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def amd(root: Path, count: int = 2, *, version: int = 90402, first: int = 1, number: int = 0x21B6D61638A86F8C) -> Path:
    """KFD's topology of a machine with some MI300X: a node for the processor, and one for each GPU."""
    nodes = "sys/class/kfd/kfd/topology/nodes"
    put(root, f"{nodes}/0/properties", "cpu_cores_count 96\nsimd_count 0\ngfx_target_version 0\n")
    for place in range(count):
        minor = 128 + place
        text = (
            "cpu_cores_count 0\nsimd_count 1216\nmem_banks_count 1\nmax_waves_per_simd 8\nlds_size_in_kb 64\n"
            f"wave_front_size 64\nsimd_per_cu 4\ngfx_target_version {version}\nvendor_id 4098\ndevice_id 29857\n"
            f"location_id {(place + 5) << 8}\ndomain 0\ndrm_render_minor {minor}\nnum_xcc 8\n"
            f"unique_id {number + place}\n"
        )
        put(root, f"{nodes}/{first + place}/properties", text)
        put(root, f"{nodes}/{first + place}/mem_banks/0/properties", "heap_type 1\nsize_in_bytes 206141652992\n")
        put(root, f"dev/dri/renderD{minor}")
    put(root, "dev/kfd")
    put(root, "opt/rocm/.info/version", "7.1.1-38\n")
    put(root, "opt/rocm/share/hip/version", "HIP_VERSION_MAJOR=7\nHIP_VERSION_MINOR=1\nHIP_VERSION_PATCH=52802\n")
    put(root, "sys/module/amdgpu/version", "6.16.6\n")
    return root


def nvidia(root: Path, count: int = 2, model: str = "NVIDIA H100 80GB HBM3", uuid: str = "") -> Path:
    """What NVIDIA's driver shows in /proc."""
    for place in range(count):
        name = uuid or f"GPU-0000000{place}-1a2b-3c4d-5e6f-001122334455"
        text = (
            f"Model: \t\t {model}\nIRQ:   \t\t 77\nGPU UUID: \t {name}\nVideo BIOS: \t 96.00.74.00.01\n"
            f"Bus Type: \t PCIe\nBus Location: \t 0000:{place + 1:02x}:00.0\nDevice Minor: \t {place}\n"
        )
        put(root, f"proc/driver/nvidia/gpus/0000:{place + 1:02x}:00.0/information", text)
        put(root, f"dev/nvidia{place}")
    put(root, "dev/nvidiactl")
    put(root, "sys/module/nvidia/version", "570.124.06\n")
    return root
