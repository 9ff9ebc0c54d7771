"""The configurations of an autotuned kernel: which a target can launch, and whether each is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from geak_evaluator.candidate import Candidate
from geak_evaluator.outcome import Captured, Ran
from geak_evaluator.schema.exchange import FIRST_CALL
from geak_evaluator.schema.machine_code import Handed, Why
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.verdict import Cause, Code

MachineCode = Callable[[Sequence[Handed], str], Code]


class Configurations:
    """Of one kernel file: what each target begins with, and what it passes over."""

    def __init__(self, machine_code: MachineCode) -> None:
        self._machine_code = machine_code
        self.first: dict[str, int] = {}
        """The number of the configuration that a target begins with, where the first asks for more than it has."""
        self._passed_over: dict[int, str] = {}

    def settled(self, candidate: Candidate, ran: Ran) -> Ran:
        """A case, run again if it went wrong under a configuration that no autotuner would have picked."""
        if ran.result.cause is None or ran.captured is None or not ran.captured.configurations:
            return ran
        if ran.result.cause is Cause.OUT_OF_RESOURCES or self._cannot(ran.handed, candidate):  # as a device says
            return self._another(candidate, ran.captured) or ran
        return ran

    def refit(self, candidate: Candidate, captured: Sequence[Captured | None], handed: list[Handed]) -> dict[int, Ran]:
        """Runs the cases again that ask for too much; says which, and exchanges what they hand over."""
        again: dict[int, Ran] = {}
        for number, one in enumerate(captured):
            if one is not None and self._cannot(handed[number], candidate):
                ran = self._another(candidate, one)
                if ran is not None:
                    again[number], handed[number] = ran, ran.handed
        return again

    def others(self, candidate: Candidate, names: Sequence[str], cases: Sequence[Case]) -> Iterator[Ran]:
        """Each one that may be picked besides the first, on each case; what came before was run with that."""
        for number, name in enumerate(names):
            for case in cases if number != candidate.first else ():
                ran = candidate.run(case, configuration=number, lower=True)
                if self._cannot(ran.handed, candidate):
                    self._passed_over[number] = name
                    break
                yield replace(ran, result=replace(ran.result, configuration=name))
        if names:
            candidate.pass_over(self._passed_over)
            ran = candidate.run(cases[0], configuration=FIRST_CALL - candidate.first)
            yield replace(ran, result=replace(ran.result, configuration="the first call, which tries them all"))

    def unseen(self, candidate: Candidate, names: Sequence[str], cases: Sequence[Case]) -> Iterator[Ran]:
        """Each of the others again, on one of these cases in turn: what is right at one size may lack a mask."""
        there = [number for number in range(len(names)) if number not in (candidate.first, *self._passed_over)]
        for turn, number in enumerate(there if cases else ()):
            yield from self._named(
                candidate, names, number, candidate.run(cases[turn % len(cases)], configuration=number)
            )

    def far(
        self, candidate: Candidate, names: Sequence[str], first: Ran, run: Callable[[int], Ran | None]
    ) -> Iterator[Ran]:
        """All that may be picked where the first was run besides it: a block that one of them has may be too short."""
        for number, name in enumerate(first.captured.configurations if first.captured is not None else ()):
            if number != candidate.first and name not in self._passed_over.values() and (ran := run(number)):
                yield from self._named(candidate, names, number, ran)

    def _named(self, candidate: Candidate, names: Sequence[str], number: int, ran: Ran) -> Iterator[Ran]:
        """What was run with one of them, by its name, unless no autotuner would have."""
        listed = ran.captured.configurations if ran.captured is not None else names
        if number >= len(listed):  # its author prunes it at this size, and another was run
            return
        wrong = ran.result.cause is not None
        if wrong and ran.captured is not None and self._cannot(candidate.lower(ran.captured).handed, candidate):
            return
        # By a name that a shown size has: one that is made for a hidden size could tell it.
        name = listed[number] if listed[number] in names else ""
        yield replace(ran, result=replace(ran.result, configuration=name))

    def elsewhere(self, candidate: Candidate, case: Case) -> Iterator[Ran]:
        """Those that the first target passed over and this one can launch."""
        for number, name in self._passed_over.items():
            ran = candidate.run(case, configuration=number, lower=True)
            if not self._cannot(ran.handed, candidate):
                yield replace(ran, result=replace(ran.result, configuration=name, target=candidate.target))

    def _another(self, candidate: Candidate, captured: Captured) -> Ran | None:
        """A case with the first configuration that fits, with which the candidate begins from then on."""
        for number, name in enumerate(captured.configurations):
            found = candidate.capture(captured.case, configuration=number)
            lowered = found if isinstance(found, Ran) else candidate.lower(found)
            if lowered.result.cause is None and self._machine_code([lowered.handed], candidate.target).cause is None:
                candidate.begin_with(number)
                self.first[candidate.target] = number
                ran = candidate.run(captured.case, lower=True)
                return replace(ran, result=replace(ran.result, configuration=name))
        return None

    def _cannot(self, handed: Handed, candidate: Candidate) -> bool:
        """Whether it asks for more than the target has, or asserts what does not hold: as an autotuner has it."""
        asserted = any(one.failure is not None and one.failure.why is Why.ASSERTED for one in handed.kernels)
        return asserted or self._machine_code([handed], candidate.target).cause is Cause.OUT_OF_RESOURCES
