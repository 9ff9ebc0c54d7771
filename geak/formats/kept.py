"""What was found out about a prepared task, beside its spec: it is found out once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from geak.files import text
from geak.formats.base import Listed
from geak.journal.store import write
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema import codec
from geak_evaluator.schema.findings import Findings


@dataclass(frozen=True)
class Found:
    """Of one text of a spec."""

    sha256: str
    findings: Findings
    single_shape: bool = False


def keep(spec: Path, source: str, listed: Listed, findings: Findings, *, single_shape: bool = False) -> Task:
    """Writes a spec that was tried, and what is known of it."""
    write(spec, source.encode())
    found = Found(_sha256(spec), findings, single_shape)
    write(_beside(spec), codec.dumps(found).encode())
    return _task(spec, listed, found)


async def kept(spec: Path, listed: Listed, judges: Judges) -> Task:
    """The task of a spec that is there; lint looks at it anew where somebody changed it."""
    try:
        found = codec.from_json(Found, codec.loads(_beside(spec).read_text("utf-8")))
    except (OSError, UnicodeDecodeError, codec.WireError):
        found = None
    if found is None or found.sha256 != _sha256(spec):
        found = Found(_sha256(spec), await judges.lint(spec), found.single_shape if found else False)
        write(_beside(spec), codec.dumps(found).encode())
    return _task(spec, listed, found)


def _task(spec: Path, listed: Listed, found: Found) -> Task:
    return Task(spec, policy=listed.policy, single_shape=found.single_shape, findings=found.findings)


def _beside(spec: Path) -> Path:
    return spec.with_suffix(".lint.json")


def _sha256(spec: Path) -> str:
    return hashlib.sha256(text(spec).encode("utf-8", "surrogateescape")).hexdigest()
