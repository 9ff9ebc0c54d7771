"""What every profiler is here: a program of the machine's, started around a replay, bounded, and never installed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Protocol

from geak_evaluator.schema.profile import Tool

MOST_OUTPUT = 64 << 20
"""Bytes of a tool's report that are read."""


class Unavailable(Exception):
    """A tool cannot serve here; the message is a sentence for a person."""


class Lost(Unavailable):
    """The device itself may be in trouble: it hung, or was reset. It must be tested before it is used again."""


class Replay(Protocol):
    """A plan, ready to be replayed natively in a process of its own."""

    @property
    def kernels(self) -> tuple[str, ...]:
        """The kernels that it launches, in order."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What that process may know: paths, and which device is its own."""

    def command(self, times: int, *, proton: Path | None = None, report: Path | None = None) -> list[str]:
        """A command that replays it so many times; with `proton` under Triton's own profiler, which writes there.

        `report` is a folder into which a tool has that process itself write.
        """


@dataclass(frozen=True)
class Row:
    """One launch as a tool counted it: the kernel's name, and counters by the tool's own names."""

    kernel: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Collected:
    """What one tool said: for each launch of the plan, counters; what it could not say, with the reason."""

    tool: Tool
    version: str
    launches: tuple[Mapping[str, float], ...]
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ran:
    """A program that ended by itself."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that it printed."""
        return f"{self.out}\n{self.err}"


Runner = Callable[[Sequence[str], Path, Mapping[str, str], float], Ran]


def run(argv: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float) -> Ran:
    """Runs a program in a session of its own, which ends with it, or after so many seconds."""
    out, err = folder / "stdout", folder / "stderr"
    with out.open("wb") as o, err.open("wb") as e:
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=o, stderr=e, cwd=folder, env=dict(environment),
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Unavailable(f"{argv[0]} could not be started: {error.strerror}") from None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code is None:
        raise Lost(f"{Path(argv[0]).name} did not finish in {seconds:.0f} s")
    return Ran(code, read(out), read(err))


def read(path: Path) -> str:
    """A report's text, as much of it as is believed."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_OUTPUT).decode("utf-8", "replace")
    except OSError:
        return ""


def program(name: str, *places: str) -> str:
    """Where a program lies: on the path, or where its maker puts it; Unavailable where it is not."""
    found = shutil.which(name)
    for place in places:
        found = found or shutil.which(name, path=place)
    if found is None:
        raise Unavailable(f"{name} is not installed here")
    return found


_SENTENCES = (
    (
        r"ERR_NVGPUCTRPERM",
        "the driver keeps performance counters for administrators (ERR_NVGPUCTRPERM); an administrator can set "
        "NVreg_RestrictProfilingToAdminUsers=0, and a container needs --cap-add SYS_ADMIN",
    ),
    (r"driver resource was unavailable", "another program, such as DCGM, holds the performance counters"),
    (
        r"Unable to open /dev/kfd|/dev/kfd.*(?:Permission denied|not permitted)",
        "this user cannot open /dev/kfd: join the group that owns it (render or video), or start the container with "
        "--device /dev/kfd --device /dev/dri --group-add render",
    ),
    (
        r"HSA_STATUS_ERROR_OUT_OF_RESOURCES",
        "the ROCm runtime got no device: /dev/kfd and /dev/dri must be open to this user",
    ),
    (
        r"EXCEEDS_HW_LIMIT|exceeds? the capabilities of the hardware|exceeds hardware",
        "it asks for more counters at a time than this device has",
    ),
    (
        r"out of memory|OutOfMemory|hipErrorOutOfMemory|CUDA_ERROR_OUT_OF_MEMORY",
        "the case does not fit into the device's memory",
    ),
    (
        r"illegal memory access|hipErrorIllegalAddress|Memory access fault by GPU",
        "a launch reached outside its memory, which the device reported",
    ),
    (
        r"GPU reset|hipErrorLaunchFailure|Xid|ECC error|device-side reset",
        "the device's driver was reset while it ran",
    ),
    (
        r"no kernel image|invalid device function|hipErrorNoBinaryForGpu",
        "the kernel was compiled for another architecture than this device's",
    ),
)
_OF_THE_DEVICE = frozenset(words for _, words in _SENTENCES if "reset" in words or "outside its memory" in words)
REPLAY_WORDS = "geak-replay: "
"""With these the replay says why it could not do what it was asked to."""


def sentence(ran: Ran, tool: str) -> str:
    """Why a tool that failed did so, for a person."""
    for line in ran.said.splitlines():
        if line.startswith(REPLAY_WORDS):
            return line.removeprefix(REPLAY_WORDS)
    for pattern, words in _SENTENCES:
        if re.search(pattern, ran.said, re.IGNORECASE):
            return words
    last = next((line.strip() for line in reversed(ran.said.splitlines()) if line.strip()), "it said nothing")
    return f"{tool} ended with code {ran.code}: {last[:200]}"


def refusal(ran: Ran, tool: str) -> Unavailable:
    """A tool's failure as what is raised for it."""
    words = sentence(ran, tool)
    return Lost(words) if words in _OF_THE_DEVICE else Unavailable(words)


def name_of(kernel: str) -> str:
    """A kernel's own name out of what a tool calls it: without return type, arguments and suffixes."""
    found = re.match(r"\s*(?:void\s+)?([\w$]+)", kernel)
    return found[1] if found else kernel


def aligned(rows: Sequence[Row], kernels: Sequence[str], tool: str) -> list[dict[str, float]]:
    """For each launch of the plan the median of what was counted of it, without the first time where there are more.

    What is no launch of the plan (a fill, a copy) goes by another name; what goes by its names must be the plan, over
    and over, or the profile would be shown beside a plan that it is not of.
    """
    known = set(kernels)
    own = [row for row in rows if name_of(row.kernel) in known]
    times, rest = divmod(len(own), len(kernels)) if kernels else (0, 0)
    if not times or rest or [name_of(row.kernel) for row in own] != list(kernels) * times:
        raise Unavailable(
            f"what {tool} counted is not the plan: {len(own)} launches by the names of its kernels, "
            f"{len(kernels)} in the plan"
        )
    first = 1 if times > 1 else 0
    found = []
    for place in range(len(kernels)):
        seen = [own[turn * len(kernels) + place].values for turn in range(first, times)]
        names = dict.fromkeys(name for values in seen for name in values)
        found.append({name: median([v[name] for v in seen if name in v]) for name in names})
    return found
