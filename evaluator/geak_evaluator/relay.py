"""The oracle `tests`: the user's asserts run in one child, the candidate in another, and calls pass through here."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace

from geak_evaluator.kernel_child import SPACE, Kernel
from geak_evaluator.oracle import Oracle, SpecProblem
from geak_evaluator.outcome import Ran, failed
from geak_evaluator.replies import FAULTS, read
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.channel import CALLS
from geak_evaluator.sandbox.child import Child, Fault, Reply
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema import codec, layout
from geak_evaluator.schema.exchange import Call, Returned, Tested, Trouble
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.verdict import CaseResult, Cause

_ROLE = "geak_evaluator.children.tests"
_MOST_CALLS = 10_000
# pytest's own exit codes
_NO_TESTS = 5
_NOT_RUN = {3: "by an error of its own", 4: "as where there is no such file, test or option"}


class Relay:
    """One run of a spec's own tests against a candidate."""

    def __init__(self, box: Sandbox, limits: Limits, oracle: Oracle, kernel: bytes, target: str) -> None:
        spec = oracle.about.spec
        self._box, self._limits, self._spec, self._path = box, limits, spec, oracle.file.path
        self._project = oracle.file.project(oracle.about) or str(self._path.parent.resolve())
        self._entry = oracle.about.entry
        self._relative = spec.files[0] if spec.files else f"{oracle.about.name}.py"
        self._kernel = Kernel(
            kernel, self._entry, "calls", target, self._project, self._relative, tables=True, compiled=True
        )
        self._case = Case({})
        self._calls = self._launches = 0

    def run(self) -> Ran:
        """Runs the tests; a fault of the candidate ends them and decides."""
        job = {
            "tests": self._spec.tests,
            "project": self._project,
            "relative": self._relative,
            "entry": self._entry,
            "target": self._kernel.target,
        }
        memories = [SharedMemory(SPACE) for _ in range(4)]
        asked, answered, given, got = memories
        try:
            shared = (asked.fd, answered.fd)
            with (
                self._box.spawn(_ROLE, job, limits=self._limits, read=(self._project,), shared=shared) as tests,
                self._kernel.spawn(self._box, self._limits, given, got) as candidate,
            ):
                reply = candidate.ask(self._kernel.source)
                if not reply.ok:
                    return Ran(failed(self._case, reply), candidate.log)
                return Ran(self._converse(tests, candidate, memories), candidate.log)
        finally:
            for memory in memories:
                memory.close()

    def _converse(self, tests: Child, candidate: Child, memories: list[SharedMemory]) -> CaseResult:
        deadline = time.monotonic() + 10 * self._limits.wall_s
        reply = tests.ask()
        while reply.fault is None and reply.status == CALLS:
            self._calls += 1
            if self._calls > _MOST_CALLS or time.monotonic() > deadline:
                return CaseResult(self._case, Cause.TIMEOUT, "its tests did not finish in the time they have")
            call = read(Call, reply)
            if call is None or layout.check(call.slots, SPACE):
                raise SpecProblem(self._path, "its tests did not keep to the protocol")
            outcome = self._pass_on(call, candidate, memories)
            if isinstance(outcome, CaseResult):
                return outcome
            reply = tests.ask(codec.dumps(outcome).encode())
        return self._conclude(reply)

    def _pass_on(self, call: Call, candidate: Child, memories: list[SharedMemory]) -> Returned | CaseResult:
        asked, answered, given, got = memories
        _copy(call.slots, asked, given)
        candidate.thaw()
        reply = candidate.ask(codec.dumps(call).encode())
        if reply.fault is not None:
            return failed(self._case, reply)
        candidate.freeze()
        _copy(call.slots, given, asked)  # what it changed in place
        if not reply.ok:
            return Returned(trouble=read(Trouble, reply) or Trouble("protocol", FAULTS[Fault.PROTOCOL]))
        returned = read(Returned, reply)
        if returned is None or returned.trouble is not None or layout.check(returned.slots, SPACE):
            return CaseResult(self._case, Cause.PROTOCOL, FAULTS[Fault.PROTOCOL])
        self._launches += returned.launches
        _copy(returned.slots, got, answered)
        return replace(returned, launches=0)

    def _conclude(self, reply: Reply) -> CaseResult:
        tested = read(Tested, reply) if reply.ok else None
        if tested is None:
            trouble = read(Trouble, reply) or Trouble("protocol", FAULTS[reply.fault or Fault.PROTOCOL])
            raise SpecProblem(self._path, f"its tests do not run ({shlex.quote(self._spec.tests)}): {trouble.message}")
        if tested.exit_code == _NO_TESTS:
            raise SpecProblem(self._path, f"{self._spec.tests!r} finds no test")
        if tested.exit_code in _NOT_RUN and not tested.failed:
            ending = f"pytest ends with {tested.exit_code}, {_NOT_RUN[tested.exit_code]}"
            raise SpecProblem(self._path, f"{self._spec.tests!r} cannot be run: {ending}")
        if tested.exit_code != 0 or tested.failed:
            first = tested.first or f"pytest ended with code {tested.exit_code}"
            return CaseResult(self._case, Cause.TESTS_FAILED, f"{tested.failed} of its tests failed; first {first}")
        if self._calls == 0:
            raise SpecProblem(self._path, f"its tests never call {self._entry}, so they say nothing about a kernel")
        if self._launches == 0:
            return CaseResult(self._case, Cause.NO_KERNEL, "no Triton kernel was launched")
        return CaseResult(self._case, message=f"{tested.passed} tests passed, {self._calls} calls")


def _copy(slots: tuple[Slot, ...], source: SharedMemory, target: SharedMemory) -> None:
    for slot in slots:
        target.map[slot.offset : slot.end] = source.read(slot.offset, slot.bytes)
