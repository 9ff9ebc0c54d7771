"""The client of the other room: starts a judge, asks it one thing at a time, and hands on what it says."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

from geak.errors import GeakError, JudgeError, SpecError, UsageError
from geak.hiding import is_secret
from geak_evaluator.schema import codec
from geak_evaluator.schema.device import Launched
from geak_evaluator.schema.findings import Findings
from geak_evaluator.schema.observed import Observed, Trials
from geak_evaluator.schema.profile import Profile
from geak_evaluator.schema.seed import Seeds
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.timing import EVERYTHING, Extras
from geak_evaluator.schema.tuning import Tuning
from geak_evaluator.schema.verdict import Policy, Tier, Verdict
from geak_evaluator.schema.wire import VERSION, Hello, Request, Response

T = TypeVar("T")

SOURCE_LIMIT = 1 << 20
_LINE_LIMIT, _HELLO_LIMIT = 1 << 24, 1 << 16
_PATIENCE_S = 20.0
_HELLO_S = 120.0
"""A judge that warms torch up on a busy machine, and tries a device, may take so long."""

_PASSED_ON = (
    *("PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR", "LANG", "LC_ALL", "TZ"),
    *("VIRTUAL_ENV", "LD_LIBRARY_PATH", "PYTHONPATH", "GEAK_LEASES", "CC"),
)
_PASSED_ON_PREFIXES = ("CUDA_", "HIP_", "ROCR_", "ROCM_", "NVIDIA_", "TRITON_")


_ERRORS = {"spec": SpecError, "sandbox": JudgeError, "request": UsageError}


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


class Judge:
    """One running judge."""

    def __init__(
        self,
        argv: str | Sequence[str] | None = None,
        *,
        apart: bool = False,
        errors: IO[bytes] | None = None,
        patience: float = _HELLO_S,
    ) -> None:
        """With `apart`, a ^C of the terminal does not reach it; `errors` takes what it says on its standard error.

        It has `patience` seconds to say hello.
        """
        self._argv = words(argv) if isinstance(argv, str) else list(argv or command())
        self._apart, self._errors, self._patience = apart, errors, patience
        self._number = 0
        self._process: subprocess.Popen[str] | None = None
        self._killed = False

    def __enter__(self) -> Judge:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Starts it, and hears what it says of itself."""
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
        try:
            self.hello = self._greeted()
            """What the judge said of itself."""
        except BaseException:
            self.close()
            raise

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

    def describe(self, spec: Path) -> Description:
        """What a spec declares."""
        return self._ask(Description, self._request("describe", spec))

    def launched(self) -> Launched:
        """What a real launch on its device comes to."""
        self._number += 1
        fields = {"id": self._number, "op": "launch", "path": "", "source": ""}
        return self._ask(Launched, codec.from_json(Request, fields))

    def lint(self, spec: Path) -> Findings:
        """What is weak about a spec."""
        return self._ask(Findings, self._request("lint", spec))

    def seed(self, spec: Path, *, target: str = "gfx942") -> Seeds:
        """Kernels for a spec that a compiler writes."""
        return self._ask(Seeds, self._request("seed", spec, targets=[target]))

    def tune(
        self,
        spec: Path,
        kernel: Path | str,
        *,
        targets: Sequence[str] = ("gfx942",),
        policy: Policy = Policy.PURE,
        evaluations: int = 64,
        minutes: float = 2.0,
        table: str = "",
        axis: str = "",
    ) -> Tuning:
        """The configurations of one kernel, in order: a file, or its source; `table` is JSON to begin from."""
        source = kernel if isinstance(kernel, str) else text(kernel)
        asked: dict[str, Any] = {"targets": list(targets), "policy": policy.value, "table": table}
        asked |= {"evaluations": evaluations, "minutes": minutes, "axis": axis}
        return self._ask(Tuning, self._request("tune", spec, kernel=source, **asked))

    def observe(
        self, file: Path, source: str, *, test: str, timed: str = "", watch: Sequence[str] = (), project: str = ""
    ) -> Observed:
        """How a foreign `test` calls what it is told to `watch` of the kernel file whose text is `source`."""
        self._number += 1
        fields = {"id": self._number, "op": "observe", "path": str(file.resolve()), "source": source}
        more = {"test": test, "timed": timed, "watch": list(watch), "project": project}
        return self._ask(Observed, codec.from_json(Request, {**fields, **more}))

    def tried(
        self,
        spec: Path,
        kernel: str,
        *,
        target: str = "gfx942",
        policy: Policy = Policy.OPEN,
        tier: Tier = Tier.GATE,
    ) -> Trials:
        """Each case of a spec on its own, with a kernel or, where that is "", with the reference alone."""
        asked: dict[str, Any] = {"targets": [target], "policy": policy.value, "tier": tier.value}
        return self._ask(Trials, self._request("try", spec, kernel=kernel, **asked))

    def profile(
        self,
        spec: Path,
        kernel: Path | str,
        *,
        target: str = "",
        case: str = "",
        tool: str = "auto",
        policy: Policy = Policy.PURE,
    ) -> Profile:
        """What a device's counters say of one kernel on one case; without one what can be known anyway."""
        source = kernel if isinstance(kernel, str) else text(kernel)
        asked: dict[str, Any] = {"targets": [target] if target else [], "policy": policy.value, "case": case}
        return self._ask(Profile, self._request("profile", spec, kernel=source, tool=tool, **asked))

    def evaluate(
        self,
        spec: Path,
        kernel: Path | str,
        *,
        targets: Sequence[str] = ("gfx942",),
        tier: Tier = Tier.FULL,
        policy: Policy = Policy.PURE,
        time: bool = False,
        original: str = "",
        seconds: float = 20.0,
        extras: Extras = EVERYTHING,
    ) -> Verdict:
        """The verdict on one kernel: a file, or its source; with `time` measured too, beside `original` if given.

        `extras` says what is measured besides.
        """
        source = kernel if isinstance(kernel, str) else text(kernel)
        asked = {"original": original, "seconds": seconds, "extras": codec.to_json(extras)}
        timed = {"time": time, **asked} if time else {}
        return self._ask(Verdict, self._evaluation(spec, source, targets, tier, policy, **timed))

    def evaluate_all(
        self,
        kernels: Sequence[tuple[Path, str]],
        *,
        targets: Sequence[str] = ("gfx942",),
        tier: Tier = Tier.FULL,
        policy: Policy = Policy.PURE,
        **timed: Any,
    ) -> Iterator[tuple[int, Verdict | GeakError]]:
        """The verdicts on many kernels, each a spec and a source, as they come, with the number of what they are of.

        One that cannot be judged costs no other its verdict: its error stands in its place.
        """
        waiting = list(enumerate(kernels))[::-1]
        asked: dict[int, int] = {}
        while waiting or asked:
            # Few enough at a time that neither side waits for the other to read.
            while waiting and len(asked) < 2 * self.hello.workers:
                number, (spec, source) = waiting.pop()
                try:
                    request = self._evaluation(spec, source, targets, tier, policy, **timed)
                except GeakError as error:
                    yield number, error
                    continue
                asked[request.id] = number
                self._say(request)
            if asked:
                response = self._read(Response, self._line())
                if response.id not in asked:
                    raise JudgeError("the judge answered another question")
                number = asked.pop(response.id)
                if response.problem is not None:
                    yield number, _ERRORS[response.problem.kind](response.problem.message)
                else:
                    yield number, self._read(Verdict, response.result)

    def relay(self, line: str) -> str:
        """One question there and its answer back, as they are."""
        self._write(line)
        return self._heard()

    def _evaluation(
        self, spec: Path, kernel: str, targets: Sequence[str], tier: Tier, policy: Policy, **timed: Any
    ) -> Request:
        asked = {"targets": list(targets), "tier": tier.value, "policy": policy.value, **timed}
        return self._request("evaluate", spec, kernel=kernel, **asked)

    def _request(self, op: str, spec: Path, **more: Any) -> Request:
        self._number += 1
        fields = {"id": self._number, "op": op, "path": str(spec.resolve()), "source": text(spec), **more}
        return codec.from_json(Request, fields)

    def _say(self, request: Request) -> None:
        self._write(codec.dumps(request))

    def _write(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None

    def _ask(self, kind: type[T], request: Request) -> T:
        self._say(request)
        response = self._read(Response, self._line())
        if response.problem is not None:
            raise _ERRORS[response.problem.kind](response.problem.message)
        if response.id != request.id:
            raise JudgeError("the judge answered another question")
        return self._read(kind, response.result)

    def _greeted(self) -> Hello:
        line = self._first()
        try:
            said = codec.loads(line)
            version = said.get("version")
            if isinstance(version, int) and version != VERSION:  # the rest of its hello may have changed as well
                raise JudgeError(
                    f"the judge speaks version {version} and this agent version {VERSION}; "
                    "install the same GEAK for both"
                )
            return codec.from_json(Hello, said)
        except (codec.WireError, AttributeError):
            raise JudgeError(
                f"the judge's command printed what is no hello: {_quoted(line)}; "
                f"nothing but the judge may write to its standard output ({shlex.join(self._argv)[:200]})"
            ) from None

    def _first(self) -> str:
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
                    f"the judge did not say hello within {self._patience:g} s: {shlex.join(self._argv)[:200]}; run "
                    "that by hand: it prints a line of JSON at once, and may ask for nothing, such as a password"
                )
            if not (byte := os.read(pipe, 1)):
                raise self._ended()
            line += byte
        return line.decode("utf-8", "surrogateescape")

    def _heard(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline(_LINE_LIMIT)
        if not line:
            raise self._ended()
        return line

    def _line(self) -> Any:
        try:
            return codec.loads(self._heard())
        except codec.WireError as error:
            raise JudgeError(f"the judge said something that cannot be read: {error}") from None

    def _read(self, kind: type[T], said: Any) -> T:
        try:
            return codec.from_json(kind, said)
        except codec.WireError as error:
            raise JudgeError(f"the judge said something that cannot be read: {error}") from None

    def _ended(self) -> JudgeError:
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


def _quoted(line: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in line).strip()
    return repr(plain if len(plain) <= 80 else f"{plain[:77]}...")


def text(path: Path) -> str:
    """A file as it goes over the wire; one that cannot be read is an error for a person."""
    try:
        with path.open("rb") as file:
            data = file.read(SOURCE_LIMIT + 1)
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; a Python file is wanted") from None
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    return data.decode("utf-8", "surrogateescape")
