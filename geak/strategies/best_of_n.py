"""Best of N: independent drafts, and the best of them; what more samples alone can do."""

from __future__ import annotations

from collections.abc import Iterator

from geak.journal.events import Move
from geak.population import Population
from geak.strategies.base import idle_lineages, next_in, seeds


class BestOfN:
    """Samples times rounds drafts, none of which knows of another."""

    name = "best-of-n"
    reflects = False

    def moves(self, population: Population) -> Iterator[Move]:
        """One draft for each lineage that is not at work."""
        for number, lineage in idle_lineages(population):
            yield next_in(number, lineage, "seed" if seeds(population, number, lineage) else "draft")
