"""One kernel file before one spec: from what is cheap to what is dear, up to what decides against it."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from geak_evaluator import source
from geak_evaluator.beyond import beyond, reach, tried
from geak_evaluator.candidate import Candidate
from geak_evaluator.choosing import Choice
from geak_evaluator.code import compiled, refusal
from geak_evaluator.estimating import estimates
from geak_evaluator.fitting import Configurations
from geak_evaluator.machine_code.compile import Compiler
from geak_evaluator.measure.lent import DeviceLost, Lent
from geak_evaluator.measuring import Measuring, Stopwatch, wanted
from geak_evaluator.oracle import Oracle, SpecProblem
from geak_evaluator.outcome import Captured, Ran
from geak_evaluator.proof import policy, values
from geak_evaluator.relay import Relay
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema import domain
from geak_evaluator.schema.estimate import Estimate
from geak_evaluator.schema.machine_code import Handed
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.timing import EVERYTHING, Extras, Timing
from geak_evaluator.schema.verdict import (
    INTERPRETER,
    UNDECIDABLE,
    CaseResult,
    Cause,
    Code,
    Policy,
    Status,
    Tier,
    Verdict,
)
from geak_evaluator.veiling import conflicts, told, unseen

HIDDEN_CASES = {Tier.GATE: 0, Tier.FULL: 4, Tier.FINAL: 12}
"""How many cases of a spec's domain are run that it does not show."""
FAR_CASES = {Tier.GATE: 0, Tier.FULL: 1, Tier.FINAL: 2}
"""How many more of them that lie far beyond what it shows."""

_INTERPRETED = "what its own tests call is interpreted: neither proved nor timed on the device here"
_RACES = "races not examined: programs were run one after another"


class Trial:
    """All that one verdict takes."""

    def __init__(
        self,
        box: Sandbox,
        limits: Limits,
        compiler: Compiler,
        oracle: Oracle,
        kernel: bytes,
        targets: tuple[str, ...],
        tier: Tier,
        policy: Policy,
        estimates: bool = True,
        stopwatch: Stopwatch | None = None,
        time: bool = False,
        original: tuple[bytes, str] | None = None,
        extras: Extras = EVERYTHING,
    ) -> None:
        """With a `stopwatch` whose device is the first target it is proved there, and with `time` timed.

        `original` is a kernel file and its entry, to be beaten besides the reference.
        """
        self._box, self._limits, self._compiler, self._oracle = box, limits, compiler, oracle
        self._kernel, self._targets, self._tier, self._policy = kernel, targets, tier, policy
        # What is timed is held against what the device could do, in the final tier too.
        self._estimated = estimates and (tier is Tier.FULL or (tier is Tier.FINAL and time))
        spec = self._spec = oracle.about.spec
        self._cases = Choice(spec, targets[0], HIDDEN_CASES[tier])
        tensors = (*spec.tensors.values(), *(leaf for _, leaf in domain.outputs(spec)))
        names = {choice for tensor in tensors for choice in spec.dtypes.get(tensor.dtype, (tensor.dtype,))}
        self._eight_bit = any(name.startswith("fp8") for name in names)
        self._ran: list[Ran] = []
        self._handed: list[Handed] = []
        self._code: dict[str, Code] = {}
        self._captured: dict[str, Captured] = {}
        self._configurations = Configurations(self._machine_code)
        self._unreached: tuple[str, ...] = ()
        self._stopwatch, self._time, self._original, self._extras = stopwatch, time, original, extras
        self._remarks: list[str] = []
        self._lent = self._device()

    def verdict(self) -> Verdict:
        """Runs all of the tier, or as much as decides, and says what came out."""
        fault = self._unreadable()
        if fault is not None:
            self._ran.append(fault)
        elif self._spec.oracle == "tests":
            self._ran.append(Relay(self._box, self._limits, self._oracle, self._kernel, self._targets[0]).run())
        else:
            self._candidate = self._on(self._targets[0])
            try:
                self._run()
                self._require_work()
            finally:
                self._candidate.close()
        return self._conclude()

    def _device(self) -> Lent | None:
        """The device that the first target is proved on, if it is that target, and works."""
        if self._stopwatch is None:
            return None
        if self._spec.oracle == "tests":
            self._remarks.append(_INTERPRETED)
            return None
        if why := self._stopwatch.why_not(self._targets[0]):
            text = "this verdict is the interpreter's, and nothing is timed"
            self._remarks.append(f"{why}; for {self._targets[0]} {text}")
            return None
        return self._stopwatch.lent

    def _run(self) -> None:
        first, *others = self._cases.in_order()
        stages: dict[str, Callable[[], Iterator[Ran]]] = {"gate": lambda: self._run_shown([first])}
        if self._tier is not Tier.GATE:
            stages |= {
                "other cases": lambda: self._run_shown(others),
                "configurations": self._run_configurations,
                "other values": self._run_values,
                "hidden cases": self._run_hidden,
                **({"bench cases": self._run_bench} if self._lent is not None else {}),
                "other targets": self._run_targets,
            }
        for number, stage in enumerate(stages.values()):
            for ran in stage():
                self._ran.append(ran)
                if _ends(ran.result):
                    break
            if any(_ends(ran.result) for ran in self._ran) or any(code.cause for code in self._code.values()):
                self._unreached = tuple(stages)[number + 1 :]
                break
        if self._targets[0] not in self._code and all(ran.result.cause in UNDECIDABLE for ran in self._ran[-1:]):
            self._compile()

    # -- stages --

    def _run_shown(self, cases: Sequence[Case]) -> Iterator[Ran]:
        for case in cases:
            ran = self._candidate.run(case, lower=True, idle=self._tier is not Tier.GATE)  # which does not ask
            ran = self._configurations.settled(self._candidate, ran)
            if ran.captured is not None:
                self._captured[str(case)] = ran.captured
            self._handed.append(ran.handed)
            if refused := refusal(ran.handed, eight_bit=self._eight_bit):
                text = f"does not compile for {self._targets[0]}: {refused.message}"
                ran = replace(ran, result=CaseResult(case, Cause.COMPILE_ERROR, text, refused.line))
            yield self._told(ran)
        code = self._compile()
        if code.cause is Cause.OUT_OF_RESOURCES:
            code = self._refit(cases)
        if code.cause not in (None, *UNDECIDABLE):
            text = f"does not compile for {code.target}: {code.message}"
            self._ran[-1] = replace(self._ran[-1], result=CaseResult(cases[-1], code.cause, text))

    def _compile(self) -> Code:
        target = self._targets[0]
        code = self._code[target] = self._machine_code(self._handed, target)
        return code

    def _machine_code(self, handed: Sequence[Handed], target: str) -> Code:
        return compiled(self._compiler, handed, target, eight_bit=self._eight_bit)

    def _refit(self, cases: Sequence[Case]) -> Code:
        """With other configurations of an autotuned kernel where the first asks for more than the target has."""
        place = len(self._ran) - len(cases)
        handed = self._handed[place:]
        shown = [self._captured.get(str(case)) for case in cases]
        for number, ran in self._configurations.refit(self._candidate, shown, handed).items():
            self._ran[place + number] = self._told(ran)
            if ran.captured is not None:
                self._captured[str(cases[number])] = ran.captured
        self._handed[place:] = handed
        return self._compile()

    def _run_configurations(self) -> Iterator[Ran]:
        """Each configuration that an autotuned kernel may pick; what came before was run with the first that fits."""
        yield from map(self._told, self._configurations.others(self._candidate, self._names(), self._cases.telling()))

    def _run_values(self) -> Iterator[Ran]:
        """On other values, in turn, the smallest cases."""
        for cases in self._cases.by_numbers():
            yield from map(self._told, self._varied(cases))

    def _varied(self, cases: Sequence[Case]) -> Iterator[Ran]:
        drawn = [list(values.variations(self._spec, case)) for case in cases]
        for number in range(max(map(len, drawn))):
            case, choices = cases[number % len(cases)], drawn[number % len(cases)]
            if number < len(choices):
                ran = self._candidate.vary(case, choices[number], self._captured.get(str(case)))
                if ran is not None:
                    yield ran

    def _run_hidden(self) -> Iterator[Ran]:
        first = map(self._candidate.run, self._cases.hidden)
        others = self._configurations.unseen(self._candidate, self._names(), self._cases.ragged())
        with self._candidate.unexplained():
            yield from map(self._unseen, itertools.chain(first, others, self._run_far()))

    def _run_far(self) -> Iterator[Ran]:
        """Cases far beyond the shown ones, with each configuration that may be picked there."""
        candidate, names = self._candidate, self._names()
        for ran in beyond(candidate, self._spec, FAR_CASES[self._tier], random.SystemRandom()):
            yield ran
            if ran.result.cause is None:
                again = functools.partial(tried, candidate, ran.result.case)
                yield from self._configurations.far(candidate, names, ran, again)

    def _run_bench(self) -> Iterator[Ran]:
        """At the sizes that are timed, on the device alone; one that does not fit says nothing of the kernel."""
        for case in wanted(self._spec, self._cases.shown, self._targets[0]) if self._spec.bench else ():
            try:
                ran = self._candidate.run(case, interpreted=False)
            except (SpecProblem, DeviceLost) as error:
                self._remarks.append(f"not proved at [{case}]: {error}")
                continue
            if ran.result.cause is Cause.TOO_BIG_HERE:
                self._remarks.append(f"not proved at [{case}]: {ran.result.message}")
            else:
                yield self._told(ran)

    def _run_targets(self) -> Iterator[Ran]:
        """What the others add; an original kernel that fails on one of them says nothing of a candidate there."""
        for target in self._targets[1:]:
            try:
                yield from self._run_target(target)
            except SpecProblem as error:
                if self._spec.oracle != "peer":
                    raise
                self._code[target] = Code(target, cause=Cause.UNSUPPORTED, message=str(error))

    def _run_target(self, target: str) -> Iterator[Ran]:
        """The gate, a hidden case and whatever is launched otherwise there, and the machine code of all cases."""
        candidate = self._on(target)
        known = list(self._captured.values())
        rans = {0: candidate.run(known[0].case, lower=True)}
        captured, handed = [rans[0].captured], [rans[0].handed]
        for number, one in enumerate(known[1:] if rans[0].result.cause is None else (), 1):
            found = candidate.capture(one.case)
            if isinstance(found, Captured) and found.plan == one.plan:
                ran = candidate.lower(found)  # the same launches have been proved
            else:
                ran = rans[number] = candidate.run(one.case, lower=True)
            captured.append(found if isinstance(found, Captured) else None)
            handed.append(ran.handed)
        code = self._machine_code(handed, target)
        if code.cause is Cause.OUT_OF_RESOURCES:
            again = self._configurations.refit(candidate, captured, handed)
            rans = {number: again.get(number, ran) for number, ran in rans.items()}
            code = self._machine_code(handed, target)
        self._code[target] = code
        for ran in rans.values():
            if code.cause is None or ran.result.cause not in (None, *UNDECIDABLE):
                yield self._told(replace(ran, result=replace(ran.result, target=target)))
        yield from map(self._told, self._configurations.elsewhere(candidate, self._cases.telling()[0]))
        for case in self._cases.one_hidden():
            with candidate.unexplained():
                yield self._unseen(candidate.run(case), target)

    def _require_work(self) -> None:
        """Refuses kernels that change nothing: at one size, or before one mask, doing nothing may be right."""
        decided = any(ran.result.cause is not None for ran in self._ran)
        if (idle := self._candidate.idle) is not None and 2 * idle.wrong <= idle.elements:
            share = 100 * (idle.elements - idle.wrong) // idle.elements
            which = f"output {idle.output}" if isinstance(self._spec.outputs, dict) else "the output"
            self._remarks.append(f"{share}% of {which} is right before any launch, by fills and copies alone")
        if decided or self._tier is Tier.GATE or self._policy is Policy.OPEN or self._candidate.needed is not False:
            return
        text = "its kernels do no work: the constants and copies of its plan alone give the same result"
        self._ran[0] = self._told(replace(self._ran[0], result=CaseResult(self._cases.shown[0], Cause.NO_KERNEL, text)))

    # -- helpers --

    def _told(self, ran: Ran) -> Ran:
        return told(ran, self._tier)

    def _unseen(self, ran: Ran, target: str = "") -> Ran:
        return unseen(ran, self._spec, target)

    def _estimates(self) -> tuple[Estimate, ...]:
        if not self._estimated:
            return ()
        targets = [target for target, code in self._code.items() if code.kernels]
        launched = {(step.module, step.kernel) for captured in self._proved() for step in captured.plan.launches}
        cases = self._cases
        return estimates(self._spec, cases.shown, targets, self._on, self._compiler, cases.size, launched)

    def _proved(self) -> list[Captured]:
        """All cases that were right, hidden ones too."""
        return [ran.captured for ran in self._ran if ran.captured is not None and ran.result.cause is None]

    def _reach(self) -> Iterator[str]:
        proved = [captured.case for captured in self._proved()]
        if self._lent is None and self._tier is not Tier.GATE:
            yield from reach(self._spec, proved, self._cases.size)

    def _timings(self, estimates: Sequence[Estimate]) -> tuple[Timing, ...]:
        if self._lent is None or self._stopwatch is None or not self._time or self._tier is Tier.GATE:
            return ()
        target = self._targets[0]
        beaten = None
        if self._original is not None:
            source, entry = self._original
            # Whatever its author did: it is only to be beaten, and says nothing of a policy.
            beaten = Candidate(self._box, self._limits, self._oracle, source, target, Policy.OPEN, entry=entry)
        measuring = Measuring(self._stopwatch, self._oracle, self._candidate, beaten, estimates, self._extras)
        timings = measuring.timings(wanted(self._spec, self._cases.shown, target))
        self._remarks += measuring.remarks
        return timings

    def _on(self, target: str) -> Candidate:
        lent = self._lent if target == self._targets[0] else None
        candidate = Candidate(self._box, self._limits, self._oracle, self._kernel, target, self._policy, lent)
        candidate.begin_with(self._configurations.first.get(target, 0))
        candidate.explain = self._tier is not Tier.FINAL  # of which nothing is told but classes
        return candidate

    def _names(self) -> tuple[str, ...]:
        """The configurations of an autotuned kernel."""
        return max((one.configurations for one in self._captured.values()), key=len, default=())

    def _unreadable(self) -> Ran | None:
        try:
            source.check(self._kernel, "the kernel file", "a kernel")
        except source.SourceError as error:
            cause = Cause.TOO_LARGE if len(self._kernel) > source.LIMIT else Cause.NOT_PYTHON
            return Ran(CaseResult(self._cases.shown[0], cause, str(error)))
        return None

    def _conclude(self) -> Verdict:
        results = [ran.result for ran in self._ran]
        codes = [self._code[target] for target in self._targets if target in self._code]
        # Of the other targets only a refusal counts: a target that lacks a number format is no fault of a kernel's.
        against = [code.cause for code in codes if code is codes[0] or code.cause not in UNDECIDABLE]
        causes = {cause for cause in (*against, *(result.cause for result in results)) if cause is not None}
        plans = [captured.plan for captured in self._captured.values()]
        library = {step.operation: None for plan in plans for step in plan.library}
        estimates = self._estimates() if not causes - UNDECIDABLE and codes else ()
        timings = self._timings(estimates) if not causes and codes else ()
        of_first = [result.how for result in results if not result.target]
        native = bool(of_first) and INTERPRETER not in of_first
        on_device = any(result.how != INTERPRETER for result in results)
        planned = len(self._cases.shown) + len(self._cases.hidden)
        more = sum(bool(result.values or result.configuration or result.target) for result in results)
        return Verdict(
            name=self._oracle.file.name,
            status=Status.ACCEPTED if not causes else Status.UNDECIDED if causes <= UNDECIDABLE else Status.REJECTED,
            how=of_first[0] if native else INTERPRETER,
            target=self._targets[0],
            oracle=self._spec.oracle,
            sandbox=self._box.level.value,
            cases=tuple(results),
            asked=len(results) if not causes else max(len(results), planned + more),
            log=next((ran.log for ran in self._ran if ran.log), ""),
            tier=self._tier,
            policy=self._policy,
            code=tuple(codes),
            share=max(map(policy.share, plans), default=0.0),
            library=tuple(library),
            unreached=self._unreached,
            estimates=estimates,
            notes=(
                *self._remarks,
                *conflicts(self._ran),
                *(self._reach() if not causes else ()),
                *[_RACES] * (not causes),
            ),
            timings=timings,
            device=self._lent.known if self._lent is not None and (timings or on_device) else None,
        )


def _ends(result: CaseResult) -> bool:
    """Whether nothing else can matter: what is too big here says nothing of the other cases."""
    return result.cause not in (None, Cause.TOO_BIG_HERE)
