"""The judge's side: every text that was handed over is looked up or compiled in a child of its own."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from geak_evaluator.machine_code.cache import Store
from geak_evaluator.machine_code.loops import MOST
from geak_evaluator.machine_code.reading import complaint
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.child import Child, Fault, Reply
from geak_evaluator.sandbox.errors import SandboxError
from geak_evaluator.sandbox.policy import GIB, MIB, Limits
from geak_evaluator.schema import codec
from geak_evaluator.schema.machine_code import (
    MAX_KERNELS,
    MAX_TEXT,
    OPTIONS,
    CompileReply,
    CompileRequest,
    Failure,
    Figures,
    Handed,
    Lowered,
    Why,
)
from geak_evaluator.schema.target import TARGETS

LIMITS = Limits(wall_s=60.0, cpu_s=60, memory=2 * GIB, reply_bytes=16 * MIB, log_bytes=64 * MIB)

_ROLE = "geak_evaluator.children.compiler"
_MAX_NAME, _MAX_VALUE, _MAX_STRING = 200, 1 << 20, 500
_MAX_NAMES = 200
"""Of kinds of instructions in one figure."""
_LOGGED = 1500
"""Characters of the compiler's own words that go into a failure."""

_FAULTS = {
    Fault.TIMEOUT: (Why.TIMEOUT, "compiling it did not finish in the time it has"),
    Fault.OUT_OF_MEMORY: (Why.OUT_OF_MEMORY, "compiling it used more memory than it may"),
    Fault.DIED: (Why.CRASHED, "the compiler's process died"),
    Fault.PROTOCOL: (Why.CRASHED, "the compiler's process did not keep to the protocol"),
    Fault.OUTPUT_FLOOD: (Why.TOO_LARGE, "the compiler printed without end"),
    Fault.DISK_FLOOD: (Why.TOO_LARGE, "compiling it wrote more to disk than it may"),
    Fault.TOO_MANY_PROCESSES: (Why.CRASHED, "the compiler started more processes or threads than it may"),
}


@dataclass(frozen=True)
class Compiled:
    """What became of one kernel on one target."""

    kernel: str
    """Its name by the word of the process that handed it over."""
    target: str
    figures: Figures | None = None
    """There too where the kernel compiles and then asks for more than such a device has."""
    failure: Failure | None = None
    assembly: str = ""
    """The text of the machine code; megabytes, perhaps."""
    cached: bool = False


class Compiler:
    """Compiles what is handed over, inside one sandbox; without a cache, every time anew."""

    def __init__(
        self, box: Sandbox, cache: Store | None = None, *, limits: Limits = LIMITS, workers: int | None = None
    ) -> None:
        self._box, self._cache, self._limits = box, cache, limits
        self._workers = workers or len(os.sched_getaffinity(0))
        self._identity: dict[str, str] = {}

    def hasty(self, wall_s: float) -> Compiler:
        """The same with less time for each text, and the same cache."""
        limits = replace(self._limits, wall_s=min(wall_s, self._limits.wall_s))
        return Compiler(self._box, self._cache, limits=limits, workers=self._workers)

    def figures_of(self, handed: Handed) -> tuple[Compiled, ...]:
        """One result for each kernel that was handed over, in its order."""
        refused = {n: _refused(handed, lowered, n) for n, lowered in enumerate(handed.kernels)}
        requests = {n: _request(handed, lowered) for n, lowered in enumerate(handed.kernels) if refused[n] is None}
        keys = {n: self._key(request) for n, request in requests.items()}
        found = self._looked_up(keys.values())
        missing = {keys[n]: request for n, request in requests.items() if keys[n] not in found}
        made = dict(self._compiled(missing))
        results = []
        for n, lowered in enumerate(handed.kernels):
            if n in keys:
                reply = found.get(keys[n]) or made[keys[n]]
            else:
                reply = CompileReply(failure=refused[n])
            results.append(
                Compiled(
                    kernel=lowered.kernel[:_MAX_NAME],
                    target=lowered.target[:_MAX_NAME],
                    figures=reply.figures,
                    failure=reply.failure,
                    assembly=reply.assembly,
                    cached=n in keys and keys[n] in found,
                )
            )
        return tuple(results)

    def _key(self, request: CompileRequest) -> str:
        """The hash of everything that its machine code and our reading of it depend on."""
        if not self._identity:
            self._identity = self._asked_who()
        of = f"{self._identity[request.target]}\n{codec.dumps(request)}"
        return hashlib.sha256(of.encode()).hexdigest()

    def _asked_who(self) -> dict[str, str]:
        # By a child that gets no text. Not by the judge, which does not load Triton, and not by its version alone: a
        # vendor's build of the same version makes other code.
        with self._box.spawn(_ROLE, limits=self._limits) as child:
            reply = child.ask()
        try:
            identity = codec.from_json(dict[str, str], codec.loads(reply.body)) if reply.ok else {}
        except codec.WireError:
            identity = {}
        if not TARGETS.keys() <= identity.keys():
            raise SandboxError(f"the compiler cannot say which it is: {reply.fault or child.log.strip()[-_LOGGED:]}")
        return identity

    def _looked_up(self, keys: Iterable[str]) -> dict[str, CompileReply]:
        found = {}
        for key in set(keys) if self._cache else ():
            assert self._cache is not None
            entry = self._cache.get(key)
            with contextlib.suppress(codec.WireError):
                if entry is not None:
                    found[key] = codec.from_json(CompileReply, codec.loads(entry, limit=self._limits.reply_bytes))
        return found

    def _compiled(self, missing: dict[str, CompileRequest]) -> Iterator[tuple[str, CompileReply]]:
        """Compiles what is missing, as many at once as there are processors; files what a child answered."""
        for key, reply, child in _asked(self._box, self._limits, self._workers, missing):
            answer = _believed(reply, missing[key])
            if (answer.failure is None or reply.fault is Fault.DIED) and (said := complaint(child.log)):
                answer = CompileReply(failure=Failure(Why.REJECTED, said[:_LOGGED]))
            if answer.failure is not None and answer.failure.why in (Why.INVALID, Why.REJECTED, Why.CRASHED):
                # Why, Triton's C++ has written to standard error.
                words = "\n".join(filter(None, (answer.failure.message, child.log.strip()[:_LOGGED])))
                plain = words.replace(f"{child.workdir}/", "")
                answer = replace(answer, failure=replace(answer.failure, message=plain))
            # What the child did not live to say may be this machine's doing: it is tried again next time.
            if self._cache is not None and reply.fault is None:
                self._cache.put(key, codec.dumps(answer).encode())
            yield key, answer


def _asked(
    box: Sandbox, limits: Limits, workers: int, requests: dict[str, CompileRequest]
) -> Iterator[tuple[str, Reply, Child]]:
    """Each request to a child of its own. Only the waiting is done in threads: the sandbox is not made for them."""
    waiting = list(requests.items())
    running: dict[Future[Reply], tuple[str, Child]] = {}
    with ThreadPoolExecutor(workers) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    key, request = waiting.pop(0)
                    child = box.spawn(_ROLE, limits=limits)
                    running[pool.submit(child.ask, codec.dumps(request).encode())] = (key, child)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    key, child = running.pop(future)
                    child.end()
                    yield key, future.result(), child
        finally:
            for future, (_, child) in running.items():
                with contextlib.suppress(OSError):
                    os.kill(child.pid, signal.SIGKILL)  # so that the thread stops listening before we hang up
                wait((future,))
                child.end()


def _request(handed: Handed, lowered: Lowered) -> CompileRequest:
    return CompileRequest(lowered.target, handed.texts[lowered.text], dict(sorted(lowered.options.items())))


def _refused(handed: Handed, lowered: Lowered, number: int) -> Failure | None:
    """Why something that was handed over is not compiled: it says so itself, or it is nothing that we would."""
    if number >= MAX_KERNELS:
        return Failure(Why.TOO_LARGE, f"more than {MAX_KERNELS} kernels were handed over")
    if lowered.target not in TARGETS:
        return Failure(Why.UNSUPPORTED, f"there is no target {lowered.target[:_MAX_NAME]!r}")
    if lowered.failure is not None:
        return replace(lowered.failure, message=lowered.failure.message[: 2 * _LOGGED])
    if not 0 <= lowered.text < len(handed.texts):
        return Failure(Why.INVALID, "no text was handed over for it")
    if (length := len(handed.texts[lowered.text])) > MAX_TEXT:
        return Failure(Why.TOO_LARGE, f"its IR is {length} characters long; {MAX_TEXT} are the most")
    for name, value in lowered.options.items():
        kind = OPTIONS.get(name)
        if type(value) is not kind:
            return Failure(Why.UNSUPPORTED, f"the option {name[:_MAX_NAME]!r} is not taken over with such a value")
        beyond = len(value) > _MAX_STRING if isinstance(value, str) else not 0 <= value <= _MAX_VALUE
        if beyond:
            return Failure(Why.UNSUPPORTED, f"the option {name} has a value beyond its limits")
    return None


def _believed(reply: Reply, request: CompileRequest) -> CompileReply:
    """A child's answer where it is one. It read a foreign text, so even its shape is checked."""
    if reply.fault is not None:
        return CompileReply(failure=Failure(*_FAULTS[reply.fault]))
    try:
        answer = codec.from_json(CompileReply, codec.loads(reply.body))
    except codec.WireError:
        return CompileReply(failure=Failure(*_FAULTS[Fault.PROTOCOL]))
    good = reply.ok and (answer.figures is None) != (answer.failure is None)
    if answer.failure is not None and answer.failure.why is Why.OUT_OF_RESOURCES:
        good = reply.ok and answer.figures is not None
    if answer.figures is not None:
        good = good and _sane(answer.figures, request)
    return answer if good else CompileReply(failure=Failure(*_FAULTS[Fault.PROTOCOL]))


def _sane(figures: Figures, request: CompileRequest) -> bool:
    loops = [value for loop in figures.loops for value in (*vars(loop).values(), *vars(loop.counts).values())]
    values = [*vars(figures).values(), *vars(figures.counts).values(), *loops]
    tables = [value for value in values if isinstance(value, dict)]
    numbers = [n for n in (*values, *(n for table in tables for n in table.values())) if isinstance(n, int | float)]
    return (
        figures.target == request.target
        and len(figures.loops) <= MOST
        and len(figures.kernel) <= _MAX_NAME
        and all(0 <= n < 1 << 53 for n in numbers)
        and all(len(table) <= _MAX_NAMES and all(len(name) <= _MAX_NAME for name in table) for table in tables)
    )
