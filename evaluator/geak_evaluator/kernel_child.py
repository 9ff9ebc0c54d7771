"""Running a kernel file in a child of its own: a candidate, or an original kernel that serves as oracle."""

from __future__ import annotations

from dataclasses import dataclass, replace

from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.child import Child, Reply
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.sandbox.policy import GIB, Limits
from geak_evaluator.schema import codec, domain
from geak_evaluator.schema.exchange import Argument, Replay, RunRequest
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Case, Scalar, Spec

SPACE = 2 * GIB
"""What the inputs of a case may take, and what its outputs may; pages count only once they are written."""

_ROLE = "geak_evaluator.children.candidate"
_REPLAY_ROLE = "geak_evaluator.children.replay"


@dataclass(frozen=True)
class Kernel:
    """A kernel file and how it is called."""

    source: bytes
    entry: str
    contract: str
    target: str
    project: str = ""
    """A folder that it may import from."""
    relative: str = ""
    """The file of the project that it stands for."""
    first: int = 0
    """Which of its configurations an autotuned kernel is launched with where no other is asked for."""
    without: tuple[int, ...] = ()
    """Those of its configurations that the target cannot launch."""
    tables: bool = False
    """It may reach tensors by addresses in a table: where a user's own tests call it, and no plan is judged."""
    compiled: bool = False
    """Compile each launch for the target too, so that Triton's own errors show; else it is only interpreted."""

    def spawn(
        self,
        box: Sandbox,
        limits: Limits,
        given: SharedMemory,
        got: SharedMemory,
        *,
        capture: bool = False,
        configuration: int | None = None,
    ) -> Child:
        """A child that will load it when asked; with `capture` its launches are recorded, not carried out.

        `configuration` says which of its configurations an autotuned kernel is launched with.
        """
        job = {
            "name": "kernel",
            "entry": self.entry,
            "contract": self.contract,
            "target": self.target,
            "project": self.project,
            "relative": self.relative,
            "compile": self.compiled and not capture,
            "capture": capture,
            "configuration": self.first if configuration is None else configuration,
            "without": list(self.without),
            "tables": self.tables,
        }
        folders = (self.project,) if self.project else ()
        return box.spawn(_ROLE, job, limits=limits, read=folders, shared=(given.fd, got.fd))

    def spawn_replay(self, box: Sandbox, limits: Limits, given: SharedMemory, got: SharedMemory) -> Child:
        """A child that will load nothing of it but its kernels, and replay plans."""
        folders = (self.project,) if self.project else ()
        job = {"project": self.project, "target": self.target}
        return box.spawn(_REPLAY_ROLE, job, limits=limits, read=folders, shared=(given.fd, got.fd))


def request(spec: Spec, case: Case, slots: tuple[Slot, ...], wanted: tuple[Slot, ...] | None) -> RunRequest:
    """How a kernel is called on one case; with `wanted` None it says itself what came back."""
    sizes = domain.with_scalars(spec, case.sizes)
    destination: tuple[Slot, ...] = ()
    if spec.contract == "destination" and wanted is not None:
        names = domain.destinations(spec)
        returned = [slot for slot in wanted if not slot.path.startswith("changed.")]
        destination = tuple(replace(slot, path=name) for name, slot in zip(names, returned, strict=True))
    return RunRequest(
        slots=slots,
        arguments=tuple(spec.inputs),
        scalars={n: domain.scalar(s, n, sizes) for n, s in spec.inputs.items() if isinstance(s, Scalar)},
        outputs=wanted,
        destination=destination,
        init={name: Argument.plain(value) for name, value in domain.initial(spec, sizes).items()},
        wrt=spec.wrt,
    )


def run(child: Child, kernel: Kernel, request: RunRequest | Replay) -> Reply:
    """Loads the kernel and asks for one thing; afterwards all of the child stands still."""
    reply = child.ask(kernel.source)
    if reply.ok:
        reply = child.ask(codec.dumps(request).encode())
        child.freeze()
    return reply
