"""The devices that can be described: plain data, readable without torch and without triton."""

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One described device: what Triton and a kernel's wrapper may ask about it."""

    name: str
    arch: str
    backend: str  # 'hip' or 'cuda'
    warp_size: int
    max_shared: int  # bytes of LDS or shared memory that one block may ask for
    multiprocessors: int
    fp8_e4m3: str  # 'fnuz' or 'fn': the e4m3 flavour of its matrix units ('fnuz' is emulated on gfx90a)
    default_dot_is_tf32: bool  # does an fp32 tl.dot with no input_precision round its operands
    product: str

    @property
    def triton_arch(self) -> str | int:
        """The architecture as Triton's GPUTarget wants it: a string for AMD, a number for NVIDIA."""
        return self.arch if self.backend == "hip" else int(self.arch.removeprefix("sm_"))

    @property
    def capability(self) -> tuple[int, int]:
        """What torch.cuda.get_device_capability says on this device."""
        if self.backend == "hip":
            major, minor = self.arch[3:-2], self.arch[-2]
            return int(major), int(minor, 16)
        return divmod(int(self.arch.removeprefix("sm_")), 10)


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("gfx942", "gfx942", "hip", 64, 65536, 304, "fnuz", True, "AMD Instinct MI300X"),
        Target("gfx950", "gfx950", "hip", 64, 163840, 256, "fn", False, "AMD Instinct MI355X"),
        Target("gfx90a", "gfx90a", "hip", 64, 65536, 110, "fnuz", False, "AMD Instinct MI250X"),
        Target("sm_80", "sm_80", "cuda", 32, 166912, 108, "fn", True, "NVIDIA A100-SXM4-80GB"),
        Target("sm_90", "sm_90", "cuda", 32, 232448, 132, "fn", True, "NVIDIA H100 80GB HBM3"),
        Target("sm_100", "sm_100", "cuda", 32, 232448, 148, "fn", True, "NVIDIA B200"),
    )
}

ALIASES: dict[str, str] = {
    "mi300x": "gfx942",
    "mi325x": "gfx942",
    "mi350x": "gfx950",
    "mi355x": "gfx950",
    "mi250x": "gfx90a",
    "a100": "sm_80",
    "h100": "sm_90",
    "h200": "sm_90",
    "b200": "sm_100",
}


class UnknownTarget(ValueError):
    """No described device has that name."""


def _shown(name: str) -> str:
    return name.upper() if name in ALIASES else name


def find(name: str) -> Target:
    """The target of that architecture or product name, whatever its case."""
    key = name.strip().lower()
    target = TARGETS.get(ALIASES.get(key, key))
    if target is None:
        near = [_shown(one) for one in difflib.get_close_matches(key, [*TARGETS, *ALIASES], 2, 0.8)]
        meant = f"did you mean {' or '.join(near)}? There" if near else "there"
        known, products = ", ".join(TARGETS), ", ".join(map(_shown, ALIASES))
        raise UnknownTarget(f"there is no target '{name}'; {meant} are {known}, also by product: {products}")
    return target
