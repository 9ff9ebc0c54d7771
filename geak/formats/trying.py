"""Several readings of one task, from the widest to the narrowest: the first whose reference runs is its spec."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from geak.errors import SpecError
from geak.formats.base import Listed
from geak.formats.files import identifier
from geak.formats.kept import keep, kept
from geak.judges import Judges
from geak.tasks import Task


async def first_that_runs(listed: Listed, readings: Iterable[tuple[str, bool]], folder: Path, judges: Judges) -> Task:
    """The task as a spec in `folder`; each reading is a file's text, and whether it holds one size only.

    A spec that is there already is used as it is, so that it can be mended by hand.
    """
    spec = folder / f"{identifier(listed.name)}.py"
    if spec.exists():
        return await kept(spec, listed, judges)
    first: SpecError | None = None
    for text, single in readings:
        try:
            with tempfile.TemporaryDirectory(prefix="geak-draft-") as place:
                tried = Path(place) / spec.name
                tried.write_text(text, "utf-8")
                findings = await judges.lint(tried)
        except SpecError as error:
            first = first or error
            continue
        return keep(spec, text, listed, findings, single_shape=single)
    raise SpecError(f"the reference of {listed.name} does not run here: {first}")
