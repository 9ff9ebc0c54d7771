"""`geak profile`: what a device's counters say of a kernel; without a device, what the compiler and a model say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer

from geak.cli.display import document, flat, plural, say
from geak.cli.options import AsJson, Flags, judge_of, settles
from geak.errors import UsageError
from geak.settings import TABLE
from geak.sources import load
from geak_evaluator.schema.profile import METRICS, Counters, Metric, Profile, Roofline, number
from geak_evaluator.schema.verdict import Code

_TOOLS = Literal["auto", "proton", "rocprof", "ncu"]
_WIDTH = 18


@settles("target", "policy", "elements", "judge", "gpu_ids", "allow_weak_sandbox")
def profile(
    spec: Annotated[str, typer.Argument(help="A spec: its file, its name or PATH::TASK.")],
    kernel: Annotated[Path, typer.Argument(help="A Python file with the kernel.")],
    case: Annotated[
        str,
        typer.Option(help='A case: its number, or sizes as in "M=4096, N=1024". [default: the first timed]'),
    ] = "",
    tool: Annotated[
        _TOOLS,
        typer.Option(help="Which profiler: auto (Proton, then the vendor's), proton, rocprof or ncu."),
    ] = "auto",
    json: AsJson = False,
    *,
    flags: Flags,
) -> None:
    """Count what a kernel does on a device. Exit codes: 0 counted, 1 the kernel has no plan, 3 nothing counts here.

    The plan that the judge records is replayed by the judge under the profiler: what is shown is of that plan and of
    nothing else. No profiler is installed, none is run as another user, and no setting of the device is changed.
    """
    from geak.formats.base import Scale
    from geak.formats.registry import at_hand
    from geak.judge import Judge

    settings = (resolved := load(flags)).settings
    if len(settings.target) > 1 and resolved.sources["target"] == TABLE["target"].flag:
        raise UsageError(f"a profile is of one GPU, and --target names {', '.join(settings.target)}; name one")
    argv = judge_of(settings)
    with at_hand(spec, argv, Scale(settings.elements)) as task, Judge(argv) as room:
        target = settings.target[0] if settings.target else ""
        found = room.profile(
            task.spec,
            kernel,
            target=target,
            case=case,
            tool=tool,
            policy=settings.policy or task.policy,
        )
    if json:
        document(found)
    else:
        for line in page(found):
            say(line)
    raise typer.Exit(0 if found.measured else 3 if found.plan else 1)


def page(found: Profile) -> Iterator[str]:
    """A profile as a person reads it: measured, compiled and estimated figures, each under its own word."""
    if found.measured:
        tools = ", ".join(f"{one.tool} {one.version}".strip() for one in found.tools if not one.trouble)
        yield f"MEASURED {found.name}  [{found.case}] on {found.device} ({found.target}) [{found.uuid}]"
        yield f"  medians of {plural(found.repeats, 'replay')} of plan {found.plan}, counted by {tools}"
        for one in found.tools:
            if one.trouble:
                yield f"  {one.tool} says nothing: {flat(one.trouble)}"
        if found.energy is not None:
            yield f"  energy: {found.energy.brief}, {found.energy.limits}"
        for launch in found.launches:
            yield from _launch(launch)
    else:
        yield f"NOT MEASURED {found.name}  [{found.case}] {flat(found.trouble)}"
    yield from _known_anyway(found)
    for note in found.notes:
        yield f"  note: {flat(note)}"


def _known_anyway(found: Profile) -> Iterator[str]:
    from geak.knowledge import estimated, figures

    if found.figures:
        yield f"  compiled for {found.target}, read off the machine code:"
        for line in figures(Code(found.target, found.figures)):
            yield f"    {flat(line)}"
    if found.estimate is not None:
        yield "  estimated from counts and the machine code, not measured:"
        for line in estimated(found.estimate):
            yield f"    {flat(line)}"


def _launch(launch: Counters) -> Iterator[str]:
    took = launch.value("duration")
    yield f"  launch {launch.launch}: {flat(launch.kernel)}" + (f", {number(took)} us" if took is not None else "")
    if launch.roofline is not None:
        yield f"    {roof(launch.roofline)}"
    for one in launch.bottlenecks:
        yield f"    held back by: {one}"
    for metric in launch.metrics:
        yield f"    {_metric(metric)}"
    reasons: dict[str, list[str]] = {}
    for absent in launch.absent:
        reasons.setdefault(absent.why, []).append(absent.name)
    for why, names in reasons.items():
        yield f"    not known: {', '.join(names)}: {flat(why)}"


def roof(found: Roofline) -> str:
    """Where a launch lies under the roofline, in a line."""
    of = "each byte counted once" if found.counted else "bytes measured"
    return (
        f"roofline: {found.intensity:.3g} operations a byte ({of}), under the roof of {found.bound}; "
        f"it reaches {found.of_memory:.0%} of the memory's bandwidth and {found.of_compute:.0%} of the arithmetic"
    )


def _metric(metric: Metric) -> str:
    meaning = METRICS[metric.name].text if metric.name in METRICS else ""
    return f"{metric.name:<{_WIDTH}}{number(metric.value):>16} {metric.unit:<10} {meaning} [{metric.tool}]"
