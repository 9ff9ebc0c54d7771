"""What a foreign test was seen to do: the calls of a kernel's entry as plain data, and what they say of a spec."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["function", "apply", "kernel"]


@dataclass(frozen=True)
class Gridded:
    """A launch's grid under one configuration of its kernel."""

    meta: dict[str, Any]
    """What the configuration, and a kernel's heuristics, say besides the arguments."""
    grid: tuple[int, ...]


@dataclass(frozen=True)
class Seen:
    """One distinct call: its arguments by name, as shapes, formats and plain values."""

    args: dict[str, Any]
    """Numbers, texts, None, `{"tensor": shape, "dtype": ..., "strides": ..., "drawn": ...}`, `{"object": type}`."""
    by_name: tuple[str, ...] = ()
    """Arguments that can be passed by name alone."""
    grid: tuple[int, ...] = ()
    """Of a kernel that the test launches itself."""
    grids: tuple[Gridded, ...] = ()
    """The same under several configurations, where the grid is computed from one."""
    changed: tuple[str, ...] = ()
    """Tensors that were others after the call."""
    done: bool = False
    """It was carried out to its end."""
    timed: bool = False
    """It is one that the benchmark times; it was not carried out."""
    count: int = 1


@dataclass(frozen=True)
class Sketch:
    """What the calls of one entry say of a spec, its parts as source; every case by its sizes."""

    axes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The sizes that were seen, in order."""
    dtypes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of each tensor: axes by name, and numbers."""
    cases: tuple[dict[str, Any], ...] = ()
    without: tuple[tuple[str, ...], ...] = ()
    values: tuple[dict[str, Any], ...] = ()
    """By case: whole numbers of a tensor that follow no rule, nested as the tensor is."""
    floats: tuple[dict[str, Any], ...] = ()
    """All that is known one by one, for operations that are not defined on any numbers."""
    timed: tuple[bool, ...] = ()
    call: str = ""
    """The entry's call with what no spec can pass, as source: "f(x, y, activation='relu')"."""
    plain: bool = True
    """The entry takes the inputs in their order, and nothing else."""
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One function, or kernel, that the test calls."""

    name: str
    kind: Kind = "function"
    calls: tuple[Seen, ...] = ()
    sketch: Sketch | None = None


@dataclass(frozen=True)
class Observed:
    """What came of running a foreign file's test."""

    entries: tuple[Entry, ...] = ()
    trouble: str = ""
    """What ended the test before its time, in a sentence."""
    timed_trouble: str = ""
    """Why no timed sizes are known, where the benchmark has some."""
    strays: tuple[str, ...] = ()
    """Lanes that touched memory of no argument; they were left out, and the test went on."""
    launches: int = 0


@dataclass(frozen=True)
class Tried:
    """One case of a spec as the kernel that it comes with fares at it."""

    sizes: dict[str, Any]
    cause: str = ""
    """What it failed by; "" where it is accepted."""
    message: str = ""
    changed: str = ""
    """The input that it changed, where it failed by that."""


@dataclass(frozen=True)
class Trials:
    """Every case of a spec, tried on its own."""

    cases: tuple[Tried, ...] = ()
