"""Several judges at once, each asked one thing at a time; one that ends is started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

from geak.errors import JudgeDied, JudgeError, SpecError, UsageError
from geak.judge import Judge
from geak.judge_process import command, words
from geak_evaluator.schema.findings import Findings
from geak_evaluator.schema.observed import Observed, Trials
from geak_evaluator.schema.seed import Seeds
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.tuning import Tuning
from geak_evaluator.schema.verdict import Policy, Tier, Verdict
from geak_evaluator.schema.wire import Hello

T = TypeVar("T")

PATIENCE_S = 3600.0
"""For one answer: its children have some 20 s a request and 600 s for a seed, and a verdict asks dozens of them."""

LOCAL = "local"
"""Where a command is asked for: the judge of this machine."""


def default_commands(
    judges: Sequence[str] = (), *, allow_weak_sandbox: bool = False, samples: int = 1, gpu_ids: str = ""
) -> list[list[str]]:
    """How judges are started: of this machine's as many as there is work and room for, of each other one."""
    # One more than there are cores: while one is between two questions, the others keep the cores at work.
    # Processes of one judge each, not one with `--workers`: that takes as much memory and starts them all at once.
    own = command(allow_weak_sandbox=allow_weak_sandbox, gpu_ids=gpu_ids)
    here = [own] * max(1, min(len(os.sched_getaffinity(0)) + 1, samples))
    return [argv for name in judges or (LOCAL,) for argv in (here if name == LOCAL else [words(name)])]


class Judges:
    """Judges behind one door: what is asked goes to one that is idle, and waits while there is none.

    The first is started at once, the others when they are needed. What they say on standard error is added to `log`,
    when one ends without its answer and at the end; without one it is passed on. Nothing makes the log's folder: where
    there is none at the end, what they said is passed on after all.
    """

    hello: Hello
    """What the first of them said of itself."""

    def __init__(
        self, commands: Sequence[Sequence[str]], log: Path | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        self.leases = len(commands)
        """How much is worked on at a time."""
        self._log, self._patience_s = log, patience_s
        self._idle = [Lease(argv) for argv in reversed(commands)]
        self._free = asyncio.Semaphore(self.leases)

    async def __aenter__(self) -> Self:
        # On the side until then: the folder of a run is made when the run begins, and a live page must not be torn.
        self._errors: IO[bytes] | None = tempfile.TemporaryFile() if self._log else None  # noqa: SIM115
        self._told = 0
        self._threads = ThreadPoolExecutor(self.leases, "judge")
        try:
            async with self._lease() as lease:
                self.hello = (await self._started(lease)).hello
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await asyncio.gather(*map(self._end, self._idle))
        finally:
            self._threads.shutdown()
            if self._errors is not None:
                if not self._kept():
                    sys.stderr.write(self._unheard().decode("utf-8", "replace"))
                self._errors.close()

    async def describe(self, spec: Path) -> Description:
        """What a spec declares."""
        return await self._ask(lambda judge: judge.describe(spec))

    async def lint(self, spec: Path) -> Findings:
        """What is weak about a spec."""
        return await self._ask(lambda judge: judge.lint(spec))

    async def seed(self, spec: Path, *, target: str = "gfx942") -> Seeds:
        """Kernels for a spec that a compiler writes."""
        return await self._ask(lambda judge: judge.seed(spec, target=target))

    async def observe(
        self, file: Path, source: str, *, test: str, timed: str = "", watch: Sequence[str] = (), project: str = ""
    ) -> Observed:
        """How a foreign test calls the kernel file whose text is `source`."""
        texts = {"test": test, "timed": timed, "project": project}
        return await self._ask(lambda judge: judge.observe(file, source, watch=watch, **texts))

    async def tried(
        self,
        spec: Path,
        kernel: str,
        *,
        target: str = "gfx942",
        policy: Policy = Policy.OPEN,
        tier: Tier = Tier.GATE,
    ) -> Trials:
        """Each case of a spec on its own."""
        return await self._ask(lambda judge: judge.tried(spec, kernel, target=target, policy=policy, tier=tier))

    async def tune(
        self,
        spec: Path,
        source: str,
        *,
        targets: Sequence[str] = ("gfx942",),
        policy: Policy = Policy.PURE,
        evaluations: int = 64,
        minutes: float = 2.0,
    ) -> Tuning:
        """The configurations of one kernel, in order."""
        return await self._ask(
            lambda judge: judge.tune(
                spec, source, targets=targets, policy=policy, evaluations=evaluations, minutes=minutes
            ),
            60 * minutes,
        )

    async def evaluate(
        self,
        spec: Path,
        source: str,
        *,
        targets: Sequence[str] = ("gfx942",),
        tier: Tier = Tier.FULL,
        policy: Policy = Policy.PURE,
        time: bool = False,
        original: str = "",
    ) -> Verdict:
        """The verdict on one kernel; JudgeDied where none can be had of it, another JudgeError where of none."""
        return await self._ask(
            lambda judge: judge.evaluate(
                spec, source, targets=targets, tier=tier, policy=policy, time=time, original=original
            )
        )

    async def _ask(self, question: Callable[[Judge], T], more_s: float = 0) -> T:
        async with self._lease() as lease:
            for last in (False, True):
                judge = await self._started(lease)
                try:
                    return await self._answered(judge, question, self._patience_s + more_s)
                except (SpecError, UsageError):
                    raise  # it has answered, and can be asked other things
                except JudgeError as error:
                    await self._end(lease)
                    where = f"; what they said is in {self._log}" if self._kept() else ""
                    if last:
                        raise JudgeDied(f"two judges in turn did not answer this; the second: {error}{where}") from None
                except BaseException:
                    await self._end(lease)
                    raise
        raise AssertionError

    def _unheard(self) -> bytes:
        """What was said since the log was last written; judges go on writing, so that their place in it stays."""
        assert self._errors is not None
        end = os.fstat(self._errors.fileno()).st_size
        return os.pread(self._errors.fileno(), end - self._told, self._told)

    def _kept(self) -> bool:
        """Adds it to the log; whether all that was said is there."""
        if self._log is None:
            return False
        if words := self._unheard():
            try:
                with self._log.open("ab") as log:
                    log.write(words)
            except OSError:
                return False
            self._told += len(words)
        return self._told > 0

    async def _answered(self, judge: Judge, question: Callable[[Judge], T], seconds: float) -> T:
        try:
            async with asyncio.timeout(seconds):
                return await self._in_thread(judge, partial(question, judge))
        except TimeoutError:
            raise JudgeError(f"the judge gave no answer in {seconds / 60:g} minutes, and was ended") from None

    @contextlib.asynccontextmanager
    async def _lease(self) -> AsyncIterator[Lease]:
        async with self._free:
            lease = self._idle.pop()
            try:
                yield lease
            finally:
                # The last is taken first: no other judge is started while one is running and idle.
                self._idle.insert(len(self._idle) if lease.judge else 0, lease)

    async def _started(self, lease: Lease) -> Judge:
        if lease.judge is None:
            judge = lease.judge = self._judge(lease)
            try:
                await self._in_thread(judge, judge.start)
                if judge.hello.missing:
                    lacks = "; ".join(f"{name}: {why}" for name, why in judge.hello.missing.items())
                    raise JudgeError(f"the judge's machine cannot judge kernels ({lacks}); see `geak doctor`")
            except BaseException:
                await self._end(lease)
                raise
        return lease.judge

    def _judge(self, lease: Lease) -> Judge:
        return Judge(lease.argv, apart=True, errors=self._errors)

    async def _end(self, lease: Lease) -> None:
        judge, lease.judge = lease.judge, None
        if judge is not None:
            await self._in_thread(judge, judge.close)

    async def _in_thread(self, judge: Judge, work: Callable[[], T]) -> T:
        """Does it in a thread; where it is cancelled the judge is ended, and with it the work."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            judge.kill()
            await asyncio.gather(future, return_exceptions=True)
            raise


class Lease:
    """One command, and the judge that was started with it, if it is running."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = argv
        self.judge: Judge | None = None
