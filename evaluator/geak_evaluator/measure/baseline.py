"""What a candidate is measured against, and what each took alone: kept by device and versions, never assumed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geak_evaluator.schema.measuring import Identity
from geak_evaluator.schema.spec import Case, Spec

ORIGINAL = "original"
TORCH = ("eager", "compile", "max-autotune")
LIBRARY = "library"

_VERSION = 1


def names(spec: Spec, *, original: bool, library: bool) -> tuple[str, ...]:
    """The baselines that there are for a spec."""
    of_reference = (*TORCH, *[LIBRARY] * library) if spec.oracle not in ("peer", "tests") else ()
    return (*[ORIGINAL] * original, *of_reference)


@dataclass
class Book:
    """Solo times of references in microseconds; an entry of 0 says that it cannot be run at all."""

    folder: Path | None = None
    _known: dict[str, float] = field(default_factory=dict)

    def get(self, key: str) -> float | None:
        """What was measured before under the very same conditions."""
        if key not in self._known and self.folder is not None:
            with contextlib.suppress(OSError, ValueError, TypeError):
                known = float(json.loads((self.folder / key).read_text())["us"])
                if known > 0:
                    self._known[key] = known
        return self._known.get(key)

    def put(self, key: str, us: float, about: dict[str, str]) -> None:
        """Keeps a figure, whole or not at all; that it does not run is remembered by this process alone.

        A process that was killed, or a compiler that was too slow this once, must not take a baseline away for good.
        """
        self._known[key] = us
        if self.folder is None or us <= 0:
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            half = self.folder / f"{key}.{os.getpid()}"
            half.write_text(json.dumps({"us": us, **about}))
            half.rename(self.folder / key)


def key(spec: bytes, case: Case, name: str, identity: Identity) -> str:
    """All that a reference's time may hang on."""
    parts = (spec.hex(), str(case), name, identity.uuid, identity.name, json.dumps(identity.versions, sort_keys=True))
    return hashlib.sha256("\0".join((str(_VERSION), *parts)).encode()).hexdigest()[:40]


def hardest(times: dict[str, float]) -> str:
    """The fastest of those that run; nothing where none does."""
    running = {name: us for name, us in times.items() if us > 0}
    return min(running, key=lambda name: running[name], default="")


def chosen(available: Sequence[str], times: dict[str, float]) -> tuple[str, ...]:
    """What a candidate is timed beside: the original, and the fastest reference."""
    best = hardest(times)
    return tuple(dict.fromkeys([*[ORIGINAL] * (ORIGINAL in available), *[best] * bool(best)]))
