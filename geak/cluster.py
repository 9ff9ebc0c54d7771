"""Judges on the machines of a Ray cluster, behind the same door as those of this one: `--executor ray`.

An actor is one judge process. Ray decides where it runs, starts it anew where its machine is lost, and puts what it was
asked once more; none of that is done here. What is: that there are no more judges than there is room for, once a
machine is gone. Ray is imported in this file alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self, TypeVar

from geak.errors import JudgeDied, JudgeError, MachineError, SpecError, UsageError
from geak.judge import Judge
from geak.judges import Judges, Lease
from geak.version import __version__
from geak_evaluator.schema import codec
from geak_evaluator.schema.wire import VERSION, Hello, Request

T = TypeVar("T")

_REACH = 5.0
"""Seconds in which a cluster's address must answer; Ray itself would try for minutes."""
_LOOK = 2.0
"""Seconds between two looks at how many judges there is room for."""
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""How a gRPC client greets; a server, and Ray's is one, answers with its settings."""


class Worker:
    """The actor: one judge on whatever machine Ray chose; lines go there and back unread."""

    def __init__(self, argv: list[str]) -> None:
        self._judge = Judge(argv, apart=True)
        self._running = False
        self._name = uuid.uuid4().hex

    def greet(self) -> tuple[str, str, int, str]:
        """Who this is, which GEAK is here, the wire's version it speaks, and its judge's hello."""
        self._start()
        return self._name, __version__, VERSION, codec.dumps(self._judge.hello)

    def answer(self, line: str) -> tuple[str, str]:
        """Who this is, and what the judge says to a question; where two in turn end over it, nobody is asked again."""
        for last in (False, True):
            self._start()
            try:
                return self._name, self._judge.relay(line)
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
    """As many judges as the cluster has GPUs, or else processors; fewer while machines of it are lost."""

    def __init__(self, address: str, argv: Sequence[str], *, most: int) -> None:
        """`argv` starts a judge on a worker, and no more of them than `most` are wanted."""
        self._ray = _ray()
        self._argv = list(argv)
        _connect(self._ray, address)
        self._on_gpus = True
        self._on_gpus = self._room() > 0
        count = min(self._room() if self._on_gpus else self._room() // 2, most)
        if count < 1:
            self._ray.shutdown()
            raise MachineError(f"the Ray cluster at {address} has neither a GPU nor a processor to judge on")
        self._resting: list[Lease] = []
        """Those for which there is no room now."""
        super().__init__([self._argv] * count)

    async def __aenter__(self) -> Self:
        try:
            await super().__aenter__()
        except BaseException:
            self._ray.shutdown()
            raise
        self._keeper = asyncio.create_task(self._keep_to_the_room())
        return self

    async def __aexit__(self, *error: Any) -> None:
        try:
            if hasattr(self, "_keeper"):
                self._keeper.cancel()
                await asyncio.gather(self._keeper, return_exceptions=True)
            await super().__aexit__(*error)
        finally:
            await asyncio.to_thread(self._ray.shutdown)

    async def _ask(self, question: Callable[[Judge], T], more_s: float = 0) -> T:
        async with self._lease() as lease:  # Ray has asked again where that was due
            judge = await self._started(lease)
            try:
                answer = await self._answered(judge, question, self._patience_s + more_s)
            except (SpecError, UsageError):
                raise  # it has answered, and can be asked other things
            except BaseException:
                await self._end(lease)
                raise
            if isinstance(judge, _Elsewhere) and judge.replaced:  # it is started anew once only
                await self._end(lease)
            return answer

    def _judge(self, lease: Lease) -> Judge:
        # While Ray has not noticed yet that a machine is gone, each try fails at once: it is the loss that is counted.
        options: dict[str, Any] = {"max_restarts": 1, "max_task_retries": -1, "scheduling_strategy": "SPREAD"}
        # A GPU for each, alone; of a processor half, so that the judges of a lost machine find room on the others.
        options |= {"num_gpus": 1, "num_cpus": 0} if self._on_gpus else {"num_cpus": 0.5}
        known = self.__dict__.get("hello")
        return _Elsewhere(self._ray, partial(self._ray.remote(Worker).options(**options).remote, self._argv), known)

    def _room(self) -> int:
        """How many judges the machines that are there now could hold."""
        resources = self._ray.cluster_resources()
        return int(resources.get("GPU", 0)) if self._on_gpus else int(2 * resources.get("CPU", 0))

    async def _keep_to_the_room(self) -> None:
        """An idle judge would hold, to the end, the GPU that Ray needs for one whose machine was lost."""
        while True:
            await asyncio.sleep(_LOOK)
            try:
                room = await asyncio.to_thread(self._room)
            except Exception:  # whoever asks something hears what it is
                continue
            in_use = self.leases - len(self._resting)
            if in_use > max(room, 1):
                await self._free.acquire()
                self._resting.append(self._idle.pop())
                await self._end(self._resting[-1])
            elif self._resting and in_use < room:
                self._idle.insert(0, self._resting.pop())
                self._free.release()


class _Elsewhere(Judge):
    """The judge that an actor holds, as the client of one that runs here."""

    def __init__(self, ray: Any, create: Callable[[], Any], alike: Hello | None) -> None:
        super().__init__()
        self._ray, self._create, self._alike = ray, create, alike
        self._actor: Any = None
        self._name = self._said = ""
        self.replaced = False
        """Whether Ray had to start it anew."""

    def start(self) -> None:
        """Has Ray start an actor, and hears what its judge says of itself."""
        self._actor = self._create()
        try:
            self._name, version, wire, said = self._got(self._actor.greet.remote())
        except JudgeDied as error:  # nobody's kernel is to blame
            raise JudgeError(str(error)) from None
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
        name, self._said = self._got(self._actor.answer.remote(codec.dumps(request)))
        self.replaced = name != self._name

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
            raise JudgeDied(f"two workers in turn were lost over this; the second: {_cause(error)}") from None
        except exceptions.OutOfMemoryError as error:
            raise JudgeDied(f"a worker of the cluster had no memory left over this: {_first(error)}") from None
        except exceptions.RayError as error:
            raise JudgeError(f"the Ray cluster does not answer: {_first(error)}") from None


def _ray() -> Any:
    # Before its first import: Ray is to tell nobody that it is used.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what is wrong is said in a sentence here
    try:
        import ray
    except ImportError:
        raise UsageError("--executor ray needs Ray, which is not installed: pip install 'geak[ray]'") from None
    return ray


def _connect(ray: Any, address: str) -> None:
    if address != "auto":
        _answers(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, ignore_reinit_error=True)
    except (ConnectionError, RuntimeError, ValueError) as error:
        if address == "auto":
            why = (
                "this machine belongs to no Ray cluster that runs; `ray start` begins or joins one, --address names one"
            )
            raise MachineError(why) from None
        raise MachineError(f"the Ray cluster at {address} cannot be used: {_first(error)}") from None


def _answers(address: str) -> None:
    """Whether something speaks there as Ray does; the errors say what else is so."""
    host, _, port = address.rpartition(":")
    if not (host and "/" not in host and port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise UsageError(f"--address {address!r} is no HOST:PORT, nor auto (the cluster that this machine belongs to)")
    hint = "`ray status` says whether a cluster runs, --address where it is"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _REACH) as there:
            if os.environ.get("RAY_USE_TLS", "0") != "0":
                return  # only Ray has its certificates
            there.sendall(_PREFACE)
            said = there.recv(9)
    except TimeoutError:
        raise MachineError(f"nothing answers at {address} in {_REACH:g} seconds; {hint}") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise MachineError(f"nothing answers at {address} ({why}); {hint}") from None
    if said[3:4] != b"\4":
        raise MachineError(f"what answers at {address} is no Ray cluster; {hint}")


def _words(hello: Hello) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in sorted(hello.packages.items()))
    return f"judge {hello.code[:8]} ({packages})"


def _first(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:200]


def _cause(error: Exception) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "")[:200]
