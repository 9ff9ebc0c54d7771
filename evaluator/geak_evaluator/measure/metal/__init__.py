"""What a device must give to a replay and to a clock: small, so that a simulated one can run all of the real code."""

from __future__ import annotations

import faulthandler
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from geak_evaluator.schema.measuring import Identity
from geak_evaluator.schema.timing import Conditions

if TYPE_CHECKING:
    import torch


class NoGraph(Exception):
    """This work cannot be recorded and replayed; the message says why."""


class Event(Protocol):
    """A mark in the device's own order of work."""

    def record(self) -> None:
        """Marks where all that was asked before is done."""


class Observer(Protocol):
    """Somebody who watches a device in its own process while calls follow each other: a simulated one's joules."""

    def start(self) -> None:
        """Called right before a block's steady calls, when the device is idle."""

    def stop(self, calls: int) -> dict[str, float]:
        """Called when they are done; what is to be told of `calls` calls, such as {"joules": 0.12} for all of them."""


class Metal(Protocol):
    """One device, opened by this process."""

    identity: Identity
    observers: list[Observer]

    def allocate(self, count: int) -> torch.Tensor:
        """So many bytes of its memory, holding nothing of account; MemoryError where there are not so many."""

    def free(self) -> int:
        """How many bytes of its memory are left."""

    def launching(self) -> AbstractContextManager[None]:
        """Triton's launches inside go to this device, by Triton's ordinary path."""

    def step(self, name: str, moved: int) -> None:
        """Told before each step of work that is no launch: a real device needs no telling."""

    def event(self) -> Event:
        """A mark that is not yet set."""

    def elapsed(self, first: Any, last: Any) -> float:
        """Microseconds between two marks that have been passed."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Work recorded as a graph, to be replayed; NoGraph where that cannot be."""

    def synchronize(self) -> None:
        """Waits for all of the device's streams."""

    def flush(self) -> None:
        """Leaves nothing of account in any cache, lines that were to persist included."""

    def probe(self) -> None:
        """Asks for the calibrated kernel: always the same work, longer when somebody else is at work."""

    def seconds(self) -> float:
        """The host's clock, or a simulated one."""

    def reading(self) -> Conditions:
        """Clocks, power and temperature: read, never set."""

    def close(self) -> None:
        """Gives all memory back."""


def open_metal(kind: str, visible: str, settings: dict[str, Any]) -> Metal:
    """Opens a device in this process, which has not touched any before."""
    faulthandler.enable(2)  # where a driver crashes, the log says in which of our lines
    if kind == "simulated":
        from geak_evaluator.measure.metal.simulated import SimulatedMetal

        return SimulatedMetal(**settings)
    from geak_evaluator.measure.metal.real import TorchMetal

    return TorchMetal(visible)
