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

_SLOW = "did not finish in the time"

Drafting = Callable[[Wanted], Draft]


async def drafted(
    listed: Listed, draft: Drafting, folder: Path, judges: Judges, scale: Scale, *, own: bool = True
) -> Task:
    """The task as a spec in `folder`, over the widest domain in which its reference runs.

    With `own`, the sizes of the benchmark's own example must be in it. A spec that is there already is used as it is,
    so that it can be mended by hand.
    """
    spec = folder / f"{identifier(listed.name)}.py"
    if spec.exists():
        return await kept(spec, listed, judges)
    first: SpecError | None = None
    for wanted in _ever_narrower(scale):
        try:
            made = draft(wanted)
            said = replace(wanted, origin=origin(listed, single=made.fixed))
            made = draft(said)
            if own and made.own is None and not wanted.single:  # it is not the task: its own example does not fit
                continue
            findings = await _tried(draft(replace(said, drawn=0 if made.fixed else _DRAWN)), spec.name, judges)
        except (DraftError, RecursionError) as error:
            why = error if isinstance(error, DraftError) else f"{listed.file} is nested too deeply to be read"
            raise UsageError(f"{listed.name} cannot be made a spec: {why}") from None
        except SpecError as error:
            if _SLOW in str(error):
                first = error
                break  # what is smaller takes as long: its weights do
            first = first or error
            continue
        return keep(spec, made.text, listed, findings, single_shape=made.fixed)
    misfit = "what its example passes does not fit what its code was read to take"
    raise SpecError(f"{listed.name} does not run here: {first or misfit}")


def origin(listed: Listed, *, single: bool) -> str:
    """What a spec's docstring says of where it comes from."""
    lines = [f"{listed.name} of {listed.format}" + f", {listed.licence}" * bool(listed.licence)]
    lines += [f"Its own tolerance: {listed.tolerance}"] * bool(listed.tolerance)
    lines += ["single-shape: the reference accepts no sizes but these"] * single
    return "".join(f"{line}.\n" for line in lines).rstrip()


def _ever_narrower(scale: Scale) -> Iterator[Wanted]:
    """All sizes as the code is read, or as the example shows them; without the smallest; then one case alone."""
    whole = Wanted(formats=("fp32",), elements=scale.elements)
    for reading in (whole, replace(whole, by_example=True)):
        yield reading
        yield replace(reading, first=1)
    for reading in (whole, replace(whole, by_example=True)):
        yield replace(reading, as_made=True)
    for number in (2, 1, 0):
        for reading in (whole, replace(whole, by_example=True)):
            yield replace(reading, first=number, single=True)


async def _tried(made: Draft, name: str, judges: Judges) -> Findings:
    """What lint says, with the reference run at each of the cases; SpecError where it does not run."""
    with tempfile.TemporaryDirectory(prefix="geak-draft-") as place:
        spec = Path(place) / name
        spec.write_text(made.text, "utf-8")
        try:
            found = await judges.lint(spec)
        except SpecError as error:
            raise SpecError(str(error).replace(f"{place}/", "")) from None
    large = [one for one in found.findings if one.rule == "too-large"]
    if len(large) >= found.cases:
        raise SpecError(f"no size of it is small enough to be run here: {large[0].message}")
    return found
