"""A file with a PyTorch module and the inputs that it is run on, as a spec: the shape of task that several share."""

from __future__ import annotations

from pathlib import Path

from geak import drafting
from geak.errors import UsageError
from geak.formats.base import Listed, Scale
from geak.formats.files import identifier
from geak.journal.store import write
from geak.judges import Judges
from geak.tasks import Task

ENTRY = "ModelNew"
"""What a kernel file defines for these benchmarks."""


async def drafted(listed: Listed, folder: Path, judges: Judges, scale: Scale) -> Task:
    """The task as a spec in `folder`; one that is there already is used as it is, so that it can be mended by hand."""
    spec = folder / f"{identifier(listed.name)}.py"
    if not spec.exists():
        wanted = drafting.Wanted(formats=("fp32",), elements=scale.elements)
        try:
            made = drafting.from_torch(listed.file, "Model", ENTRY, wanted=wanted)
        except drafting.DraftError as error:
            raise UsageError(f"{listed.name} cannot be made a spec: {error}") from None
        write(spec, made.text.encode(), only_new=True)
    return Task(spec, policy=listed.policy)
