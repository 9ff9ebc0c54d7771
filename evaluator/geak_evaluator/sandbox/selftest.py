"""The start-up self-test: a child that tries what must not work; a level is what it could not do, not what was set."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geak_evaluator.sandbox.policy import Level, Limits
from geak_evaluator.schema import codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from geak_evaluator.sandbox.child import Child

_ROLE = "geak_evaluator.sandbox.probe"


SHARED_TEMP = ("/tmp", "/var/tmp", "/dev/shm")


@dataclass(frozen=True)
class Report:
    """What the self-test found on this machine."""

    level: Level
    leaks: tuple[str, ...] = ()
    """What the probe could do and must not."""
    broken: tuple[str, ...] = ()
    """What it could not do and should."""


@dataclass(frozen=True)
class Findings:
    """The probe's own account; the probe is ours, and runs before anything foreign does."""

    leaks: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


def examine(spawn: Callable[..., Child], root: str, *, namespaces: bool) -> Report:
    """Forks the probe and judges what it reports, checking for effects from outside as well."""
    token = secrets.token_hex(16)
    private = Path(root) / f"self-test-{token[:8]}"
    private.mkdir(mode=0o700)
    secret = private / "secret"
    secret.write_text(token)
    secret.chmod(0o600)
    # In namespaces our number means another process, perhaps the probe itself.
    job = {"secret": str(secret), "folder": str(private), "judge": 0 if namespaces else os.getpid(), "token": token}
    leaks = []
    try:
        with spawn(_ROLE, job, limits=Limits(wall_s=10)) as child:
            reply = child.ask()
            # A private copy of a shared folder is as good as none: only what shows out here counts.
            leaks += [f"{place} can be written" for place in SHARED_TEMP if os.path.lexists(f"{place}/{token}")]
            child.ask()
            log = child.log
        if not reply.ok:
            return Report(Level.BASE, (), (f"the probe did not answer ({reply.fault}): {log[-300:]}",))
        found = codec.from_json(Findings, codec.loads(reply.body))
        leaks += found.leaks
        if sorted(os.listdir(private)) != ["secret"]:
            leaks.append("a foreign folder can be written")
    finally:
        for entry in private.iterdir():
            entry.unlink()
        private.rmdir()
    if leaks or found.broken:
        return Report(Level.BASE, tuple(dict.fromkeys(leaks)), found.broken)
    return Report(Level.ISOLATED if namespaces else Level.CONFINED)
