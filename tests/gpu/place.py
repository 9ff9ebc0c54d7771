"""A device, and all that proving and timing on it takes, in one process that needs no test framework."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from geak_evaluator.judge import Judge
from geak_evaluator.measure import present
from geak_evaluator.measure.lent import Lent
from geak_evaluator.measure.rules import Rules
from geak_evaluator.measuring import Measuring, Stopwatch, wanted
from geak_evaluator.oracle import Answer, Oracle, SpecFile
from geak_evaluator.racing import Races
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import GIB, Limits
from geak_evaluator.schema import domain
from geak_evaluator.schema.measuring import Metal
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.timing import Extras, Timing
from geak_evaluator.schema.verdict import Policy

SPACIOUS = Limits(120, memory=max(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2, 32 * GIB))
"""For references at sizes that fill a device, in float64; a virtual machine's memory may grow as it is used."""
BARE = Extras(references=(), calls=False, energy=False, counters=False)
"""A kernel's own time, and nothing besides."""


class Missed(Exception):
    """A device did not show what it was to show; the message says what it showed."""


class Sparing(Oracle):
    """A spec whose cases are drawn so often and then again: each draw costs a reference on the host.

    Not in the reference's own formats either, which a host without half precision takes minutes for.
    """

    draws = 1

    def __enter__(self) -> Sparing:
        self._kept: dict[tuple[str, str], list[Answer]] = {}
        super().__enter__()
        return self

    def case(self, case: Case, target: str, **asked: Any) -> Answer:
        """A draw of it, in turn with the others."""
        kept = self._kept.setdefault((str(case), target), [])
        kept.append(super().case(case, target, patient=True) if len(kept) < self.draws else kept.pop(0))
        return kept[-1]


class Place:
    """One device, with a clock on it and a judge that proves there; a context manager."""

    def __init__(self, box: Sandbox, metal: Metal, seconds: float = 10.0) -> None:
        self.box, self.lent = box, Lent(box, metal, Limits(120))
        self.watch = Stopwatch(self.lent, Rules(seconds=seconds))
        self.judge = Judge(box, limits=Limits(120), stopwatch=self.watch)
        self.remarks: tuple[str, ...] = ()
        """What should be known besides of what was timed last."""
        self._open = contextlib.ExitStack()
        self._spec: tuple[SpecFile, int] | None = None

    @classmethod
    def of(cls, box: Sandbox, device: str = "", seconds: float = 10.0) -> Place | None:
        """The first device that this user's variables leave, or a simulated one by its name; None where none is."""
        metal = present.simulated(device) if device else present.first()
        return cls(box, metal, seconds) if metal is not None else None

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def name(self) -> str:
        """The device's, by its own driver."""
        return self.lent.identity.name

    @property
    def target(self) -> str:
        """The described target that it is."""
        return self.lent.identity.target

    def timed(self, file: SpecFile, kernel: bytes, original: bytes = b"", **asked: Any) -> Timing:
        """One kernel at the first size that its spec wants timed, without the proof of a whole verdict.

        `asked` may hold `extras`, and `draws` of values: 2 where a kernel may cheat. With an `original` it is timed
        beside that.
        """
        draws, extras = asked.get("draws", 1), asked.get("extras", BARE)
        oracle = self._oracle(file, draws)
        spec = oracle.about.spec
        mine = self.judge.candidate(oracle, kernel, self.target, Policy.PURE)
        other = self.judge.candidate(oracle, original, self.target, Policy.PURE) if original else None
        watch = replace(self.watch, rules=replace(self.watch.rules, pools=draws))
        cases = wanted(spec, domain.expand(spec, spec.cases), self.target)[:1]
        measuring = Measuring(watch, oracle, mine, other, extras=extras)
        timings = measuring.timings(cases)
        self.remarks = tuple(measuring.remarks)
        return timings[0]  # the original is the first

    def races(self, file: SpecFile) -> Races:
        """Configurations of its kernel, each proved at a size that is timed, and timed alone."""
        return Races(self.judge, self.watch, self._oracle(file, 1), self.target, Policy.PURE)

    def _oracle(self, file: SpecFile, draws: int) -> Sparing:
        """The spec that was asked for last stays open, with what it has drawn."""
        if self._spec != (file, draws):
            self._open.close()
            self._spec = None
            made = Sparing(self.box, file, SPACIOUS)
            made.draws = draws
            self._kept, self._spec = self._open.enter_context(made), (file, draws)
        return self._kept


def starter(name: str, folder: Path) -> tuple[SpecFile, bytes]:
    """A spec of a folder, and the kernel for it."""
    return SpecFile.read(folder / f"{name}.py"), (folder / "kernels" / f"{name}.py").read_bytes()
