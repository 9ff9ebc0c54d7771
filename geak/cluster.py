"""Judges on the machines of a Ray cluster, behind the same door as those of this one: `--executor ray`.

An actor is one judge process. Ray decides where it runs, starts it anew where its machine is lost, and puts what it was
asked once more; none of that is done here. Ray is imported in this file alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self, TypeVar

from geak.errors import JudgeDied, JudgeError, MachineError, UsageError
from geak.judge import Judge
from geak.judges import Judges, Lease
from geak.version import __version__
from geak_evaluator.schema import codec
from geak_evaluator.schema.wire import VERSION, Hello, Request

T = TypeVar("T")

_REACH = 5.0
"""Seconds in which a cluster's address must answer; Ray itself would try for minutes."""


class Worker:
    """The actor: one judge on whatever machine Ray chose; lines go there and back unread."""

    def __init__(self, argv: list[str]) -> None:
        self._judge = Judge(argv, apart=True)
        self._running = False

    def greet(self) -> tuple[str, int, str]:
        """Which GEAK is here, the wire's version it speaks, and its judge's hello."""
        self._start()
        return __version__, VERSION, codec.dumps(self._judge.hello)

    def answer(self, line: str) -> str:
        """What the judge says to a question; where two in turn end over it, nobody is asked again."""
        for last in (False, True):
            self._start()
            try:
                return self._judge.relay(line)
            except JudgeError as error:
                self._judge.close()
                self._running = False
                if last:
                    raise JudgeDied(f"two judges in turn did not answer this; the second: {error}") from None
        raise AssertionError

    def _start(self) -> None:
        if not self._running:
            self._judge.start()
            self._running = True


class RayJudges(Judges):
    """As many judges as the cluster has GPUs, or else processors."""

    def __init__(self, address: str, argv: Sequence[str], *, most: int) -> None:
        """`argv` starts a judge on a worker, and no more of them than `most` are wanted."""
        self._ray = _ray()
        self._argv = list(argv)
        _connect(self._ray, address)
        resources = self._ray.cluster_resources()
        self.gpus = int(resources.get("GPU", 0))
        count = min(self.gpus or int(resources.get("CPU", 0)), most)
        if count < 1:
            self._ray.shutdown()
            raise MachineError(f"the Ray cluster at {address} has neither a GPU nor a processor to judge on")
        super().__init__([self._argv] * count)

    async def __aenter__(self) -> Self:
        try:
            return await super().__aenter__()
        except BaseException:
            self._ray.shutdown()
            raise

    async def __aexit__(self, *error: Any) -> None:
        try:
            await super().__aexit__(*error)
        finally:
            await asyncio.to_thread(self._ray.shutdown)

    async def _ask(self, question: Callable[[Judge], T], more_s: float = 0) -> T:
        async with self._lease() as lease:  # Ray has asked again where that was due
            judge = await self._started(lease)
            return await self._answered(judge, question, self._patience_s + more_s)

    def _judge(self, lease: Lease) -> Judge:
        # While Ray has not noticed yet that a machine is gone, each try fails at once: it is the loss that is counted.
        options: dict[str, Any] = {"max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": "SPREAD"}
        # A GPU for each, alone; of a processor half, so that the judges of a lost machine find room on the others.
        options |= {"num_gpus": 1, "num_cpus": 0} if self.gpus else {"num_cpus": 0.5}
        known = self.__dict__.get("hello")
        return _Elsewhere(self._ray, partial(self._ray.remote(Worker).options(**options).remote, self._argv), known)


class _Elsewhere(Judge):
    """The judge that an actor holds, as the client of one that runs here."""

    def __init__(self, ray: Any, create: Callable[[], Any], alike: Hello | None) -> None:
        super().__init__()
        self._ray, self._create, self._alike = ray, create, alike
        self._actor: Any = None
        self._said = ""

    def start(self) -> None:
        """Has Ray start an actor, and hears what its judge says of itself."""
        self._actor = self._create()
        version, wire, said = self._got(self._actor.greet.remote())
        if (version, wire) != (__version__, VERSION):
            theirs, ours = f"{version} (wire {wire})", f"{__version__} (wire {VERSION})"
            raise JudgeError(f"a worker of the cluster has GEAK {theirs}, and here is {ours}; install the same on all")
        self.hello = codec.from_json(Hello, codec.loads(said))
        if self._alike is not None and (self._alike.code, self._alike.packages) != (
            self.hello.code,
            self.hello.packages,
        ):
            raise JudgeError(
                f"the cluster's workers do not judge alike: one has {_words(self._alike)}, another "
                f"{_words(self.hello)}; install the same on all of them"
            )

    def close(self) -> None:
        """Lets the actor go, and with it its judge."""
        if self._actor is not None:
            with contextlib.suppress(Exception):
                self._ray.kill(self._actor)
            self._actor = None

    def kill(self) -> None:
        """Ends what is under way."""
        self.close()

    def _say(self, request: Request) -> None:
        if self._actor is None:
            raise JudgeError("the judge was left")
        self._said = self._got(self._actor.answer.remote(codec.dumps(request)))

    def _heard(self) -> str:
        return self._said

    def _got(self, ref: Any) -> Any:
        from ray import exceptions

        try:
            return self._ray.get(ref)
        except exceptions.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            if isinstance(cause, JudgeError):
                raise type(cause)(str(cause)) from None
            raise JudgeError(f"a worker of the cluster could not judge: {_first(cause)}") from None
        except exceptions.RayActorError as error:
            if isinstance(error, exceptions.ActorUnschedulableError):
                raise JudgeError(f"the cluster has no room for a judge: {_first(error)}") from None
            if "creation task" in str(error) or "import" in str(error).lower():
                raise JudgeError(f"a worker of the cluster could not start a judge: {_cause(error)}") from None
            raise JudgeDied(f"the workers that were asked this were lost: {_first(error)}") from None
        except exceptions.RayError as error:
            raise JudgeError(f"the Ray cluster does not answer: {_first(error)}") from None


def _ray() -> Any:
    # Before its first import: Ray is to tell nobody that it is used.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError:
        raise UsageError("--executor ray needs Ray, which is not installed: pip install 'geak[ray]'") from None
    return ray


def _connect(ray: Any, address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host:  # not "auto"
        try:
            with socket.create_connection((host, int(port)), _REACH):
                pass
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise MachineError(
                f"nothing answers at {address} ({why.lower()}); `ray status` says whether a cluster runs, --address "
                "where it is"
            ) from None
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise MachineError(f"the Ray cluster at {address} cannot be used: {_first(error)}") from None


def _words(hello: Hello) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in sorted(hello.packages.items()))
    return f"judge {hello.code[:8]} ({packages})"


def _first(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:200]


def _cause(error: Exception) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "")[:200]
