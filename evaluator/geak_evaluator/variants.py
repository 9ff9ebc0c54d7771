"""One kernel file under other configurations: recorded and compiled, which is cheap, or proved."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import log2

from geak_evaluator.code import compiled
from geak_evaluator.estimating import tiles, timed
from geak_evaluator.judge import Judge
from geak_evaluator.oracle import Answer, Oracle, SpecProblem, TooBig
from geak_evaluator.outcome import Ran
from geak_evaluator.proof import numbers
from geak_evaluator.racing import Out, Races
from geak_evaluator.schema.machine_code import Handed
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.tuning import MICROSECONDS, SPILLS, Configuration
from geak_evaluator.schema.verdict import UNDECIDABLE, CaseResult, Cause, Policy, Tier, Verdict
from geak_evaluator.tracing import Traced, Untraced
from geak_evaluator.tune import order
from geak_evaluator.tune.cases import ordinary, shown, wider
from geak_evaluator.tune.knobs import Space, Values
from geak_evaluator.tune.search import Key
from geak_evaluator.tune.writing import written

_COMPILE_S = 20.0
"""A configuration that takes longer to compile is none that anybody wants."""


class Variants:
    """What is known of a file's configurations, by target; each is compiled once, and timed where there is a device."""

    def __init__(
        self,
        judge: Judge,
        oracle: Oracle,
        space: Space,
        targets: Sequence[str],
        policy: Policy,
        races: Mapping[str, Races] | None = None,
    ) -> None:
        """On the first of the targets the file is known to be right; those with a device have `races`."""
        self._races = dict(races or {})
        self._judge, self._oracle, self._space, self._policy = judge, oracle, space, policy
        self._compiler = judge.compiler(_COMPILE_S)
        self._known = _Remembered(oracle)
        self._dot = any(knob.dot for knob in space.knobs.values())
        self._present_spills: dict[str, set[str]] = {}
        self._found: dict[tuple[str, bytes], Configuration] = {}
        self._timed = next(iter(timed(oracle.about.spec)), None) if self._dot else None
        self._traced: dict[bytes, Traced] = {}
        self._us: dict[tuple[str, bytes], float] = {}
        self._case = self._settled(targets)
        found = wider(oracle.about.spec, self._case, targets[0])
        self._wider = tuple(case for case in found if self._known.prepared(judge, case, targets))

    def keys(self, batch: Sequence[Values], target: str) -> list[Key]:
        """A figure for each configuration: what is smaller is better. NoRace where it cannot be timed after all."""
        sources = {written(self._space, values, target): values for values in batch}
        lowered: dict[bytes, Ran | list[Handed]] = {}
        for data in sources:
            if (target, data) not in self._found:
                lowered[data] = self._lowered(data, target)
        # All at once first, so that every processor has something to compile; one by one they are looked up then.
        together = [one for found in lowered.values() if isinstance(found, list) for one in found]
        if together:
            compiled(self._compiler, together, target, eight_bit=False)
        for data, found in lowered.items():
            made = self._figured(found, sources[data], target)
            if not made.cause and target in self._races:
                made = self._raced(made, data, self._races[target])
            self._found[target, data] = made
            if not made.cause and target not in self._races and isinstance(found, list):
                self._play(data, found[0], target)
        return [self._key(values, target) for values in batch]

    def untimed(self, target: str) -> None:
        """From now on a target is one without a device, and nothing that was timed counts."""
        del self._races[target]
        self._found = {key: one for key, one in self._found.items() if key[0] != target}

    def of(self, values: Values, target: str) -> Configuration:
        """What is known of one."""
        if (target, written(self._space, values, target)) not in self._found:
            self.keys([values], target)
        return replace(self._found[target, written(self._space, values, target)], values=values)

    def gate(self, data: bytes, target: str) -> Verdict:
        """The gate's verdict on a text of the file."""
        return gate(self._judge, self._oracle, data, target, self._policy)

    def spills_anew(self, values: Values, target: str) -> str:
        """A case that the spec shows in which a configuration spills and the present one does not."""
        if values == self._space.present:
            return ""
        if target not in self._present_spills:
            self._present_spills[target] = self._spills(self._space.present, target)
        return next(iter(self._spills(values, target) - self._present_spills[target]), "")

    def _settled(self, targets: Sequence[str]) -> Case:
        """The first of the cases to compile for in which this kernel can be recorded."""
        cases = list(ordinary(self._oracle.about.spec, targets[0]))
        for case in cases[:-1]:
            if self._known.prepared(self._judge, case, targets):
                candidate = self._judge.candidate(self._known, self._space.source.data, targets[0], self._policy)
                if not isinstance(candidate.capture(case), Ran):
                    return case
        return cases[-1]

    def _lowered(self, data: bytes, target: str) -> Ran | list[Handed]:
        candidate = self._judge.candidate(self._known, data, target, self._policy)
        found = []
        for case in (self._case, *self._wider):
            captured = candidate.capture(case)
            ran = captured if isinstance(captured, Ran) else candidate.lower(captured)
            if ran.result.cause is not None:
                return ran
            found.append(ran.handed)
        return found

    def _figured(self, found: Ran | list[Handed], values: Values, target: str) -> Configuration:
        if isinstance(found, Ran):
            return _out(values, found.result)
        code = compiled(self._compiler, found[:1], target, eight_bit=True)
        others = [compiled(self._compiler, [one], target, eight_bit=True) for one in found[1:]]
        code = next((one for one in others if one.cause not in (None, *UNDECIDABLE)), code)
        if code.cause is not None:
            return Configuration(values, cause=code.cause.value, message=_first(code.message))
        if not code.kernels:
            return Configuration(values, cause=Cause.NO_KERNEL.value, message="it launches no kernel in this case")
        told = order.figures(code.kernels, order.reuse(self._space, values))
        if told["spills"] or any(order.spilled(one) for other in others for one in other.kernels):
            where = "" if told["spills"] else f" in case {self._wider[0]}"
            return Configuration(values, told, SPILLS, f"registers are spilled to memory{where}")
        return Configuration(values, told)

    def _raced(self, one: Configuration, data: bytes, races: Races) -> Configuration:
        try:
            return replace(one, figures={**one.figures, MICROSECONDS: races.alone(data)})
        except Out as error:
            return replace(one, cause=error.cause, message=_first(str(error)))

    def _play(self, data: bytes, handed: Handed, target: str) -> None:
        """What the tiles of a product make of the case that is timed; nothing is known where it is not counted.

        Of published winners this order puts more first than the compiler's figures do (docs/tune.md).
        """
        if self._timed is None:
            return
        before = self._traced.get(data)
        known = [(before.plan, before.replayed)] if before else []
        candidate = self._judge.candidate(self._oracle, data, target, self._policy)
        try:
            traced = self._traced[data] = candidate.trace(self._timed, known, ())
        except (TooBig, Untraced, SpecProblem):
            if not self._us:
                self._timed = None  # it will not fare better with others
            return
        codes = compiled(self._compiler, [handed], target, eight_bit=True).kernels
        if us := tiles(target, self._timed, traced, codes):
            self._us[target, data] = us

    def _key(self, values: Values, target: str) -> Key:
        one = self.of(values, target)
        far = order.distance(self._space, values)
        if one.cause:
            return (1.0, far, 0.0)
        if target in self._races:
            return (0.0, one.figures[MICROSECONDS], far)
        present, us = (self._us.get((target, written(self._space, v, target))) for v in (self._space.present, values))
        if present is None:  # the file as it stands comes first of all
            return (0.0, order.badness(one.figures, dot=self._dot), far)
        return (0.0, round(log2(us), 1), far) if us else (0.5, far, 0.0)

    def _spills(self, values: Values, target: str) -> set[str]:
        """The cases that the spec shows in which a configuration spills or does not compile: sizes differ in that."""
        candidate = self._judge.candidate(self._known, written(self._space, values, target), target, self._policy)
        found = {}
        for case in shown(self._oracle.about.spec, target):
            captured = candidate.capture(case)
            ran = captured if isinstance(captured, Ran) else candidate.lower(captured)
            if ran.result.cause is None:
                found[str(case)] = ran.handed
        compiled(self._compiler, tuple(found.values()), target, eight_bit=True)
        codes = {case: compiled(self._compiler, [one], target, eight_bit=True) for case, one in found.items()}
        return {
            case
            for case, code in codes.items()
            if code.cause not in (None, *UNDECIDABLE) or any(map(order.spilled, code.kernels))
        }


class _Remembered(Oracle):
    """A spec whose answers are given once: what is only compiled needs no fresh values."""

    def __init__(self, oracle: Oracle) -> None:
        self.about, self.file = oracle.about, oracle.file
        self._ask = oracle.case
        self._answers: dict[tuple[str, str, int], Answer] = {}

    def prepared(self, judge: Judge, case: Case, targets: Sequence[str]) -> bool:
        """Whether a spec answers for a case that it may not show; asked of a child that nobody else relies on."""
        with contextlib.suppress(SpecProblem, TooBig), judge.oracle(self.file) as own:
            for target in targets:
                self._answers[self._key(case, target)] = own.case(case, target)
            return True
        return False

    def case(
        self,
        case: Case,
        target: str,
        *,
        seed: int | None = None,
        fills: dict[str, str] | None = None,
        examine: bool = False,
        native: bool = False,
        like: Answer | None = None,
        patient: bool = False,
        poison: int = numbers.POISON,
    ) -> Answer:
        """The inputs of a case, the same every time."""
        key = self._key(case, target, poison)
        if key not in self._answers:
            self._answers[key] = self._ask(case, target, poison=poison)
        return self._answers[key]

    def _key(self, case: Case, target: str, poison: int = numbers.POISON) -> tuple[str, str, int]:
        """Of an answer: an original kernel's holds what memory held before it."""
        return str(case), target, poison if self.about.spec.oracle == "peer" else numbers.POISON


def gate(judge: Judge, oracle: Oracle, data: bytes, target: str, policy: Policy) -> Verdict:
    """The gate's verdict on a kernel file, before a spec that is open already."""
    return judge.trial(oracle, data, (target,), Tier.GATE, policy).verdict()


def _out(values: Values, result: CaseResult) -> Configuration:
    assert result.cause is not None
    return Configuration(values, cause=result.cause.value, message=_first(result.message))


def _first(message: str) -> str:
    return next((line.strip() for line in message.splitlines() if line.strip()), "")[:300]
