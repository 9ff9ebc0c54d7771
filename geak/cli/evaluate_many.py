"""`geak eval --kernels`: anybody's kernels, with a verdict each and the numbers of all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from geak.bulk import judge, open_kernels, results
from geak.cli.display import document, flat, plural, say
from geak.cli.evaluate import EXIT, asked
from geak.cli.options import judge_of
from geak.formats.base import Scale
from geak.judge import Judge
from geak.metrics.results import Line
from geak.metrics.summary import Summary, summarize
from geak.report.figures import group_name, interval, value_of
from geak.settings import Settings
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Status, Tier

_UNFIT = 2
_SHOWN = 5
"""Tasks without a kernel that are named, and kernels without a spec."""


def many(
    name: str,
    kernels: Path,
    settings: Settings,
    tier: Tier,
    jobs: int,
    out: Path | None,
    timed: dict[str, Any],
    *,
    json: bool,
) -> int:
    """Judges them all; the exit code of the worst, or 2 where something could not be judged."""
    every = open_kernels(name, kernels, Scale(settings.elements))
    counts: Counter[str] = Counter()
    lines: list[Line] = []
    with Judge(judge_of(settings, workers=jobs)) as room:
        question = asked(room, settings, tier, timed)
        del question["policy"]  # each task's own, where nobody says otherwise
        for line in judge(every, room, question, settings.policy):
            counts["not judged" if line.verdict is None else line.verdict.status.value] += 1
            lines.append(line)
            if not json:
                said = f"NOT JUDGED {line.task}  {line.problem}" if line.verdict is None else line.verdict.line()
                say(f"{said}  ({line.kernel})")
        found = summarize(results(every, lines, room.hello, question, settings.policy, out))
    if json:
        document(
            {
                "kernels": [_row(line) for line in lines],
                "counts": counts,
                "without": every.missing,
                "without_spec": every.strangers,
                "summary": found,
            }
        )
    else:
        words = ", ".join(f"{count} {word}" for word, count in counts.most_common())
        say(f"{plural(len(lines), 'kernel')}: {words}{_missing(every.missing)}")
        if every.strangers:
            say(_strange(every.strangers))
        for text in _numbers(found):
            say(text)
        if out is not None:
            say(f"kept in {out}; geak report {out} writes its page")
    if counts["not judged"]:
        return _UNFIT
    return next((EXIT[s] for s in (Status.REJECTED, Status.UNDECIDED) if counts[s.value]), 0)


def _row(line: Line) -> dict[str, Any]:
    if line.verdict is None:
        return {"kernel": line.kernel, "name": line.task, "problem": line.problem}
    return {"kernel": line.kernel, "name": line.task, "verdict": codec.to_json(line.verdict)}


def _missing(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    return f"; {plural(len(names), 'task')} without a kernel count{'s' * (len(names) == 1)} as failed: {_some(names)}"


def _strange(names: tuple[str, ...]) -> str:
    have, whose = ("has", "its") if len(names) == 1 else ("have", "their")
    return f"{plural(len(names), 'kernel')} {have} no spec of {whose} name here: {_some(names)}"


def _some(names: tuple[str, ...]) -> str:
    return flat(", ".join(names[:_SHOWN]) + ", ..." * (len(names) > _SHOWN))


def _numbers(summary: Summary) -> list[str]:
    """Each metric that has a value, with its interval; that speed was not measured is said once."""
    found = []
    for group in summary.groups:
        if len(summary.groups) > 1:
            found.append(f"{group_name(group)}:")
        for m in group.metrics:
            if m.value is not None:
                ends = interval(m.low, m.high, m.unit)
                found.append(f"  {m.title:<48}{value_of(m):>9}" + (f"  ({ends})" if ends else ""))
        if all(not m.key.startswith("fast_1@") for m in group.metrics):
            found.append(f"  {'Speed':<48}not measured")
    return found
