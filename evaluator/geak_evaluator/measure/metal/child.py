"""The child on a device: carries out plans natively and times them; of the candidate it loads kernels alone."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from geak_evaluator.children import jit_only
from geak_evaluator.children.candidate import trouble
from geak_evaluator.children.tensors import Arena
from geak_evaluator.measure.metal import Metal, NoGraph, known, open_metal
from geak_evaluator.measure.metal.runner import Make, PlanWork, Runner, needed
from geak_evaluator.sandbox.channel import RAISED, REFUSED, Channel
from geak_evaluator.sandbox.confine import FIRST_SHARED
from geak_evaluator.schema import codec
from geak_evaluator.schema.exchange import Trouble
from geak_evaluator.schema.measuring import LOST, Asked, Prepare, Prepared, Tested, Timed
from geak_evaluator.schema.target import find

_ROOM = 0.9
"""Of the memory that is free, how much a case may take: the runtime wants some itself."""


def main(channel: Channel, job: dict[str, Any]) -> None:
    """The first request is the source; then cases to make ready, values, and blocks of calls."""
    source = channel.receive()
    if source is None:
        return
    try:
        described = find(target).backend if (target := str(job["settings"].get("target", ""))) else ""
        kernels = jit_only.take(source, "kernel", Path.cwd(), job.get("project", ""), described)
    except jit_only.NotPlain as error:
        channel.reply(codec.dumps(Trouble("not_plain", str(error), error.line)).encode(), REFUSED)
        return
    memories = shared()
    try:
        metal = open_metal(job["kind"], job["visible"], job["settings"])
    except Exception as error:
        channel.reply(codec.dumps(device_trouble(error)).encode(), RAISED)
        return
    channel.reply()
    serve(channel, metal, lambda place, asked: PlanWork(metal, place, asked, kernels), memories)


def serve(channel: Channel, metal: Metal, make: Make, memories: tuple[Arena, Arena] | None) -> None:
    """Answers until the judge is done."""
    runner: Runner | None = None
    while (body := channel.receive()) is not None:
        asked = codec.from_json(Asked, codec.loads(body))
        reply: object
        if asked.test:
            reply = _tested(metal)
        elif asked.prepare is not None:
            runner = None  # its memory first
            runner, reply = _prepare(metal, asked.prepare, make)
        elif runner is None or memories is None:
            reply = Timed(trouble=Trouble("protocol", "nothing was made ready"))
        else:
            reply = _timed(runner, asked, *memories)
        channel.reply(codec.dumps(reply).encode())


def shared() -> tuple[Arena, Arena] | None:
    """The memories that this child was given, if any; before its device is open, whose files take the next numbers."""
    try:
        os.fstat(FIRST_SHARED + 1)
    except OSError:
        return None
    return Arena(FIRST_SHARED), Arena(FIRST_SHARED + 1)


def _prepare(metal: Metal, asked: Prepare, make: Make) -> tuple[Runner | None, Prepared]:
    wanted, free = needed(asked), 0
    try:
        metal.close()  # whose allocator may refuse, where a recording went wrong before
        free = int(metal.free() * _ROOM)
        if wanted > free:
            return None, Prepared(0, wanted, free)
        more = (free - wanted) // max(needed(replace(asked, pools=0)), 1)  # the values come after all places
        runner = Runner(metal, replace(asked, rotations=min(asked.rotations, 1 + more)), make)
    except Exception as error:
        return None, Prepared(0, wanted, free, device_trouble(error))
    return runner, Prepared(len(runner.places), wanted, free)


def _timed(runner: Runner, asked: Asked, given: Arena, got: Arena) -> Timed:
    try:
        if asked.draw is not None:
            runner.draw(asked.draw.pool, given)
            return Timed()
        assert asked.block is not None
        return runner.block(asked.block, given, got)
    except NoGraph as error:
        return Timed(trouble=Trouble("no_graph", str(error)))
    except Exception as error:
        return Timed(trouble=device_trouble(error))


_LOST = ("gpu reset", "device-side reset", "device was reset", "ecc error", "fallen off the bus", "device lost")
_OTHER = ("no kernel image", "invalid device function", "nobinaryforgpu")
_ILLEGAL = ("illegal memory access", "illegal address", "misaligned address", "memory access fault")


def device_trouble(error: BaseException) -> Trouble:
    """An exception on a device as data: what a driver says of a kernel is put under the judge's own words."""
    told = trouble(error, "kernel")
    words = f"{type(error).__name__} {error}".lower()
    if "OutOfMemory" in type(error).__name__ or isinstance(error, MemoryError) or "out of memory" in words:
        return Trouble("out_of_memory", f"the device has not enough memory: {told.message}", told.line)
    if any(word in words for word in _LOST):
        return Trouble(LOST, f"the device's driver was reset while it ran, or the device was lost: {told.message}")
    if any(word in words for word in _OTHER):
        text = "the kernel was compiled for another architecture than this device's"
        return Trouble("unsupported", f"{text}: {told.message}", told.line)
    if any(word in words for word in _ILLEGAL):
        return Trouble(
            "out_of_bounds", f"the device reports an access outside of its memory: {told.message}", told.line
        )
    return told


def _tested(metal: Metal) -> Tested:
    """By a real launch, from where every child on it stands: nothing less shows that the device can be reached."""
    try:
        wrong = known.fault(metal)
    except Exception as error:
        return Tested(trouble=device_trouble(error))
    return Tested(trouble=Trouble("raised", wrong)) if wrong else Tested(metal.identity)
