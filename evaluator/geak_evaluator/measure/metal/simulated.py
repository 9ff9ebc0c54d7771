"""A simulated device: kernels are interpreted, and time is a number; it has noise, drift, neighbours, and liars on it.

It stands in for hardware where the clock itself is tested. What it says was measured is measured of a simulation, and
its name says so.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import torch

from geak_evaluator.device import simulated as described
from geak_evaluator.device.cuda_on_cpu import cuda_on_cpu
from geak_evaluator.device.host_memory import unmarked
from geak_evaluator.measure.metal import NoGraph, Observer
from geak_evaluator.schema.measuring import Identity
from geak_evaluator.schema.target import find
from geak_evaluator.schema.timing import Conditions

_MHZ = 2000.0
_FLUSH_US, _PROBE_US, _STEP_US = 150.0, 100.0, 2.0
_SLICE_US = 400.0
"""How long a neighbour holds the device once it has it."""


@dataclass
class World:
    """What all processes on one device share: its time, and how it is."""

    seed: int = 0
    noise: float = 0.01
    """Of each call: the spread of its logarithm."""
    wander: float = 0.005
    """The same of each stretch between two waits: what neighbouring calls have in common."""
    drift: float = 0.0
    """How much slower it gets in a second."""
    throttled: float = 1.0
    """Its speed once it is hot."""
    hot_after: float = math.inf
    """Seconds."""
    neighbour: float = 0.0
    """How often somebody else has the device when work arrives."""
    now: float = 0.0
    """Microseconds."""
    loaded_until: float = 0.0
    load: float = 1.0
    rng: random.Random = field(init=False)
    stretch: float = 1.0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    @property
    def speed(self) -> float:
        """Of the cores, now."""
        seconds = self.now / 1e6
        return (self.throttled if seconds >= self.hot_after else 1.0) / (1 + self.drift * seconds)

    def takes(self, us: float) -> float:
        """How long work of a nominal length takes now."""
        us *= math.exp(self.rng.gauss(0, self.noise)) * self.stretch / self.speed
        if self.now < self.loaded_until:
            us *= self.load
        if self.rng.random() < self.neighbour:
            us += self.rng.expovariate(1 / _SLICE_US)
        return us

    def wait(self) -> None:
        """Another stretch begins."""
        self.stretch = math.exp(self.rng.gauss(0, self.wander))


class _Event:
    def __init__(self, metal: SimulatedMetal) -> None:
        self._metal, self.at, self.lied = metal, 0.0, 0.0

    def record(self) -> None:
        """Marks where all that was asked before on the stream is done."""
        self.at, self.lied = self._metal.reached()


class _Power:
    """What it draws while it is busy."""

    def __init__(self, metal: SimulatedMetal, watts: float) -> None:
        self._metal, self._watts, self._from = metal, watts, 0.0

    def start(self) -> None:
        """From now on."""
        self._from = self._metal.seconds()

    def stop(self, calls: int) -> dict[str, float]:
        """Until now."""
        return {"joules": self._watts * (self._metal.seconds() - self._from)}


class SimulatedMetal:
    """One process's view of the device."""

    def __init__(
        self,
        target: str = "gfx942",
        *,
        world: World | None = None,
        name: str = "",
        costs: str = "",
        us: float = 100.0,
        warm: float = 0.7,
        launch_us: float = 6.0,
        memory: int = 1 << 33,
        jitter: float = 0.0,
        leaves_load: float = 1.0,
        slow_first: int = 0,
        broken: float = 0.0,
        opens: str = "",
        watts: float = 0.0,
        exclusive: float = 0.0,
        trick: str = "",
        liar: str = "",
        **behaviour: Any,
    ) -> None:
        """`costs` are cold microseconds by the name of a kernel or step: "rows=20,eager=45"; `us` is of all others.

        "rows/BLOCK/64=1.5" makes a kernel's launches with that constant, or that many warps, take so much longer.
        `opens` is a file that it does not start without and keeps open, as a driver does its device files. One that is
        `exclusive` says that it is for one process at a time, and does not see to it.
        """
        if opens:
            self._files = [os.open(opens, os.O_RDWR) for _ in range(4)]
        self.world = world or World(**behaviour)
        self._described = find(target)
        torch.use_deterministic_algorithms(True, warn_only=True)  # new memory is NaN
        pairs = (pair.partition("=") for pair in costs.split(",") if pair)
        self._costs = {key: float(value) for key, _, value in pairs}
        self._us, self._warm_share, self._launch_us = us, warm, launch_us
        self._jitter, self._leaves_load, self._slow_first = jitter, leaves_load, slow_first
        self._broken = broken
        self._memory, self._allocated = memory, 0
        self._trick, self._liar = trick, liar
        self.observers: list[Observer] = [_Power(self, watts)] if watts else []
        self._done = self._host = self.world.now
        self._lied = 0.0
        self._cold, self._replaying = True, False
        self._seen: dict[int, int] = {}
        self._launched = 0
        self._met: set[int] = set()
        self._works = True
        self._known: dict[int, list[torch.Tensor]] = {}
        self._memories: WeakValueDictionary[int, torch.Tensor] = WeakValueDictionary()
        self._later: list[Callable[[], None]] = []
        self.identity = Identity(
            vendor="simulated",
            name=name or f"simulated {self._described.name}",
            uuid=f"simulated-{self._described.name}",
            target=self._described.name,
            memory=memory,
            versions={"torch": str(torch.__version__)},
            max_mhz=_MHZ,
            exclusive=bool(exclusive),
        )

    # -- what a device gives --

    def allocate(self, count: int) -> torch.Tensor:
        """Bytes of the host, counted against the device's."""
        if self._broken:
            raise RuntimeError("the device has fallen off the bus")
        if self._allocated + count > self._memory:
            raise MemoryError(f"the device has no {count} bytes left")
        self._allocated += count
        with unmarked():
            memory = torch.empty(max(count, 1), dtype=torch.uint8)
        self._memories[memory.data_ptr()] = memory
        return memory

    def free(self) -> int:
        """What was not allocated yet."""
        return self._memory - self._allocated

    @contextlib.contextmanager
    def launching(self) -> Iterator[None]:
        """Launches are interpreted on the described device."""
        active = described.activate(self._described, compile=False, on_launch=self._take)
        with active as self._driver, cuda_on_cpu(self._described):  # a wrapper may say device="cuda"
            yield

    def step(self, name: str, moved: int) -> None:
        """A step that is no launch, or a whole reference by its mode."""
        self._spend(self._costs.get(name, _STEP_US))

    def event(self) -> _Event:
        """A mark."""
        return _Event(self)

    def elapsed(self, first: _Event, last: _Event) -> float:
        """Microseconds; less, where somebody has put his hand on the events."""
        return max(last.at - first.at - (last.lied - first.lied), 0.001)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """The work, with one launch's cost for all of it."""
        if self._trick == "no_graph":
            raise NoGraph("it waits for the device")

        def replay() -> None:
            self._host += self._launch_us
            self._replaying = True
            try:
                work()
            finally:
                self._replaying = False

        return replay

    def synchronize(self) -> None:
        """All streams are done."""
        self._host = max(self._host, self._done, self.world.now)
        later, self._later = self._later, []
        for work in later:
            work()
        self._host = self._done = self.world.now = max(self._host, self._done)
        self.world.wait()

    def flush(self) -> None:
        """Overwrites a buffer."""
        self._host += self._launch_us
        self._begin(_FLUSH_US)
        self._cold = True

    def probe(self) -> None:
        """The calibrated kernel."""
        self._host += self._launch_us
        self._begin(self.world.takes(_PROBE_US))

    def seconds(self) -> float:
        """The simulated host's clock."""
        return self._host / 1e6

    def reading(self) -> Conditions:
        """Clocks follow the speed."""
        mhz = _MHZ * self.world.speed
        return Conditions(mhz, mhz, None, 400.0 * self.world.speed, 60.0)

    def close(self) -> None:
        """Gives the memory back."""
        self._allocated = 0

    def reached(self) -> tuple[float, float]:
        """Where the stream is once all that was asked is done."""
        return max(self._done, self._host), self._lied

    # -- what happens on it --

    def _begin(self, us: float) -> None:
        self._done = max(self._done, self._host) + us
        self.world.now = max(self.world.now, self._host)

    def _spend(self, us: float) -> None:
        if not self._replaying:
            self._host += self._launch_us
        share = 1.0 if self._cold else self._warm_share
        self._cold = False
        if self._slow_first > 0:
            self._slow_first -= 1
            us *= 20
        if self._leaves_load > 1:  # for whoever comes next
            self.world.loaded_until, self.world.load = self.world.now + 1e9, self._leaves_load
            us /= self._leaves_load
        self._begin(self.world.takes(us * share * math.exp(self.world.rng.gauss(0, self._jitter))))

    def _take(self, launch: Any) -> None:
        """Called for each launch before it is interpreted."""
        us = self._costs.get(launch.kernel, self._us)
        for name, value in {**launch.constants, "num_warps": launch.num_warps}.items():
            us *= self._costs.get(f"{launch.kernel}/{name}/{value}", 1.0)
        self._driver.executes = False  # what is done is done here
        self._works = True
        if self._trick and self._liar in ("", launch.kernel):
            self._launched += 1
            us = self._lie(launch, us)
        if self._works:
            self._interpret(launch)
        self._spend(us)

    def _interpret(self, launch: Any) -> None:
        """The same launch on the same bytes leaves the same bytes: it is interpreted once."""
        tensors = {a.untyped_storage().data_ptr(): a for a in launch.args if isinstance(a, torch.Tensor)}
        for table in [a for a in tensors.values() if a.dtype in (torch.int64, torch.uint64)]:
            for start in {start for start, memory in self._memories.items() if _leads_to(table, start, memory)}:
                tensors.setdefault(start, self._memories[start])
        raw = [torch.empty(0, dtype=torch.uint8).set_(a.untyped_storage()) for a in tensors.values()]
        place = {pointer: number for number, pointer in enumerate(tensors)}

        def told(value: Any) -> object:
            if not isinstance(value, torch.Tensor):
                return repr(value)
            return place[value.untyped_storage().data_ptr()], value.storage_offset(), value.dtype, value.shape

        where = tuple(map(told, launch.args))
        key = hash((launch.kernel, launch.grid, where, *(memory.numpy().tobytes() for memory in raw)))
        known = self._known.get(key)
        if known is None:
            described.execute(launch, self._driver)
            self._known[key] = [memory.clone() for memory in raw]
        else:
            for memory, after in zip(raw, known, strict=True):
                memory.copy_(after)

    def _lie(self, launch: Any, us: float) -> float:
        """How long the launch seems to take; whether it does its work is decided here as well."""
        where = next((a.data_ptr() for a in launch.args if isinstance(a, torch.Tensor)), 0)
        self._seen[where] = self._seen.get(where, 0) + 1
        skips = {
            "cached": self._seen[where] > 1,
            "batch": self._launched % 5 != 1,
            "warm_up": self._launched > 12,
            "lazy": True,
        }
        if skips.get(self._trick, False):
            self._works = False
            return 1.0
        if self._trick == "side_stream":
            self._works = False
            self._later.append(lambda: self._elsewhere(launch, us))
            return 1.0
        if self._trick == "fast_events":
            self._lied += 0.9 * us * (1.0 if self._cold else self._warm_share)
        if self._trick == "remembers":  # by its values, wherever they lie
            first = next(a for a in launch.args if isinstance(a, torch.Tensor))
            met, self._met = self._met, self._met | {hash(first.numpy().tobytes())}
            return 1.0 if met == self._met else us
        if self._trick == "sub_roofline":
            return 0.001
        if self._trick == "illegal":
            raise RuntimeError("HIP error: an illegal memory access was encountered")
        if self._trick == "reset":
            raise RuntimeError("HIP error: GPU reset begin, all work is lost")
        if self._trick == "other_target":
            raise RuntimeError("HIP error: no kernel image is available for execution on the device")
        if self._trick == "out_of_memory":
            raise MemoryError("the device has no memory left")
        if self._trick == "hang":
            threading.Event().wait()
        return us

    def _elsewhere(self, launch: Any, us: float) -> None:
        self._begin(self.world.takes(us))
        self._interpret(launch)


def _leads_to(table: torch.Tensor, start: int, memory: torch.Tensor) -> bool:
    """Whether a number in it is an address there."""
    values = table.view(torch.int64)
    return bool(((values >= start) & (values < start + memory.nbytes)).any())
