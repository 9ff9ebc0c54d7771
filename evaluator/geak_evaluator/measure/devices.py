"""The GPUs of this machine, and which of them are ours, without starting a driver.

AMD's are read off the topology that the kernel's KFD shows, NVIDIA's off /proc/driver/nvidia, or where that is missing
or keeps their names to itself (in some containers) by `nvidia-smi -L`, which creates no context.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path

from geak_evaluator.schema.device import Gpu
from geak_evaluator.schema.target import ALIASES, TARGETS

ROOT = Path("/")
VARIABLES = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
_PRODUCTS = {
    0x7408: "AMD Instinct MI250X",
    0x740C: "AMD Instinct MI250X",
    0x740F: "AMD Instinct MI210",
    0x74A0: "AMD Instinct MI300A",
    0x74A1: "AMD Instinct MI300X",
    0x74A2: "AMD Instinct MI308X",
    0x74A5: "AMD Instinct MI325X",
    0x75A0: "AMD Instinct MI350X",
    0x75A3: "AMD Instinct MI355X",
}
"""By PCI device number, where the card does not tell its name."""
_SHARED = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
"""Device files that all of NVIDIA's GPUs are reached through; without the third CUDA does not start."""
_PATIENCE_S = 20


class NoSuchDevice(ValueError):
    """A device was asked for that is not there; the message says which are."""


def gpus(root: Path = ROOT) -> tuple[Gpu, ...]:
    """Every GPU that the kernel knows, AMD's first."""
    amd, nvidia = list(_amd(root)), list(_nvidia(root))
    seen: dict[str, int] = {}
    for gpu in amd:
        seen[gpu.uuid] = seen.get(gpu.uuid, 0) + 1
    # The partitions of one card have its number in common.
    amd = [replace(gpu, uuid=f"{gpu.uuid}/{gpu.index}") if seen[gpu.uuid] > 1 else gpu for gpu in amd]
    return (*amd, *nvidia)


def visible(found: Sequence[Gpu], environment: Mapping[str, str] | None = None, ids: str = "") -> tuple[Gpu, ...]:
    """Those of them that the variables leave, and of these the ones that `ids` names, in that order.

    On ROCm, ROCR_VISIBLE_DEVICES counts first, and HIP_VISIBLE_DEVICES (or, without it, CUDA_VISIBLE_DEVICES, which HIP
    reads as well) counts among what that leaves. On CUDA it is CUDA_VISIBLE_DEVICES alone. Each is a list of numbers or
    UUIDs, and as in both runtimes the first entry that names no device ends it.
    """
    known = os.environ if environment is None else environment
    amd = [gpu for gpu in found if gpu.vendor == "amd"]
    nvidia = [gpu for gpu in found if gpu.vendor == "nvidia"]
    amd = _named(amd, known.get("ROCR_VISIBLE_DEVICES"))
    amd = _named(amd, known.get("HIP_VISIBLE_DEVICES", known.get("CUDA_VISIBLE_DEVICES")))
    left = [*amd, *_named(nvidia, known.get("CUDA_VISIBLE_DEVICES"))]
    if not ids.strip():
        return tuple(left)
    chosen = []
    for word in ids.split(","):
        one = _one(left, word.strip())
        if one is None:
            there = ", ".join(f"{n} ({gpu.name or gpu.arch}, {gpu.uuid})" for n, gpu in enumerate(left)) or "none"
            raise NoSuchDevice(f"--gpu-ids {ids!r}: there is no device {word.strip()!r}; there are: {there}")
        chosen.append(one)
    return tuple(dict.fromkeys(chosen))


def narrow(ids: str, environment: MutableMapping[str, str] = os.environ, root: Path = ROOT) -> None:
    """Makes the variables leave the devices that `ids` names and no others; NoSuchDevice where one is not there."""
    chosen = visible(gpus(root), environment, ids)
    amd, nvidia = ([gpu for gpu in chosen if gpu.vendor == vendor] for vendor in ("amd", "nvidia"))
    environment["ROCR_VISIBLE_DEVICES"] = ",".join(map(handle, amd))
    environment["HIP_VISIBLE_DEVICES"] = ",".join(map(str, range(len(amd))))  # all of these: else CUDA's would count
    environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(handle, nvidia))


def alone(gpu: Gpu, environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which a process sees this device and no other.

    On ROCm by ROCR_VISIBLE_DEVICES alone: HIP's variables would count among one, and Proton refuses to start with them.
    """
    kept = {name: value for name, value in environment.items() if name not in VARIABLES}
    return {**kept, "ROCR_VISIBLE_DEVICES" if gpu.vendor == "amd" else "CUDA_VISIBLE_DEVICES": handle(gpu)}


def handle(gpu: Gpu) -> str:
    """What its runtime knows it by: a UUID, which no order changes, or its number where it has none of its own."""
    return gpu.uuid if re.fullmatch(r"GPU-[\w-]+", gpu.uuid) else str(gpu.index)


def _named(found: list[Gpu], words: str | None) -> list[Gpu]:
    if words is None:
        return found
    chosen: list[Gpu] = []
    for word in words.split(","):
        one = _one(found, word.strip())
        if one is None:
            break
        chosen.append(one)
    return list(dict.fromkeys(chosen))


def _one(found: Sequence[Gpu], word: str) -> Gpu | None:
    """By number, or by a UUID or the beginning of one that no other has."""
    if word.isdecimal():
        return found[int(word)] if int(word) < len(found) else None
    meant = [gpu for gpu in found if word.startswith(("GPU-", "MIG-")) and gpu.uuid.lower().startswith(word.lower())]
    return meant[0] if len(meant) == 1 else None


def _amd(root: Path) -> Iterator[Gpu]:
    nodes = root / "sys/class/kfd/kfd/topology/nodes"
    index = 0
    for folder in sorted(nodes.glob("*"), key=lambda path: int(path.name) if path.name.isdecimal() else -1):
        about = {name: int(value) for name, value in re.findall(r"^(\w+) (\d+)$", _read(folder / "properties"), re.M)}
        version = about.get("gfx_target_version", 0)
        if not version:
            continue  # a processor is a node as well
        arch = f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"  # 90402 is gfx942
        minor, location = about.get("drm_render_minor", 0), about.get("location_id", 0)
        render = f"/dev/dri/renderD{minor}"
        bus = f"{about.get('domain', 0):04x}:{location >> 8:02x}:{location >> 3 & 31:02x}.{location & 7}"
        card = root / f"sys/class/drm/renderD{minor}/device"
        name = _read(card / "product_name").strip() or _PRODUCTS.get(about.get("device_id", 0), f"AMD {arch}")
        number = about.get("unique_id", 0)
        banks = [_read(file) for file in folder.glob("mem_banks/*/properties")]
        yield Gpu(
            vendor="amd",
            uuid=f"GPU-{number:016x}" if number else f"AMD-{bus}",
            index=index,
            name=name,
            arch=arch,
            target=arch if arch in TARGETS else "",
            units=about.get("simd_count", 0) // max(about.get("simd_per_cu", 4), 1),
            xcds=about.get("num_xcc", 1),
            wave=about.get("wave_front_size", 64),
            memory=sum(int(size) for bank in banks if (size := _bank(bank))),
            bus=bus,
            nodes=("/dev/kfd", render),
            usable=_open(root, "/dev/kfd", render),
        )
        index += 1


def _bank(text: str) -> str:
    """The size of a bank of the card's own memory."""
    own = re.search(r"^heap_type [12]$", text, re.M)
    size = re.search(r"^size_in_bytes (\d+)$", text, re.M)
    return size[1] if own and size else ""


def _nvidia(root: Path) -> Iterator[Gpu]:
    told: dict[str, tuple[str, str]] | None = None
    index = 0  # as CUDA and nvidia-smi count: what is not here has no number
    files = sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
    for place, file in enumerate(files):
        about = dict(re.findall(r"^([\w ]+):\s*(.*?)\s*$", _read(file), re.M))
        node = f"/dev/nvidia{about.get('Device Minor', place)}"
        if not (root / node.lstrip("/")).exists():
            continue  # a container shows the host's list and has the nodes of its own devices
        uuid, bus = about.get("GPU UUID", ""), file.parent.name
        if not re.fullmatch(r"GPU-[0-9a-fA-F-]+", uuid):
            told = _by_nvidia_smi() if told is None else told
            uuid = told.get(str(index), ("", ""))[1] or f"NVIDIA-{bus}"
        yield _of_nvidia(root, index, about.get("Model", ""), uuid, bus, node)
        index += 1
    if files:
        return
    # Some sandboxes for containers show nothing of the driver in /proc.
    nodes = sorted((root / "dev").glob("nvidia[0-9]*"), key=lambda path: (len(path.name), path.name))
    for number, (model, uuid) in (_by_nvidia_smi() if nodes else {}).items():
        if int(number) < len(nodes):
            yield _of_nvidia(root, int(number), model, uuid, "", f"/dev/{nodes[int(number)].name}")


def _of_nvidia(root: Path, index: int, model: str, uuid: str, bus: str, node: str) -> Gpu:
    arch = next((t for product, t in ALIASES.items() if re.search(rf"\b{product}\b", model.lower())), "")
    return Gpu(
        vendor="nvidia",
        uuid=uuid,
        index=index,
        name=model,
        arch=arch,
        target=arch if arch in TARGETS else "",
        wave=32,
        bus=bus,
        nodes=(*(f"/dev/{name}" for name in _SHARED if (root / "dev" / name).exists()), node),
        usable=_open(root, "/dev/nvidiactl", node),
    )


def _by_nvidia_smi() -> dict[str, tuple[str, str]]:
    """Names and UUIDs by number."""
    path = shutil.which("nvidia-smi")
    if path is None:
        return {}
    try:
        said = subprocess.run(
            [path, "-L"], capture_output=True, text=True, timeout=_PATIENCE_S, errors="replace"
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found = re.findall(r"^GPU (\d+): (.*) \(UUID: (GPU-[^)]+)\)$", said, re.M)
    return {number: (model, uuid) for number, model, uuid in found}


def _open(root: Path, *nodes: str) -> bool:
    return all(os.access(root / node.lstrip("/"), os.R_OK | os.W_OK) for node in nodes)


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def software(root: Path = ROOT) -> dict[str, str]:
    """The versions of the drivers and of ROCm, where they are written down."""
    hip = dict(re.findall(r"^HIP_VERSION_(MAJOR|MINOR|PATCH)=(\d+)", _read(root / "opt/rocm/share/hip/version"), re.M))
    found = {
        "rocm": _read(root / "opt/rocm/.info/version").strip(),
        "hip": ".".join(hip[part] for part in ("MAJOR", "MINOR", "PATCH") if part in hip),
        "amdgpu": _read(root / "sys/module/amdgpu/version").strip(),
        "nvidia": _read(root / "sys/module/nvidia/version").strip(),
    }
    return {name: version for name, version in found.items() if version}
