"""What a run hands over: the best kernel with its evidence, as files that need nothing of GEAK.

In the run's folder lie, whole and for what is known by then:

* `best.py`, once a candidate was accepted: a comment that says where it is from and how it was proved, then its source,
  unchanged. It takes the place of the kernel's file as it is.
* `best.patch` besides, where the spec names the file of a project: what makes that file of the project's the best one.
* `nearest.py`, while none was accepted: the one that came nearest, marked as refused, to be mended by hand.
* `best.json`, always: whether one was accepted, the verdict, the domain, the hashes, what was spent.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from geak.journal.events import Blob
from geak.journal.store import write as write_file
from geak.population import Candidate, Population
from geak.version import __version__
from geak_evaluator.schema import codec
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.verdict import DRAFTED, Verdict

VERSION = 1
_RECORD = "best.json"
_KEPT = 8
"""Configurations that are handed over for each target."""

_BEGIN = "# >>> geak: where this kernel is from\n"
_FIXED = "# What stands between these marks is a comment, and may go.\n"
_END = "# <<< geak\n"
# What Python reads before all else: "#!", and a coding in one of the first two lines (PEP 263).
_FIRST = re.compile(
    r"\ufeff?(?:(?:[ \t\f]*(?:#[^\n]*)?\r?\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*[-\w.]+[^\n]*\n|#![^\n]*\n)?"
)


def write(
    folder: Path,
    population: Population,
    text: Callable[[Blob], str],
    about: Description,
    *,
    guesses: Sequence[str] = (),
    sync: bool = True,
) -> Path | None:
    """Hands over what a run has come to; the file of the best kernel, or None while there is none.

    `guesses` are what nobody has looked at of a spec that was drafted: a reader of the kernel should know them.
    While the run goes on it may do without `sync`: what is handed over follows from the journal.
    """
    best, nearest = population.best, population.nearest
    chosen = best or nearest
    files: dict[str, str] = {}
    if chosen is not None:
        source, origin = text(chosen.source), _provenance(population, chosen, about, guesses)
        files["best.py" if best else "nearest.py"] = with_header(source, origin)
        if best is not None and about.spec.files:
            patch = _patch(population, text, about, source)
            files["best.patch"] = _comment(origin) + patch
    files[_RECORD] = json.dumps(_record(population, chosen, about, sorted(files)), indent=2) + "\n"
    for name in ("best.py", "best.patch", "nearest.py"):
        if name not in files:
            (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        write_file(folder / name, content.encode("utf-8", "surrogateescape"), sync=sync)
    return next((folder / name for name in ("best.patch", "best.py") if name in files), None)


def left_behind(folder: Path) -> bool:
    """Whether a run has handed over here, whatever became of its journal."""
    return (folder / _RECORD).is_file()


def with_header(source: str, lines: list[str]) -> str:
    """A source with a comment near its top, where it hides nothing that Python wants to read first."""
    first = _FIRST.match(source)
    at = first.end() if first is not None else 0
    return f"{source[:at]}{_BEGIN}{_FIXED}{_comment(lines)}{_END}{source[at:]}"


def without_header(source: str) -> str:
    """The source that `with_header` was given."""
    begin = source.find(_BEGIN + _FIXED)
    end = source.find(_END, begin)
    return source if begin < 0 or end < 0 else source[:begin] + source[end + len(_END) :]


def returned(source: str, population: Population) -> str | None:
    """What a person brings back, without our header, if it is no candidate of the run yet."""
    plain = without_header(source)
    blob = hashlib.sha256(plain.encode("utf-8", "surrogateescape")).hexdigest()
    return None if any(c.source == blob for c in population.candidates.values()) else plain


def ancestry(population: Population, candidate: Candidate) -> list[Candidate]:
    """A candidate and all that it was made from, the oldest first."""
    found: dict[str, Candidate] = {}
    todo = [candidate.name]
    while todo:
        name = todo.pop()
        if name not in found and name in population.candidates:
            found[name] = population.candidates[name]
            todo += found[name].move.parents
    return sorted(found.values(), key=lambda c: (c.move.round, c.move.lineage))


def _provenance(population: Population, candidate: Candidate, about: Description, guesses: Sequence[str]) -> list[str]:
    conditions = population.conditions
    verdict = _last(candidate)
    made = " <- ".join(c.name for c in reversed(ancestry(population, candidate)))
    rows = [
        ("run", f"{population.run}, GEAK {__version__}"),
        ("candidate", f"{made}, sha256 {candidate.source}"),
        ("written by", _writer(population, candidate)),
        ("spec", f"{about.name}, sha256 {conditions.spec_sha256}"),
    ]
    if conditions.drafted:
        rows.append(("", DRAFTED))
    rows += [("", f"a guess in the spec: {guess}") for guess in guesses]
    if verdict is None:
        rows.append(("verdict", f"NONE: {candidate.trouble or 'it has not been judged'}"))
    else:
        rows += [("verdict", f"{verdict.line()} (tier {verdict.tier.value})"), *(("", d) for d in candidate.details)]
    judge = ", ".join(f"{name} {said}" for name, said in population.judge.items())
    rows += [("judge", judge)] if judge else []
    return [f"{name:<11}{said}" for name, said in rows]


def _writer(population: Population, candidate: Candidate) -> str:
    conditions = population.conditions
    match candidate.move.kind:
        case "given":
            return f"given: {conditions.original}"
        case "tune":
            parent = population.candidates[candidate.move.parents[-1]]
            return f"the tuner, from {parent.name}, which was written by {_writer(population, parent)}"
        case kind:
            writer = conditions.models.get("seeder" if kind == "seed" else "generator")
            return writer.model if writer else "unknown"


def _comment(lines: list[str]) -> str:
    """Lines of plain ASCII, whatever coding the source is in, none of which ends the comment."""
    plain = ["".join(c if c.isprintable() else " " for c in line) for line in lines]
    safe = [line.encode("ascii", "backslashreplace").decode() for line in plain]
    wrapped = [part for line in safe for part in textwrap.wrap(line, 110, subsequent_indent=" " * 11)]
    return "".join(f"# {line}\n" for line in wrapped)


def _record(
    population: Population, candidate: Candidate | None, about: Description, files: list[str]
) -> dict[str, Any]:
    conditions, spec, account = population.conditions, about.spec, population.account
    verdict = _last(candidate) if candidate else None
    record: dict[str, Any] = {
        "version": VERSION,
        "geak": __version__,
        "run": population.run,
        "accepted": population.best is not None,
        "candidate": candidate and candidate.name,
        "why_not": "" if population.best else _why_not(candidate),
        "files": files,
        "source_sha256": candidate and candidate.source,
        "original": conditions.original,
        "spec": {
            "name": about.name,
            "path": conditions.spec_path,
            "sha256": conditions.spec_sha256,
            "entry": about.entry,
            "oracle": spec.oracle,
            "review": DRAFTED if conditions.drafted else "",
        },
        "targets": conditions.targets,
        "policy": conditions.policy,
        "domain": {
            "axes": spec.axes,
            "where": spec.where,
            "dtypes": spec.dtypes,
            "cases": _agreed(verdict),
            "hidden_cases": _agreed(verdict, hidden=True),
        },
        "verdict": candidate and candidate.verdict,
        "final": candidate and candidate.final,
        "judge": population.judge,
        "tuning": _tuning(population, candidate),
        "models": {role: model.model for role, model in conditions.models.items()},
        "lineage": [
            {"candidate": c.name, "kind": c.move.kind, "parents": c.move.parents, "change": c.change or c.plan}
            for c in (ancestry(population, candidate) if candidate else ())
        ],
        "spent": {
            "usd": None if account.unpriced else account.usd,
            "usd_of_lost_calls": account.lost_usd,
            "calls": account.calls,
            "calls_without_price": account.unpriced,
            "usage": account.usage,
        },
    }
    plain: dict[str, Any] = codec.to_json(record)
    return plain


def _tuning(population: Population, candidate: Candidate | None) -> dict[str, Any]:
    """The best configurations of this kernel's numbers, by target, and what their order rests on."""
    for one in reversed(population.candidates.values()):
        if candidate and one.tuning and (one is candidate or candidate.name in one.move.parents):
            ranked = {r.target: {"how": r.how, "best": r.feasible[:_KEPT]} for r in one.tuning.rankings}
            return {"by": one.name, "note": one.tuning.note, "targets": ranked}
    return {}


def _why_not(candidate: Candidate | None) -> str:
    if candidate is None:
        return "no candidate was written"
    verdict = _last(candidate)
    return verdict.line() if verdict else candidate.trouble or "it has not been judged"


def _last(candidate: Candidate) -> Verdict | None:
    return candidate.final or candidate.verdict


def _agreed(verdict: Verdict | None, *, hidden: bool = False) -> int:
    return sum(c.cause is None and (bool(c.hidden) or not hidden) for c in verdict.cases) if verdict else 0


def _patch(population: Population, text: Callable[[Blob], str], about: Description, source: str) -> str:
    """A unified diff of the project's file, to be applied in the project's folder."""
    conditions, name = population.conditions, about.spec.files[0]
    file = Path(conditions.spec_path).parent / about.spec.project / name
    given = population.given
    if given is not None and conditions.original and Path(conditions.original).resolve() == file.resolve():
        before: str | None = text(given.source)  # as it was; the patch may have been applied since
    elif file.is_file():
        before = file.read_bytes().decode("utf-8", "surrogateescape")
    else:
        before = None
    ending = "\t" * (" " in name)  # as git does, for a name with a space in it
    old = "/dev/null" if before is None else f"a/{name}{ending}"
    parts = difflib.unified_diff(_lines(before or ""), _lines(source), old, f"b/{name}{ending}")
    return "".join(p if p.endswith("\n") else f"{p}\n\\ No newline at end of file\n" for p in parts)


def _lines(text: str) -> list[str]:
    """As `patch` counts them: at line feeds and at nothing else."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
