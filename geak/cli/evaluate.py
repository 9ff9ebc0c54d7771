"""`geak eval`: the verdict on one kernel file, or on anybody's kernels for a folder of specs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geak.cli.display import document, say
from geak.cli.options import AsJson, Flags, judge_of, settles
from geak.errors import MachineError, UsageError
from geak.settings import DEFAULT_TARGETS, Settings
from geak.sources import load
from geak_evaluator.schema.verdict import Policy, Status, Tier, Verdict

if TYPE_CHECKING:
    from geak.judge import Judge

_SECONDS = 20.0
EXIT = {Status.ACCEPTED: 0, Status.REJECTED: 1, Status.UNDECIDED: 6}


@settles("target", "policy", "elements", "judge", "gpu_ids", "allow_weak_sandbox")
def evaluate(
    spec: Annotated[
        str, typer.Argument(help="A spec: its file, its name or PATH::TASK; with --kernels a folder of them.")
    ],
    kernel: Annotated[Path | None, typer.Argument(help="A Python file with the kernel.")] = None,
    kernels: Annotated[
        Path | None,
        typer.Option(
            help="Many: a folder of NAME.py, of runs, or of KernelBench's samples; or JSON lines, TritonBench's too."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="With --kernels: a folder for the verdicts, for geak report.", metavar="FOLDER"),
    ] = None,
    tier: Annotated[Tier, typer.Option(help="How much is asked: one case, everything, or everything and unseen.")] = (
        Tier.FULL
    ),
    time: Annotated[
        bool, typer.Option("--time", help="Measure it too, on the GPU that is the first target (docs/measure.md).")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(help="With --time: a kernel file with the same entry that it is to beat as well.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1, help="With --time: the most for one case beside one baseline.")
    ] = _SECONDS,
    jobs: Annotated[int, typer.Option(help="With --kernels: how many at a time; 0 is one for each processor.")] = 0,
    json: AsJson = False,
    *,
    flags: Flags,
) -> None:
    """Judge a kernel, or many, against specs. Exit codes: 0 accepted, 1 rejected, 6 undecided."""
    from geak.files import text
    from geak.formats.base import Scale
    from geak.formats.registry import at_hand
    from geak.judge import Judge

    if (kernel is None) == (kernels is None):
        raise UsageError("geak eval needs a kernel file, or --kernels with a folder or a JSONL file")
    if out is not None and kernels is None:
        raise UsageError("--out goes with --kernels: one verdict is printed, and with --json as a document")
    if not time and (against is not None or seconds != _SECONDS):
        raise UsageError(
            f"{'--seconds' if against is None else '--against'} goes with --time: nothing else is measured"
        )
    if jobs and kernels is None:
        raise UsageError("--jobs goes with --kernels: there is one kernel, and so one judge")
    if time and tier is Tier.GATE:
        raise UsageError(
            "--time measures what the whole of a spec accepts; the gate alone says too little (--tier full)"
        )
    settings = load(flags).settings
    timed: dict[str, Any] = {"time": True, "seconds": seconds} if time else {}
    if time and against is not None:
        timed["original"] = text(against)
    if kernels is not None:
        from geak.cli.evaluate_many import many

        raise typer.Exit(many(spec, kernels, settings, tier, jobs, out, timed, json=json))
    assert kernel is not None
    judge = judge_of(settings)
    with at_hand(spec, judge, Scale(settings.elements)) as task, Judge(judge) as room:
        verdict = room.evaluate(task.spec, kernel, **asked(room, settings, tier, timed, task.policy))
    if json:
        document(verdict)
    else:
        _print(verdict)
    raise typer.Exit(EXIT[verdict.status])


def _print(verdict: Verdict) -> None:
    say(verdict.line())
    lines = [f"  {line}" for line in verdict.details()]
    if verdict.sandbox == "base":
        lines.insert(0, "  sandbox: base (weak: this result is only as honest as the kernel)")
    if verdict.failure is not None and verdict.log.strip():
        lines = [*lines[:3], "  it printed:", *(f"  | {line[:160]}" for line in verdict.log.strip().splitlines()[-4:])]
    for line in lines[:8]:
        say(line)


def asked(
    room: Judge, settings: Settings, tier: Tier, timed: dict[str, Any], policy: Policy = Policy.PURE
) -> dict[str, Any]:
    """What is asked of a judge, whatever the kernel; `policy` holds where nobody named another."""
    if timed and not room.hello.measures:
        raise MachineError("--time needs a GPU that the judge can open, and there is none; see `geak doctor`")
    targets = settings.target or room.hello.present or DEFAULT_TARGETS
    return {"targets": targets, "tier": tier, "policy": settings.policy or policy, **timed}
