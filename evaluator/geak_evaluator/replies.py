"""Reading what a child replied: its faults in words, its bodies as shared words or not at all."""

from __future__ import annotations

from typing import TypeVar

from geak_evaluator.sandbox.child import Fault, Reply
from geak_evaluator.schema import codec

T = TypeVar("T")

FAULTS = {
    Fault.TIMEOUT: "it did not finish in the time it has",
    Fault.DIED: "its process died",
    Fault.PROTOCOL: "it did not keep to the protocol",
    Fault.OUTPUT_FLOOD: "it printed without end",
    Fault.OUT_OF_MEMORY: "it used more memory than it may",
    Fault.TOO_MANY_PROCESSES: "it started more processes or threads than it may",
    Fault.DISK_FLOOD: "it wrote more to disk than it may",
}


def read(kind: type[T], reply: Reply) -> T | None:
    """A child's body as one of the shared words, or None where it is not one."""
    try:
        return codec.from_json(kind, codec.loads(reply.body))
    except codec.WireError:
        return None
