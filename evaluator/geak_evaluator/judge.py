"""The judge: describes specs, and says a verdict on kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from geak_evaluator.candidate import Candidate
from geak_evaluator.machine_code.cache import Kept, Store
from geak_evaluator.machine_code.compile import Compiler
from geak_evaluator.measure.lent import DeviceLost
from geak_evaluator.measuring import Stopwatch
from geak_evaluator.oracle import Oracle, SpecFile
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema.device import Launched
from geak_evaluator.schema.spec import UNREVIEWED, Description
from geak_evaluator.schema.target import find
from geak_evaluator.schema.timing import EVERYTHING, Extras
from geak_evaluator.schema.verdict import DRAFTED, Policy, Tier, Verdict
from geak_evaluator.trial import Trial

_PATIENCE_S = 20.0
"""How long a person who asks whether a device works waits for another who has it."""


class Judge:
    """Describes specs and judges kernels, inside one sandbox; machine code is looked up in a cache of its own."""

    def __init__(
        self,
        box: Sandbox,
        *,
        limits: Limits | None = None,
        cache: Store | None = None,
        estimates: bool = True,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        """With a `stopwatch`, kernels for its device's target are proved there, and timed where that is asked for."""
        self._box, self._limits, self._estimates = box, limits or Limits(), estimates
        self._stopwatch = stopwatch
        self._compiler = Compiler(box, cache or Kept())

    @property
    def box(self) -> Sandbox:
        """Where it runs what is not its own."""
        return self._box

    def oracle(self, file: SpecFile) -> Oracle:
        """A spec, ready to answer for its cases; a context manager."""
        return Oracle(self._box, file, self._limits)

    def describe(self, file: SpecFile) -> Description:
        """What a spec declares, found out in a confined child."""
        with self.oracle(file) as oracle:
            return oracle.about

    def evaluate(
        self,
        file: SpecFile,
        kernel: bytes,
        *,
        targets: Sequence[str] = ("gfx942",),
        tier: Tier = Tier.FULL,
        policy: Policy = Policy.PURE,
        time: bool = False,
        original: bytes = b"",
        seconds: float = 0.0,
        extras: Extras = EVERYTHING,
    ) -> Verdict:
        """The verdict on one kernel file; what decides against it ends the work.

        With `time` it is measured as well, if it is accepted and there is a device that is the first target: beside
        the reference, and the `original` kernel file; `extras` says with what besides.
        """
        names = tuple(dict.fromkeys(find(target).name for target in targets))
        with self.oracle(file) as oracle:
            watch = self._stopwatch
            if watch is not None and seconds:
                watch = replace(watch, rules=replace(watch.rules, seconds=seconds))
            trial = Trial(
                self._box,
                self._limits,
                self._compiler,
                oracle,
                kernel,
                names,
                tier,
                policy,
                self._estimates,
                watch,
                time,
                _original(oracle, original),
                extras,
            )
            verdict = trial.verdict()
        if file.data.lstrip().startswith(UNREVIEWED.encode()):
            return replace(verdict, notes=(DRAFTED, *verdict.notes))
        return verdict

    def trial(self, oracle: Oracle, kernel: bytes, targets: tuple[str, ...], tier: Tier, policy: Policy) -> Trial:
        """All that one verdict takes, before a spec that is open already."""
        return Trial(self._box, self._limits, self._compiler, oracle, kernel, targets, tier, policy, self._estimates)

    @property
    def measures(self) -> bool:
        """Whether it was given a device."""
        return self._stopwatch is not None

    @property
    def stopwatch(self) -> Stopwatch | None:
        """Its device, and how to time on it."""
        return self._stopwatch

    def launched(self) -> Launched:
        """What a real launch on its device comes to, in a child like all others there."""
        if self._stopwatch is None:
            return Launched(trouble="there is no device here that could be launched on")
        lent = self._stopwatch.lent
        try:
            with lent.leased(_PATIENCE_S):
                return Launched(lent.identity.name, widened=lent.widened)
        except DeviceLost as error:
            return Launched(trouble=str(error))

    def candidate(self, oracle: Oracle, kernel: bytes, target: str, policy: Policy) -> Candidate:
        """One kernel file on one target, to be recorded and lowered without a verdict."""
        return Candidate(self._box, self._limits, oracle, kernel, target, policy)

    def compiler(self, wall_s: float) -> Compiler:
        """A compiler that gives up on one kernel after so long; it shares this judge's cache."""
        return self._compiler.hasty(wall_s)


def _original(oracle: Oracle, source: bytes) -> tuple[bytes, str] | None:
    """The kernel that is to be beaten, and its entry: the one that was given, or the one that is the oracle."""
    if source:
        return source, ""
    if oracle.about.spec.oracle != "peer":
        return None
    name, _, entry = oracle.about.spec.peer.partition(":")
    return oracle.file.beside(name, "peer").read_bytes(), entry
