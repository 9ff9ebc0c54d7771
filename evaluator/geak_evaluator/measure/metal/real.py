"""A real device, by way of torch.cuda, which is HIP on ROCm; nothing of this has run on hardware (docs/measure.md)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
import triton

from geak_evaluator.measure.metal import NoGraph, Observer, sensors
from geak_evaluator.schema.measuring import Identity
from geak_evaluator.schema.target import TARGETS
from geak_evaluator.schema.timing import Conditions

MIB = 1 << 20
_LEAST_FLUSH = 256 * MIB
_LAST_LEVEL = {"gfx942": 256 * MIB, "gfx950": 256 * MIB}
"""Infinity Cache, of which torch knows nothing: `L2_cache_size` is the dies' own."""
_PROBE = 128 * MIB
_PERSISTING = 6
"""CU_LIMIT_PERSISTING_L2_CACHE_SIZE."""


class TorchMetal:
    """The one device that this process is let see."""

    def __init__(self, visible: str) -> None:
        self.hip = bool(torch.version.hip)
        # The runtime reads it when it starts, which is at the next line that asks it anything.
        os.environ["ROCR_VISIBLE_DEVICES" if self.hip else "CUDA_VISIBLE_DEVICES"] = visible
        torch.cuda.init()  # type: ignore[no-untyped-call]
        torch.set_num_threads(1)
        self.device = torch.device("cuda", 0)
        torch.cuda.set_device(self.device)
        self._properties = torch.cuda.get_device_properties(self.device)
        target = _target(self._properties, self.hip)
        self._sensors = sensors.of(self._properties, hip=self.hip)
        self.observers: list[Observer] = []
        cache = max(getattr(self._properties, "L2_cache_size", 0), _LAST_LEVEL.get(target, 0))
        self._flush = self.allocate(max(_LEAST_FLUSH, 2 * cache))
        self._probe = (self.allocate(_PROBE), self.allocate(_PROBE))
        self._cuda = None if self.hip else _libcuda()
        if self._cuda is not None:  # of our own context, which is there since something was allocated in it
            self._cuda.cuCtxSetLimit(ctypes.c_int(_PERSISTING), ctypes.c_size_t(0))
        self.identity = Identity(
            vendor="amd" if self.hip else "nvidia",
            name=self._properties.name,
            uuid=_uuid(self._properties),
            target=target,
            memory=self._properties.total_memory,
            versions=_versions(self.hip, self._sensors.driver()),
            max_mhz=self._sensors.max_mhz(),
            exclusive=self._sensors.exclusive(),
        )

    def allocate(self, count: int) -> torch.Tensor:
        """So many bytes of its memory; MemoryError where there are not so many."""
        try:
            return torch.empty(max(count, 1), dtype=torch.uint8, device=self.device)
        except torch.cuda.OutOfMemoryError as error:
            raise MemoryError(f"the device has no {count} bytes left") from error

    def free(self) -> int:
        """How many bytes are left, by the driver."""
        torch.cuda.empty_cache()
        return int(torch.cuda.mem_get_info(self.device)[0])

    @contextlib.contextmanager
    def launching(self) -> Iterator[None]:
        """Triton's own driver, found by Triton itself; a wrapper that would have set an allocator never runs here."""
        triton.set_allocator(self._scratch)
        yield

    def _scratch(self, size: int, alignment: int, stream: int | None) -> torch.Tensor:
        """Memory that a launch asks for beside its arguments: descriptors that are made on the device lie there."""
        return self.allocate(size)

    def step(self, name: str, moved: int) -> None:
        """Nothing to be told."""

    def event(self) -> Any:
        """A timing event on the current stream."""
        return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]

    def elapsed(self, first: Any, last: Any) -> float:
        """Microseconds."""
        return float(first.elapsed_time(last)) * 1000

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """A graph of the work, which must have run before: nothing is compiled while recording."""
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph):
                work()
        except Exception as error:
            with contextlib.suppress(
                Exception
            ):  # of a recording that cannot be ended either; the judge goes on elsewhere
                torch.cuda.set_stream(stream)
                torch.cuda.synchronize()
            raise NoGraph(str(error).partition("\n")[0][:200]) from error
        return graph.replay

    def synchronize(self) -> None:
        """All streams of the device."""
        torch.cuda.synchronize(self.device)

    def flush(self) -> None:
        """Overwrites twice the largest cache; lines that persist become ordinary ones before."""
        if self._cuda is not None:
            self._cuda.cuCtxResetPersistingL2Cache()
        self._flush.zero_()

    def probe(self) -> None:
        """A copy within the memory, the same each time."""
        self._probe[0].copy_(self._probe[1])

    def seconds(self) -> float:
        """The host's clock."""
        return time.perf_counter()

    def reading(self) -> Conditions:
        """What the sensors say now."""
        return self._sensors.read()

    def close(self) -> None:
        """The process ends with it."""
        torch.cuda.empty_cache()


def _target(properties: Any, hip: bool) -> str:
    if hip:  # "gfx942:sramecc+:xnack-"
        name = str(properties.gcnArchName).partition(":")[0]
    else:
        name = f"sm_{properties.major}{properties.minor}"
    return name if name in TARGETS else ""


def _uuid(properties: Any) -> str:
    known = str(getattr(properties, "uuid", "") or "")
    return known or sensors.address(properties)


def _versions(hip: bool, driver: str) -> dict[str, str]:
    found = {"torch": str(torch.__version__), "triton": str(triton.__version__)}
    found["hip" if hip else "cuda"] = str((torch.version.hip if hip else torch.version.cuda) or "")
    return {**found, "driver": driver} if driver else found


def _libcuda() -> Any:
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
