"""A file with a PyTorch module and the inputs that it is run on, as a spec: the shape of task that several share."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from geak.drafting import Draft, DraftError, Wanted
from geak.errors import SpecError, UsageError
from geak.formats.base import Listed, Scale
from geak.formats.files import identifier
from geak.formats.kept import keep, kept
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.findings import Findings

ENTRY = "ModelNew"
"""What a kernel file defines for these benchmarks."""
_DRAWN = 3
"""How many other sizes the reference must accept before the domain counts."""

Drafting = Callable[[Wanted], Draft]


async def drafted(listed: Listed, draft: Drafting, folder: Path, judges: Judges, scale: Scale) -> Task:
    """The task as a spec in `folder`, over the widest domain in which its reference runs.

    A spec that is there already is used as it is, so that it can be mended by hand.
    """
    spec = folder / f"{identifier(listed.name)}.py"
    if spec.exists():
        return await kept(spec, listed, judges)
    first: SpecError | None = None
    for wanted in _ever_narrower(scale):
        said = replace(wanted, origin=origin(listed, single=wanted.single))
        try:
            made = draft(said)
            findings = await _tried(draft(replace(said, drawn=0 if said.single else _DRAWN)), spec.name, judges)
        except DraftError as error:
            raise UsageError(f"{listed.name} cannot be made a spec: {error}") from None
        except SpecError as error:
            first = first or error
            continue
        return keep(spec, made.text, listed, findings, single_shape=wanted.single)
    raise SpecError(f"the reference of {listed.name} does not run here: {first}")


def origin(listed: Listed, *, single: bool) -> str:
    """What a spec's docstring says of where it comes from."""
    lines = [f"{listed.name} of {listed.format}" + f", {listed.licence}" * bool(listed.licence)]
    lines += [f"Its own tolerance: {listed.tolerance}"] * bool(listed.tolerance)
    lines += ["single-shape: the reference accepts no sizes but these"] * single
    return "".join(f"{line}.\n" for line in lines).rstrip()


def _ever_narrower(scale: Scale) -> Iterator[Wanted]:
    """All sizes, then without the smallest, then one case alone."""
    whole = Wanted(formats=("fp32",), elements=scale.elements)
    yield whole
    yield replace(whole, first=1)
    for number in (2, 1, 0):
        yield replace(whole, first=number, single=True)


async def _tried(made: Draft, name: str, judges: Judges) -> Findings:
    """What lint says, with the reference run at each of the cases; SpecError where it does not run."""
    with tempfile.TemporaryDirectory(prefix="geak-draft-") as place:
        spec = Path(place) / name
        spec.write_text(made.text, "utf-8")
        return await judges.lint(spec)
