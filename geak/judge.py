"""The client of the other room: starts a judge, asks it one thing at a time, and hands on what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

from geak.errors import GeakError, JudgeError, SpecError, UsageError
from geak.files import text
from geak.judge_process import Process, command, words
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

_HELLO_S = 120.0
"""A judge that warms torch up on a busy machine, and tries a device, may take so long."""

_ERRORS = {"spec": SpecError, "sandbox": JudgeError, "request": UsageError}


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
        self._process = Process(
            words(argv) if isinstance(argv, str) else list(argv or command()),
            apart=apart,
            errors=errors,
            patience=patience,
        )
        self._number = 0

    def __enter__(self) -> Judge:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Starts it, and hears what it says of itself."""
        self._process.start()
        try:
            self.hello = self._greeted()
            """What the judge said of itself."""
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets it end, or kills it where it does not."""
        self._process.close()

    def kill(self) -> None:
        """Ends it at once, from whatever thread; one that waits for an answer hears that it has ended."""
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
        self._process.write(line)
        return self._process.heard()

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
        self._process.write(codec.dumps(request))

    def _ask(self, kind: type[T], request: Request) -> T:
        self._say(request)
        response = self._read(Response, self._line())
        if response.problem is not None:
            raise _ERRORS[response.problem.kind](response.problem.message)
        if response.id != request.id:
            raise JudgeError("the judge answered another question")
        return self._read(kind, response.result)

    def _greeted(self) -> Hello:
        line = self._process.first()
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
                f"nothing but the judge may write to its standard output ({self._process.told})"
            ) from None

    def _line(self) -> Any:
        try:
            return codec.loads(self._process.heard())
        except codec.WireError as error:
            raise JudgeError(f"the judge said something that cannot be read: {error}") from None

    def _read(self, kind: type[T], said: Any) -> T:
        try:
            return codec.from_json(kind, said)
        except codec.WireError as error:
            raise JudgeError(f"the judge said something that cannot be read: {error}") from None


def _quoted(line: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in line).strip()
    return repr(plain if len(plain) <= 80 else f"{plain[:77]}...")
