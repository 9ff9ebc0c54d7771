"""What a strategy is: it looks at what a run has come to, and says what could be begun now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from geak.errors import UsageError
from geak.journal.events import Kind, Move
from geak.population import Candidate, Population


class Strategy(Protocol):
    """One way to search; it remembers nothing, for the population is all that there is to know."""

    name: str
    reflects: bool
    """Whether a reflector draws the lesson of a candidate."""

    def moves(self, population: Population) -> Iterator[Move]:
        """What could be begun now, the most wanted first: never anything in a lineage that is at work."""
        ...


def idle_lineages(population: Population) -> Iterator[tuple[int, list[Candidate]]]:
    """The lineages that could go on, with what they came to so far; those that are behind come first."""
    asked, given = population.conditions, population.given
    if given is not None and not given.developed:
        return  # what all begin from is judged first
    lineages = [(number, population.lineage(number)) for number in range(1, asked.samples + 1)]
    for number, lineage in sorted(lineages, key=lambda pair: (len(pair[1]), pair[0])):
        if len(lineage) < asked.rounds and all(candidate.developed for candidate in lineage):
            yield number, lineage


def seeds(population: Population, number: int, lineage: list[Candidate]) -> bool:
    """Whether a lineage is to begin with a compiler's kernel: the first, where one was asked for."""
    return number == 1 and not lineage and "seeder" in population.conditions.models


def untuned(population: Population, candidate: Candidate) -> bool:
    """Whether the tuner was asked for, and has not seen this kernel yet."""
    seen = [c.move.parents[-1] for c in population.candidates.values() if c.move.kind == "tune"]
    return population.conditions.tune > 0 and candidate.move.kind != "tune" and candidate.name not in seen


def next_in(number: int, lineage: list[Candidate], kind: Kind, parents: tuple[str, ...] = ()) -> Move:
    """The next move of a lineage."""
    turn = len(lineage) + 1
    return Move(f"{number}.{turn}", kind, number, turn, parents)


def strategy(name: str) -> Strategy:
    """The strategy of that name."""
    from geak.strategies.best_of_n import BestOfN
    from geak.strategies.reflexion import Reflexion
    from geak.strategies.sweep import Sweep

    known: dict[str, type[Strategy]] = {"reflexion": Reflexion, "best-of-n": BestOfN, "sweep": Sweep}
    if name not in known:
        raise UsageError(f"there is no strategy {name!r}; there are {', '.join(known)}")
    return known[name]()
