"""First kernels for a spec, written by a compiler inside the sandbox."""

from __future__ import annotations

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.replies import FAULTS, read
from geak_evaluator.sandbox.child import Fault
from geak_evaluator.sandbox.policy import GIB, Limits
from geak_evaluator.schema.seed import NEXT, Seeds
from geak_evaluator.schema.target import find

_ROLE = "geak_evaluator.seeds.child"
_LIMITS = Limits(wall_s=90.0, memory=8 * GIB)
"""Loading a compiler and compiling several variants takes longer than one run of a kernel."""


def seed(judge: Judge, file: SpecFile, *, target: str = "gfx942") -> Seeds:
    """What a compiler emits for the spec's reference; why there is nothing, where there is nothing."""
    job = {"name": file.name, "target": find(target).name}
    with judge.box.spawn(_ROLE, job, limits=_LIMITS) as child:
        reply = child.ask(file.data)
    found = read(Seeds, reply) if reply.ok else None
    if found is None:
        fault = FAULTS[reply.fault or Fault.PROTOCOL]
        return Seeds(trouble=f"the compiler wrote nothing: {fault}; {NEXT}")
    return found
