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
_LIMITS = Limits(wall_s=600.0, cpu_s=90, memory=8 * GIB)
"""Loading a compiler and compiling several variants takes longer than one run of a kernel; on a machine that others
use as well, what counts is the processor time that it takes."""


def seed(judge: Judge, file: SpecFile, *, target: str = "gfx942") -> Seeds:
    """What a compiler emits for the spec's reference; why there is nothing, where there is nothing."""
    job = {"name": file.name, "target": find(target).name, "cpu_s": _LIMITS.cpu_s}
    with judge.box.spawn(_ROLE, job, limits=_LIMITS) as child:
        reply = child.ask(file.data)
        ended = None if reply.ok else child.end()
    found = read(Seeds, reply) if reply.ok else None
    if found is None:
        late = ended is not None and ended.cpu_s >= _LIMITS.cpu_s
        fault = FAULTS[Fault.TIMEOUT if late else reply.fault or Fault.PROTOCOL]
        return Seeds(trouble=f"the compiler wrote nothing: {fault}; {NEXT}")
    return found
