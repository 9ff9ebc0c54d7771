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


def next_in(number: int, lineage: list[Candidate], kind: Kind, parents: tuple[str, ...] = ()) -> Move:
    """The next move of a lineage."""
    turn = len(lineage) + 1
    return Move(f"{number}.{turn}", kind, number, turn, parents)


def strategy(name: str) -> Strategy:
    """The strategy of that name."""
    from geak.strategies.best_of_n import BestOfN
    from geak.strategies.reflexion import Reflexion

    known: dict[str, type[Strategy]] = {"reflexion": Reflexion, "best-of-n": BestOfN}
    if name not in known:
        raise UsageError(f"there is no strategy {name!r}; there are {', '.join(known)}")
    return known[name]()
