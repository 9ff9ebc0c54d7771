"""One sandbox with a compiler, and every kernel compiled once for every target."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geak_evaluator import device
from geak_evaluator.machine_code.cache import Cache
from geak_evaluator.machine_code.compile import LIMITS, Compiled, Compiler
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.schema.machine_code import Handed
from geak_evaluator.schema.target import TARGETS

HIP = ("gfx90a", "gfx942", "gfx950")
CUDA = ("sm_80", "sm_90", "sm_100")
ALL = tuple(TARGETS)

PRELOAD = (
    *("torch", "triton", "triton.compiler"),
    *("geak_evaluator.device", "geak_evaluator.children.script", "geak_evaluator.children.compiler"),
)


def pytest_configure(config: pytest.Config) -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("triton")))
    patch.setenv("TRITON_HOME", str(tmp_path_factory.mktemp("home")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def box() -> Iterator[Sandbox]:
    with Sandbox(preload=PRELOAD) as started:
        assert not started.missing
        yield started


@pytest.fixture(scope="session")
def compiler(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Compiler:
    return Compiler(box, Cache(tmp_path_factory.mktemp("cache")), limits=LIMITS)


def launched(call: Callable[[], object], target: str = "gfx942") -> list[Any]:
    """The launches that a call makes, neither compiled nor interpreted."""
    launches: list[Any] = []
    with device.activate(target, on_launch=launches.append, compile=False, execute=False):
        call()
    return launches


def launch_of(name: str, backend: str = "hip") -> Any:
    """One of the kernels, on arguments of an ordinary size."""
    import torch

    from . import kernels

    def floats(*shape: int, dtype: torch.dtype = torch.float16) -> torch.Tensor:
        return torch.zeros(shape, dtype=dtype)

    def matmul(dtype: torch.dtype, **options: int) -> None:
        a, b, c = floats(512, 512, dtype=dtype), floats(512, 512, dtype=dtype), floats(512, 512)
        kernels.matmul[(4, 4)](a, b, c, 512, 512, 512, BM=128, BN=128, **{"BK": 64, **options})

    few = {"hip": {"waves_per_eu": 8}, "cuda": {"maxnreg": 32}}[backend]
    x, y, n = floats(1 << 16, dtype=torch.float32), floats(1 << 16, dtype=torch.float32), 1 << 16
    calls = {
        "softmax": lambda: kernels.softmax[(64,)](floats(64, 1024), floats(64, 1024), 1024, BLOCK=1024),
        "matmul_fp16": lambda: matmul(torch.float16),
        "matmul_bf16": lambda: matmul(torch.bfloat16),
        "matmul_fp8": lambda: matmul(torch.float8_e4m3fn),
        "matmul_deep": lambda: matmul(torch.float16, BK=128, num_stages=3),
        "hold": lambda: kernels.hold[(8,)](x, y, n, BLOCK=8192, num_warps=1, **few),
        "histogram": lambda: kernels.histogram[(64,)](torch.zeros(n, dtype=torch.int32), x.int(), n, BLOCK=1024),
        "power": lambda: kernels.power[(64,)](x, y, n, BLOCK=1024),
    }
    (launch,) = launched(calls[name], "gfx942" if backend == "hip" else "sm_90")
    return launch


_FOR = {
    "softmax": ALL,
    "matmul_fp16": ALL,
    "matmul_bf16": ("gfx942", "sm_80"),
    "matmul_fp8": ("gfx950", "sm_80", "sm_90"),
    "matmul_deep": ("gfx942", "gfx950", "sm_90"),
    "histogram": ALL,
    "power": ALL,
}


def handed_over() -> dict[str, Handed]:
    """What a candidate's process hands over of each kernel."""
    from geak_evaluator.machine_code import frontend

    handed = {name: frontend.lower([launch_of(name)], targets) for name, targets in _FOR.items()}
    handed["hold_hip"] = frontend.lower([launch_of("hold", "hip")], HIP)
    handed["hold_cuda"] = frontend.lower([launch_of("hold", "cuda")], CUDA)
    return handed


@pytest.fixture(scope="session")
def handed() -> dict[str, Handed]:
    return handed_over()


@pytest.fixture(scope="session")
def made(compiler: Compiler, handed: dict[str, Handed]) -> dict[tuple[str, str], Compiled]:
    """Every kernel on every target that it is compiled for."""
    merged, names, texts = [], [], 0
    for name, one in handed.items():
        for lowered in one.kernels:
            merged.append(replace(lowered, text=lowered.text + texts if lowered.text >= 0 else -1))
            names.append((name, lowered.target))
        texts += len(one.texts)
    together = Handed(tuple(text for one in handed.values() for text in one.texts), tuple(merged))
    return dict(zip(names, compiler.figures_of(together), strict=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"
