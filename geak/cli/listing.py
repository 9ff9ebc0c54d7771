"""A benchmark's checkout on a screen: what was recognised, what can run here, and why not the rest."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from geak.cli.display import cut, document, flat, plural, say

if TYPE_CHECKING:
    from geak.formats.registry import Checkout


def show(there: Checkout, *, json: bool) -> None:
    """Counts by cause first, then a line a task."""
    from geak.formats.registry import why_not

    causes = Counter(why for task in there.tasks if (why := why_not(task)))
    runnable = len(there.tasks) - causes.total()
    counts = Counter(task.format for task in there.tasks)
    if json:
        document(
            {
                "root": str(there.root),
                "formats": counts,
                "runnable": runnable,
                "causes": causes,
                "duplicates": there.duplicates,
                "commit": there.commit,
                "notes": there.notes,
                "tasks": [
                    {
                        "name": task.name,
                        "format": task.format,
                        "file": str(task.file),
                        "title": task.title,
                        "category": task.category,
                        "difficulty": task.difficulty,
                        "licence": task.licence,
                        "needs": [need.value for need in task.needs],
                        "policy": task.policy,
                        "tolerance": task.tolerance,
                        "metric": task.metric,
                        "why_not": why_not(task),
                    }
                    for task in there.tasks
                ],
            }
        )
        return
    kinds = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    say(f"{there.root}: {plural(len(there.tasks), 'task')} ({kinds}); {runnable:,} can run here")
    for why, count in causes.most_common():
        say(f"  {count:,} cannot: {flat(why)}")
    for note in there.notes:
        say(f"  note: {note}")
    if there.duplicates:
        names = ", ".join(there.duplicates[:5]) + ", ..." * (len(there.duplicates) > 5)
        say(f"  {plural(len(there.duplicates), 'name')} taken twice, and only the first is listed: {flat(names)}")
    width = min(60, max((len(task.name) for task in there.tasks), default=0))
    for task in there.tasks:
        why = why_not(task)
        what = f"cannot run here: {why}" if why else " ".join(filter(None, (task.title, _more(task.category))))
        say(f"{flat(task.name):<{width}} {cut(flat(what), max(40, 118 - width))}")


def _more(category: str) -> str:
    return f"({category})" if category else ""
