"""GEAK's reflexion: draft, repair a few times, then better what is best."""

from __future__ import annotations

from collections.abc import Iterator

from geak.journal.events import Move
from geak.population import Candidate, Population
from geak.strategies.base import idle_lineages, next_in, seeds, untuned


class Reflexion:
    """Each lineage learns from its last candidate, and all betters the best of the whole run."""

    name = "reflexion"
    reflects = True

    def moves(self, population: Population) -> Iterator[Move]:
        """One move for each lineage that is not at work."""
        for number, lineage in idle_lineages(population):
            yield self._next(population, number, lineage)

    def _next(self, population: Population, number: int, lineage: list[Candidate]) -> Move:
        if seeds(population, number, lineage):
            return next_in(number, lineage, "seed")
        last = lineage[-1] if lineage else population.given
        # Of what the final tier refused nothing is told, so that there is nothing to repair by.
        broken = last is not None and last.source and not last.accepted and last.final is None
        if last is not None and broken and _repairs(lineage) < population.conditions.repairs:
            return next_in(number, lineage, "repair", (last.name,))
        if last is not None and last.accepted and untuned(population, last):
            return next_in(number, lineage, "tune", (last.name,))
        best = population.ranked[-population.conditions.ancestors :]
        if best:
            return next_in(number, lineage, "optimise", tuple(c.name for c in best))
        return next_in(number, lineage, "draft")


def _repairs(lineage: list[Candidate]) -> int:
    """How many repairs in a row the lineage has tried."""
    count = 0
    for candidate in reversed(lineage):
        if candidate.move.kind != "repair" or candidate.accepted:
            break
        count += 1
    return count
