"""What the agent and the judge say to each other: one JSON object a line, over stdin and stdout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from geak_evaluator.schema.device import Gpu, Launched
from geak_evaluator.schema.timing import EVERYTHING, Extras
from geak_evaluator.schema.verdict import Policy, Tier

VERSION = 9
"""Raised with every change that an older agent or judge would misread."""


@dataclass(frozen=True)
class Hello:
    """The judge's first line."""

    version: int
    python: str
    packages: dict[str, str]
    """torch, triton and numpy by version; a missing one is left out."""
    sandbox: str
    """The level that the self-test proved."""
    leaks: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    """The described targets that these devices are."""
    missing: dict[str, str] = field(default_factory=dict)
    """Modules that could not be loaded, with the reason."""
    measures: bool = False
    """Whether it has a device on which kernels are proved and timed, as far as its files say."""
    workers: int = 1
    """How many requests are worked on at a time."""
    code: str = ""
    """The SHA-256 of this judge's source: who judges alike, has the same."""
    gpus: tuple[Gpu, ...] = ()
    """Every GPU of the machine that the variables leave visible."""
    software: dict[str, str] = field(default_factory=dict)
    """The drivers and ROCm by version, where the machine has them."""
    launched: Launched | None = None
    """What a real launch came to, where somebody asked for one: a hello opens no device."""


@dataclass(frozen=True)
class Request:
    """One thing asked of the judge."""

    id: int
    op: Literal["describe", "evaluate", "launch", "lint", "observe", "profile", "seed", "try", "tune"]
    path: str
    """Where the spec lies, for messages and for what it names relative to itself."""
    source: str
    """The spec file's text; bytes that are no UTF-8 as lone surrogates."""
    kernel: str = ""
    targets: tuple[str, ...] = ("gfx942",)
    tier: Tier = Tier.FULL
    policy: Policy = Policy.PURE
    evaluations: int = 64
    """How many configurations a tuner may try for a target."""
    minutes: float = 2.0
    """How long it may try."""
    time: bool = False
    """Measure an accepted kernel too, where there is a device that is the first target."""
    original: str = ""
    """The kernel file that it is to be faster than, besides the reference; its entry has the spec's name."""
    seconds: float = 20.0
    """How long one case beside one baseline may be timed."""
    extras: Extras = EVERYTHING
    """What else of an accepted kernel is measured, where its time is."""
    table: str = ""
    """JSON with configurations by size, as serving engines keep them: for a tuner to begin from."""
    axis: str = ""
    """The axis whose sizes the table's rows are labelled by: each row is settled at its own on a device."""
    test: str = ""
    """For `observe`: a foreign test's text; `source` is then the kernel file that it is about, and no spec."""
    timed: str = ""
    """For `observe`: a foreign text that makes the inputs which its benchmark times."""
    watch: tuple[str, ...] = ()
    """For `observe`: what of the kernel file the test calls."""
    project: str = ""
    """For `observe`: a folder that the test may read."""
    case: str = ""
    """Which case is profiled, by its number or its sizes; the first that is timed, where not said."""
    tool: Literal["auto", "proton", "rocprof", "ncu"] = "auto"
    """Which profiler is asked."""


@dataclass(frozen=True)
class Problem:
    """Why there is no result; a kernel's failure is a verdict, never a problem."""

    kind: Literal["spec", "sandbox", "request"]
    message: str


@dataclass(frozen=True)
class Response:
    """The answer to the request of the same number."""

    id: int
    result: Any = None
    problem: Problem | None = None
