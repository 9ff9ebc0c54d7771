"""A judge's process: how it is started and ended, a line to it, a line from it."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import IO

from geak.errors import JudgeError, UsageError
from geak.hiding import is_secret

_LINE_LIMIT, _HELLO_LIMIT = 1 << 24, 1 << 16
_PATIENCE_S = 20.0

_PASSED_ON = (
    *("PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR", "LANG", "LC_ALL", "TZ"),
    *("VIRTUAL_ENV", "LD_LIBRARY_PATH", "PYTHONPATH", "GEAK_LEASES", "GEAK_DEVICE_LOG", "CC"),
)
_PASSED_ON_PREFIXES = ("CUDA_", "HIP_", "ROCR_", "ROCM_", "NVIDIA_", "TRITON_")


def environment(*, elsewhere: bool = False) -> dict[str, str]:
    """What a judge may know of this process's environment: paths and devices, never a key.

    A command that reaches one elsewhere, such as ssh, also learns where keys of its own are asked for.
    """
    names = (*_PASSED_ON, *["SSH_AUTH_SOCK"] * elsewhere)
    known = {
        k: v
        for k, v in os.environ.items()
        if k in names or k.startswith(_PASSED_ON_PREFIXES) or k.endswith("_NUM_THREADS")
    }
    return {k: v for k, v in known.items() if not is_secret(k)}  # NVIDIA_API_KEY is one


def command(*, allow_weak_sandbox: bool = False, workers: int = 1, gpu_ids: str = "") -> list[str]:
    """How a judge is started on this machine; with 0 workers, one for each processor."""
    # -P, and not from here: a file in the current folder must not pass for a module of the judge.
    start = [sys.executable, "-P", "-m", "geak_evaluator", "serve"]
    start += ["--gpu-ids", gpu_ids] * bool(gpu_ids)
    return [*start, *["--allow-weak-sandbox"] * allow_weak_sandbox, *["--workers", str(workers)] * (workers != 1)]


class Process:
    """One judge that runs, or has yet to be started."""

    def __init__(self, argv: Sequence[str], *, apart: bool, errors: IO[bytes] | None, patience: float) -> None:
        """With `apart`, a ^C of the terminal does not reach it; it has `patience` seconds for its first line."""
        self._argv, self._apart, self._errors, self._patience = argv, apart, errors, patience
        self._process: subprocess.Popen[str] | None = None
        self._killed = False

    @property
    def told(self) -> str:
        """Its command, in a message."""
        return shlex.join(self._argv)[:200]

    def start(self) -> None:
        """Starts it."""
        try:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment(elsewhere=self._argv[0] != sys.executable),
                encoding="utf-8",
                errors="surrogateescape",
                start_new_session=self._apart,
            )
        except OSError as error:
            raise JudgeError(f"the judge could not be started: {shlex.join(self._argv)}: {error.strerror}") from None
        if self._killed:  # meanwhile, by another thread
            self.kill()

    def close(self) -> None:
        """Lets it end, or kills it where it does not."""
        if self._process is None:
            return
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def kill(self) -> None:
        """Ends it at once, from whatever thread; one that waits for an answer hears that it has ended."""
        self._killed = True
        if self._process is None or self._process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if self._apart:
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def write(self, line: str) -> None:
        """A line to it."""
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except OSError:
            raise self.ended() from None

    def first(self) -> str:
        """Its first line, and not a byte of what follows."""
        assert self._process is not None
        assert self._process.stdout is not None
        pipe, line, until = self._process.stdout.fileno(), bytearray(), time.monotonic() + self._patience
        ready = select.poll()
        ready.register(pipe)
        while not line.endswith(b"\n") and len(line) < _HELLO_LIMIT:
            if not ready.poll(1000 * max(until - time.monotonic(), 0)):
                self.kill()
                raise JudgeError(
                    f"the judge did not say hello within {self._patience:g} s: {self.told}; run "
                    "that by hand: it prints a line of JSON at once, and may ask for nothing, such as a password"
                )
            if not (byte := os.read(pipe, 1)):
                raise self.ended()
            line += byte
        return line.decode("utf-8", "surrogateescape")

    def heard(self) -> str:
        """Its next line."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline(_LINE_LIMIT)
        if not line:
            raise self.ended()
        return line

    def ended(self) -> JudgeError:
        """Why there is no answer."""
        assert self._process is not None
        try:
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return JudgeError("the judge has closed its standard output, and will not answer")
        if code == 3:  # it has said why, in its own words
            return JudgeError("the judge will not work on this machine; `geak doctor` says what is missing")
        return JudgeError(f"the judge ended with code {code} before its answer; `geak doctor` may say why")


def words(line: str) -> list[str]:
    """A command as a person writes it, word by word."""
    try:
        found = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"--judge {line!r} is no command: {str(error).lower()}") from None
    if not found:
        raise UsageError("--judge is empty; it says how to start a judge")
    return found
