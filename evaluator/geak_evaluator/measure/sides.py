"""A side of a comparison as a confined child on the device, spoken to block by block."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from types import TracebackType
from typing import Any

from geak_evaluator.kernel_child import SPACE
from geak_evaluator.measure.lent import DeviceLost, Lent
from geak_evaluator.measure.rules import NoGraph, Unmeasured
from geak_evaluator.oracle import Answer
from geak_evaluator.proof import numbers
from geak_evaluator.replies import FAULTS, read
from geak_evaluator.sandbox.child import Fault, Reply
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.schema import codec, layout
from geak_evaluator.schema.dtypes import resolve
from geak_evaluator.schema.exchange import Trouble
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.measuring import LOST, Asked, Block, Draw, Prepare, Prepared, Timed
from geak_evaluator.schema.timing import State

Judged = Callable[[Answer, SharedMemory, SharedMemory], str]
"""What is wrong with the outputs in these memories, by the values of an answer; empty where nothing is."""


_PIECES = 4096
"""At most so many of them make a tensor."""


def _drawn_again(given: bytes, slots: Sequence[Slot]) -> bytes | None:
    """The same kinds of values: each float tensor without gaps is pieced together of its own pieces, some twice."""
    data, found = bytearray(given), False
    for slot in slots:
        about = resolve(slot.format)
        if about.kind != "float" or not prod(slot.shape) == slot.elements > 1:
            continue
        size, found = -(-slot.elements // _PIECES), True
        for begin in range(0, slot.elements, size):
            count = min(size, slot.elements - begin)
            to, taken = (slot.offset + about.bytes * at for at in (begin, secrets.randbelow(slot.elements - count + 1)))
            data[to : to + about.bytes * count] = given[taken : taken + about.bytes * count]
    return bytes(data) if found else None


_STEPS = 8
"""What a reference may ask the device for, as far as is known."""
_ROLE = "geak_evaluator.measure.metal.child"
_REFERENCE = "geak_evaluator.measure.metal.reference"


class DeviceSide:
    """A plan, or a reference in one of its modes, ready to be timed."""

    def __init__(
        self,
        lent: Lent,
        source: bytes,
        asked: Prepare,
        answers: Sequence[Answer],
        judged: Judged | None = None,
        *,
        project: str = "",
        called: dict[str, Any] | None = None,
    ) -> None:
        """`answers` are the values, one for each pool; with `called` the source's own Python is called.

        That holds its `mode` (eager, compile, ..., or "call" of a kernel file's `entry`), its `contract` and `wrt`.
        """
        self._lent, self._source = lent, source
        self._project, self._called = project, called
        self._first = asked, answers, judged

    def __enter__(self) -> DeviceSide:
        with contextlib.ExitStack() as stack:
            self._given = stack.enter_context(SharedMemory(SPACE))
            self._got = stack.enter_context(SharedMemory(SPACE))
            self._children = stack.enter_context(contextlib.ExitStack())
            self._open()
            self.ready(*self._first)
            self._stack = stack.pop_all()
        return self

    def _open(self) -> None:
        self._spoilt = False
        job = {"name": "kernel", "entry": "", **(self._called or {})}
        shared, role = (self._given.fd, self._got.fd), _REFERENCE if self._called else _ROLE
        spawned = self._lent.spawn(shared=shared, project=self._project, role=role, job=job)
        self._child = self._children.enter_context(spawned)
        self._heard(self._child.ask(self._source))

    def ready(self, asked: Prepare, answers: Sequence[Answer], judged: Judged | None) -> None:
        """Makes room for a case, in place of the one before, and hands over its values."""
        self._first = asked, answers, judged
        self._asked = replace(asked, pools=len(answers))
        self._answers, self._judged = answers, judged
        self.pools = len(answers)
        self.steps = len(asked.plan.steps) if asked.plan else _STEPS
        made = self._ask(Prepared, Asked(prepare=self._asked))
        if made.trouble is not None:
            raise self._unmeasured(made.trouble)
        if made.rotations < 1:
            text = f"the case needs {made.needed >> 20} MiB on the device, and {made.free >> 20} MiB may be used"
            raise Unmeasured(State.TOO_BIG_HERE, text, "too_big_here")
        self.rotations = min(made.rotations, self._asked.rotations)
        for number, answer in enumerate(answers):
            self._draw(number, answer.given)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def block(self, asked: Block) -> tuple[Timed, float]:
        """One block, with what it took by the judge's clock, or by a simulated device's own."""
        if self._spoilt:
            self._children.close()
            self._open()
            self.ready(*self._first)
        if asked.sampled >= 0:
            wanted = [slot for slot in self._asked.outputs if not slot.path.startswith("changed.")]
            space = layout.extent(wanted)
            self._got.map[:space] = numbers.poison(space)
        reply = self._child.ask(codec.dumps(Asked(block=asked)).encode())
        timed = self._read(Timed, reply)
        if timed.trouble is not None:
            # After a recording that went wrong an allocator may go on as if it were recorded: the next block has
            # a process of its own.
            self._spoilt = timed.trouble.cause == "no_graph"
            self._lent.suspect |= not self._spoilt
            if not self._spoilt:
                self._lent.keep(self._child, timed.trouble.message)
            raise self._unmeasured(timed.trouble)
        return timed, timed.seconds if self._lent.metal.kind == "simulated" else reply.seconds

    def check(self, asked: Block) -> str:
        """What is wrong with what the sampled call left in the memories."""
        if self._judged is None:
            return ""
        _, pool = asked.order[asked.sampled]
        return self._judged(self._answers[pool], self._given, self._got)

    def unseen(self, *, graph: bool = False) -> float | None:
        """What the first call takes on values that none had before, in place of a pool's; None where none can be made.

        They are made of a draw's own: no reference is asked what comes of them, and nobody can tell that by a sum.
        """
        fresh = _drawn_again(self._answers[0].given, self._asked.slots)
        if fresh is None:
            return None
        self._draw(0, fresh)
        timed, _ = self.block(Block(((0, 0),), graph=graph, unseen=True))
        self._draw(0, self._answers[0].given)
        return timed.cold[0]

    def _draw(self, pool: int, given: bytes) -> None:
        self._given.map[: len(given)] = given
        self._timed(Asked(draw=Draw(pool)))

    def prove(self) -> tuple[str, SharedMemory, SharedMemory]:
        """One call, untimed, with its outputs in the memories; what it wrote beside, if anything."""
        timed, _ = self.block(Block(((0, 0),), sampled=0, timed=False))
        return timed.spilled, self._given, self._got

    def _timed(self, asked: Asked) -> None:
        told = self._ask(Timed, asked)
        if told.trouble is not None:
            raise self._unmeasured(told.trouble)

    def _ask(self, kind: type[codec.T], asked: Asked) -> codec.T:
        return self._read(kind, self._child.ask(codec.dumps(asked).encode()))

    def _read(self, kind: type[codec.T], reply: Reply) -> codec.T:
        self._heard(reply)
        told = read(kind, reply)
        if told is None:
            raise Unmeasured(State.FAILED, FAULTS[Fault.PROTOCOL], "protocol")
        return told

    def _heard(self, reply: Reply) -> None:
        if reply.ok:
            return
        if reply.fault is not None:
            self._lent.keep(self._child, FAULTS[reply.fault])
            self._lent.doubt(FAULTS[reply.fault])
            raise Unmeasured(State.FAILED, f"on the device: {FAULTS[reply.fault]}", reply.fault.value)
        raise self._unmeasured(read(Trouble, reply) or Trouble("protocol", FAULTS[Fault.PROTOCOL]))

    def _unmeasured(self, trouble: Trouble) -> Exception:
        if trouble.cause == "no_graph":
            return NoGraph(trouble.message)
        if trouble.cause == LOST:
            self._lent.doubt(trouble.message)
            return DeviceLost(trouble.message)
        state = State.TOO_BIG_HERE if trouble.cause == "out_of_memory" else State.FAILED
        return Unmeasured(state, trouble.message, trouble.cause)
