"""`geak eval`: the verdict on one kernel file, or on anybody's kernels for a folder of specs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geak.cli.display import document, say
from geak.cli.options import AsJson, Flags, judge_of, settles
from geak.errors import GeakError, UsageError
from geak.settings import DEFAULT_TARGETS, Settings, load
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Policy, Status, Tier, Verdict

if TYPE_CHECKING:
    from geak.judge import Judge

EXIT = {Status.ACCEPTED: 0, Status.REJECTED: 1, Status.UNDECIDED: 6}
_UNFIT = 2


@settles("target", "policy", "elements", "judge", "allow_weak_sandbox")
def evaluate(
    spec: Annotated[
        str, typer.Argument(help="A spec: its file, its name or PATH::TASK; with --kernels a folder of them.")
    ],
    kernel: Annotated[Path | None, typer.Argument(help="A Python file with the kernel.")] = None,
    kernels: Annotated[
        Path | None, typer.Option(help="Many: a folder of NAME.py, or JSONL with a name and a kernel a line.")
    ] = None,
    tier: Annotated[Tier, typer.Option(help="How much is asked: one case, everything, or everything and unseen.")] = (
        Tier.FULL
    ),
    jobs: Annotated[int, typer.Option(help="With --kernels: how many at a time; 0 is one for each processor.")] = 0,
    json: AsJson = False,
    *,
    flags: Flags,
) -> None:
    """Judge a kernel, or many, against specs. Exit codes: 0 accepted, 1 rejected, 6 undecided."""
    from geak.formats.base import Scale
    from geak.formats.registry import at_hand
    from geak.judge import Judge

    if (kernel is None) == (kernels is None):
        raise UsageError("geak eval needs a kernel file, or --kernels with a folder or a JSONL file")
    settings = load(flags).settings
    if kernels is not None:
        raise typer.Exit(_many(spec, kernels, settings, tier, jobs, json=json))
    assert kernel is not None
    judge = judge_of(settings)
    with at_hand(spec, judge, Scale(settings.elements)) as task, Judge(judge) as room:
        verdict = room.evaluate(task.spec, kernel, **_asked(room, settings, tier, task.policy))
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


def _asked(room: Judge, settings: Settings, tier: Tier, policy: Policy = Policy.PURE) -> dict[str, Any]:
    targets = settings.target or room.hello.present or DEFAULT_TARGETS
    return {"targets": targets, "tier": tier, "policy": settings.policy or policy}


def _many(name: str, kernels: Path, settings: Settings, tier: Tier, jobs: int, *, json: bool) -> int:
    """Judges them all; the exit code of the worst, or 2 where something could not be judged."""
    from geak.judge import Judge
    from geak.specs import dataset
    from geak.submissions import collect

    found, missing = collect(dataset(name), kernels)
    counts: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    with Judge(judge_of(settings, workers=jobs)) as room:
        every = [(one.spec, one.source) for one in found]
        for number, verdict in room.evaluate_all(every, **_asked(room, settings, tier)):
            label = found[number].label
            if isinstance(verdict, GeakError):
                counts["not judged"] += 1
                row: dict[str, Any] = {"kernel": label, "name": found[number].spec.stem, "problem": str(verdict)}
                line = f"NOT JUDGED {found[number].spec.stem}  {verdict}"
            else:
                counts[verdict.status.value] += 1
                row = {"kernel": label, "verdict": codec.to_json(verdict)}
                line = verdict.line()
            rows.append(row)
            if not json:
                say(f"{line}  ({label})")
    words = [f"{count} {word}" for word, count in counts.most_common()]
    summary = f"{len(found)} kernels: {', '.join(words)}"
    if missing:
        summary += f"; no kernel for {len(missing)} specs: {', '.join(missing[:5])}{', ...' * (len(missing) > 5)}"
    if json:
        document({"kernels": rows, "counts": counts, "without": missing})
    else:
        say(summary)
    if counts["not judged"]:
        return _UNFIT
    return next((EXIT[s] for s in (Status.REJECTED, Status.UNDECIDED) if counts[s.value]), 0)
