"""Configurations of a kernel, tried and put in order."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from geak_evaluator import by_size, source
from geak_evaluator.judge import Judge
from geak_evaluator.oracle import Oracle, SpecFile
from geak_evaluator.racing import NoRace, Races
from geak_evaluator.schema.target import find
from geak_evaluator.schema.tuning import HIGH, LOW, RATIO, SPILLS, Configuration, Ranking, Tunable, Tuning
from geak_evaluator.schema.verdict import UNDECIDABLE, Cause, Policy, Status, Verdict
from geak_evaluator.tune import telling
from geak_evaluator.tune.knobs import Space, Values
from geak_evaluator.tune.order import distance
from geak_evaluator.tune.reading import Untunable, read
from geak_evaluator.tune.search import Search
from geak_evaluator.tune.tables import NoTable, mended, parse
from geak_evaluator.tune.writing import PICKS, final, written
from geak_evaluator.variants import Variants, gate

_REFUSALS = 3
"""So many refused in a row, and a target's search has found nothing."""
_FOR_PROOFS = 0.3
"""The share of the time that is kept for proving."""


def tune(
    judge: Judge,
    file: SpecFile,
    kernel: bytes,
    *,
    targets: Sequence[str] = ("gfx942",),
    policy: Policy = Policy.PURE,
    evaluations: int = 64,
    minutes: float = 2.0,
    table: str = "",
    axis: str = "",
) -> Tuning:
    """Tries the configurations of a kernel file for each target, within so many evaluations and minutes.

    With an `axis` the rows of the `table` are labelled by its sizes, and each is settled at its own on a device.
    """
    names = tuple(dict.fromkeys(find(target).name for target in targets))
    begun = time.monotonic()
    with judge.oracle(file) as oracle:
        if oracle.about.spec.oracle == "tests":
            why = (
                f"spec {file.name} is decided by tests, which leave no plan to compile: give it a reference to tune by"
            )
            return Tuning(note=why)
        try:
            source.check(kernel, "the kernel file", "a kernel")
            space = read(kernel)
            rows = parse(table) if table else {}
        except (source.SourceError, Untunable, NoTable) as error:
            return Tuning(note=str(error))
        if axis and axis not in oracle.about.spec.axes:
            return Tuning(note=f"spec {file.name} has no axis {axis}: its axes are {', '.join(oracle.about.spec.axes)}")
        tuner = _Tuner(judge, oracle, space, names, policy, max(evaluations, 1), begun, 60 * minutes, axis)
        return tuner.tune(rows)


class _Tuner:
    """All that tuning one file takes."""

    def __init__(
        self,
        judge: Judge,
        oracle: Oracle,
        space: Space,
        targets: tuple[str, ...],
        policy: Policy,
        evaluations: int,
        begun: float,
        seconds: float,
        axis: str = "",
    ) -> None:
        self._judge, self._oracle, self._space, self._targets = judge, oracle, space, targets
        self._policy, self._evaluations, self._axis = policy, evaluations, axis
        self._end, self._search_end = begun + seconds, begun + seconds * (1 - _FOR_PROOFS)
        self._choices: dict[str, dict[str, tuple[int, ...]]] = {target: space.choices(target) for target in targets}
        self._races: dict[str, Races] = {}
        self._untimed: dict[str, str] = {}

    def tune(self, rows: Mapping[str, Values]) -> Tuning:
        """Proves the file as it is, searches for each target, proves the best, and writes them in."""
        space = self._space
        open_ = {name for one in self._choices.values() for name, values in one.items() if len(values) > 1}
        if not open_:
            why = "; ".join(space.left) or "no block size, num_warps or num_stages is given as a number"
            return Tuning(left=space.left, note=f"nothing in this kernel is tunable: {why}")
        names = dict.fromkeys(name for row in rows.values() for name in row)
        if rows and not any(map(space.speaks_of, names)):
            why = f"the table names {', '.join(names)}, and what is tunable in this kernel is {', '.join(space.knobs)}"
            return Tuning(left=space.left, note=why)
        first = gate(self._judge, self._oracle, space.source.data, self._targets[0], self._policy)
        if first.status is not Status.ACCEPTED:
            return Tuning(left=space.left, note=f"the gate does not accept this kernel as it stands: {first.line()}")
        watch = self._judge.stopwatch
        for target in self._targets if watch is not None else ():
            assert watch is not None
            if why := watch.why_not(target, in_turn=True):
                self._untimed[target] = why
            else:
                self._races[target] = Races(self._judge, watch, self._oracle, target, self._policy)
        self._variants = Variants(self._judge, self._oracle, space, self._targets, self._policy, self._races)
        left = [*space.left, *self._narrow()]
        rankings = []
        for number, target in enumerate(self._targets):
            now = time.monotonic()
            share = now + (self._search_end - now) / (len(self._targets) - number)
            rankings.append(self._searched(target, rows, share))
        rankings = [self._raced(self._prove(ranking)) for ranking in rankings]
        return self._concluded(rankings, rows, tuple(left))

    # -- what may be changed --

    def _narrow(self) -> list[str]:
        """Changes each block size once, and lets the gate say whether the result stays right: what is left, and why.

        A kernel's text shows what cuts something into tiles, but not whether somebody counts on the very number: a
        group of quantised values, a grid that is written out.
        """
        target = self._targets[0]
        tried = self._choices[target]
        blocks = [n for n, knob in self._space.knobs.items() if knob.block and len(tried[n]) > 1]
        beside = {name: _beside(tried[name], self._space.present[name]) for name in blocks}
        together = {**self._space.present, **{name: values[0] for name, values in beside.items()}}
        if not blocks or self._right(together, target):
            return []
        left = []
        for name in blocks:
            knob = self._space.knobs[name]
            right = [n for n in beside[name] if self._right({**self._space.present, name: n}, target)]
            if len(right) == len(beside[name]):
                continue
            for choices in self._choices.values():
                choices[name] = tuple(
                    n
                    for n in choices[name]
                    if n == knob.value or any((n < knob.value) == (m < knob.value) for m in right)
                )
            side = "smaller" if right and right[0] > knob.value else "larger"
            what = f"not be {side} than {knob.value}" if right else f"only be {knob.value}"
            left.append(f"{knob.where}: {name} may {what}, or the result is no longer right")
        return left

    def _right(self, values: Values, target: str) -> bool:
        """Whether a change leaves the result as it was; that it does not fit a device says nothing on that."""
        verdict = self._variants.gate(written(self._space, values, target), target)
        causes = {found.cause for found in (verdict.failure, verdict.misfit) if found is not None}
        return causes <= {Cause.OUT_OF_RESOURCES, Cause.TIMEOUT, *UNDECIDABLE}

    # -- trying --

    def _searched(self, target: str, rows: Mapping[str, Values], end: float) -> Ranking:
        """By time where the target's device is here; by what the compiler tells where it is not, or fails."""
        if target in self._races:
            try:
                return replace(self._search(target, rows, end), how="measured", device=self._races[target].device)
            except NoRace as error:
                self._unraced(target, error)
        return self._search(target, rows, end)

    def _unraced(self, target: str, error: NoRace) -> None:
        self._untimed[target] = str(error)
        del self._races[target]
        self._variants.untimed(target)

    def _search(self, target: str, rows: Mapping[str, Values], end: float) -> Ranking:
        space, choices = self._space, self._choices[target]
        if self._variants.of(space.present, target).figures.get("full") == 1:
            for name, knob in space.knobs.items():
                if knob.name == "waves_per_eu":  # it trades registers for waves, and no wave is missing
                    choices[name] = tuple(dict.fromkeys((knob.value, *knob.known)))
        starts = [*space.starts(target), *(space.by_name(row) for row in rows.values())]
        starts = [one for n, one in enumerate(starts) if one not in starts[:n]]
        search = Search(
            {
                name: tuple({**dict.fromkeys(values), **{one[name]: None for one in starts}})
                for name, values in choices.items()
            },
            evaluate=lambda batch: self._variants.keys(batch, target),
            admits=space.admits,
            over=lambda: time.monotonic() > end,
            limit=self._evaluations,
        )
        search.run(starts)
        tried = [dict(zip(choices, place, strict=True)) for place in search.tried]
        ranked = sorted(tried, key=lambda values: search.tried[tuple(values.values())])
        present = space.present
        configurations = tuple(self._variants.of(values, target) for values in ranked)
        return Ranking(target, "compiled", configurations, present)

    # -- proving --

    def _prove(self, ranking: Ranking) -> Ranking:
        """Proves the best few; the first of a target even where the time is over, since it may be handed out."""
        proved: list[Configuration] = []
        refused: list[Configuration] = []
        alike: list[Configuration] = []
        spilling: list[Configuration] = []
        rest = [one for one in ranking.configurations if not one.cause]
        out = [one for one in ranking.configurations if one.cause]
        while rest and len(proved) < PICKS and len(refused) < _REFUSALS + len(proved):
            if proved and time.monotonic() > self._end:
                break
            one = rest.pop(0)
            if any(one.figures == other.figures for other in proved):
                alike.append(one)  # nothing here tells them apart: what is tried on a GPU should differ
                continue
            if case := self._variants.spills_anew(one.values, ranking.target):
                spilling.append(replace(one, cause=SPILLS, message=f"registers are spilled to memory in case {case}"))
                continue
            verdict = self._gate(one, ranking.target)
            if verdict.status is Status.ACCEPTED:
                proved.append(replace(one, proved=True))
            else:
                wrong = verdict.failure or verdict.misfit
                cause = wrong.cause.value if wrong is not None and wrong.cause is not None else "rejected"
                refused.append(replace(one, cause=cause, message=verdict.line()))
        return replace(ranking, configurations=(*proved, *alike, *rest, *refused, *spilling, *out))

    def _gate(self, one: Configuration, target: str) -> Verdict:
        return self._variants.gate(written(self._space, one.values, target), target)

    def _raced(self, ranking: Ranking) -> Ranking:
        """Those of the proved first that are faster than the file as it stands, timed in turn with it; then the file.

        What cannot be told apart from it is no reason to change it.
        """
        races, found = self._races.get(ranking.target), ranking.configurations
        present = next((one for one in found if one.values == self._space.present and not one.cause), None)
        proved = [one for one in found if one.proved and one is not present]
        if races is None or present is None or self._gate(present, ranking.target).status is not Status.ACCEPTED:
            return ranking
        texts = [written(self._space, one.values, ranking.target) for one in (present, *proved)]
        before = {
            number: replace(proved[number], figures={**proved[number].figures, **beside.figures})
            for number, beside in races.finals(texts[0], texts[1:], self._end).items()
        }
        compared = [before.get(number, one) for number, one in enumerate(proved)]
        faster = sorted((one for one in before.values() if one.figures[LOW] > 1), key=lambda one: -one.figures[RATIO])
        if faster:  # of those that cannot be told apart from the fastest, the one that changes least
            alike = [one for one in faster if one.figures[HIGH] >= faster[0].figures[LOW]]
            alike.sort(key=lambda one: distance(self._space, one.values))
            faster = [*alike, *faster[len(alike) :]]
        slower = [one for one in compared if one not in faster]
        rest = [one for one in found if one is not present and one not in proved]
        return replace(ranking, configurations=(*faster, replace(present, proved=True), *slower, *rest))

    # -- handing out --

    def _concluded(self, rankings: Sequence[Ranking], rows: Mapping[str, Values], left: tuple[str, ...]) -> Tuning:
        space = self._space
        tunables = tuple(
            Tunable(name, knob.kernel, knob.value, choices, knob.where)
            for name, knob in space.knobs.items()
            if len(choices := tuple(sorted({n for one in self._choices.values() for n in one[name]}))) > 1
        )
        rankings = [replace(one, table=self._mended(one, rows)) for one in rankings]
        tried = sum(len(one.configurations) for one in rankings)
        done = Tuning(tunables, tuple(map(_shown, rankings)), tried=tried, left=left)
        cases = next((f"[{'; '.join(map(str, races.cases))}]" for races in self._races.values()), "")
        means = telling.ordered(rankings, cases, self._untimed)
        picks = [one for one in rankings[0].configurations if one.proved and self._elsewhere(one.values)]
        if not picks:
            return replace(done, note=f"of {tried} configurations none may be picked: {telling.none(rankings)}")
        best = picks[0].values
        data = final(space, best, rankings)
        if data == space.source.data:
            alone = all(len(one.configurations) == 1 for one in rankings)
            only = "only the present configuration was tried in this time: give it more minutes"
            return replace(done, note=only if alone else f"{telling.kept(rankings[0], tried)}, {means}")
        verdict = self._variants.gate(data, self._targets[0])
        if verdict.status is not Status.ACCEPTED:
            return replace(done, note=f"the file with the best configurations is not accepted: {verdict.line()}")
        others = [one.target for one in rankings[1:] if not one.feasible or one.feasible[0].values != best]
        differs = f"; the file has the first of {self._targets[0]}, and for {', '.join(others)} another comes first"
        own = bool(others) and not space.lists and not space.tables
        gained = telling.speed(picks[0])
        note = f"{gained}, {means}{differs * own}" if gained else f"{means}{differs * own}"
        return replace(
            done, source=data.decode("utf-8", "surrogateescape"), proved=True, picked=telling.shown(best), note=note
        )

    def _elsewhere(self, values: Values) -> bool:
        """Whether a configuration that is written into the file compiles for the other targets too."""
        if self._space.lists or self._space.tables:
            return True  # a list is chosen from on each target; what a table holds for one, no other looks up
        return all(self._variants.of(values, target).cause in ("", SPILLS) for target in self._targets[1:])

    def _mended(self, ranking: Ranking, rows: Mapping[str, Values]) -> dict[str, Values]:
        """The rows of a table, each settled at its size on a device, or with the best where their own is out."""
        if self._axis and (races := self._races.get(ranking.target)) is not None:
            return by_size.settled(races, self._variants, self._space, ranking, rows, self._axis, self._end)
        return mended(self._space, ranking, rows)


def _beside(choices: Sequence[int], value: int) -> list[int]:
    """The neighbours of a value, the smaller one first: it asks for less."""
    smaller, larger = [n for n in choices if n < value], [n for n in choices if n > value]
    return [*smaller[-1:], *larger[:1]]


def _shown(ranking: Ranking) -> Ranking:
    configurations = tuple(replace(one, values=telling.shown(one.values)) for one in ranking.configurations)
    return replace(ranking, configurations=configurations, present=telling.shown(ranking.present))
