"""Sweep: what needs no language model. A compiler's variants, a lineage each; then the tuner on the best of them."""

from __future__ import annotations

from collections.abc import Iterator

from geak.journal.events import Move
from geak.population import GIVEN, Population
from geak.strategies.base import idle_lineages, next_in, untuned


class Sweep:
    """Each lineage begins with a variant; when all are judged, the best is tuned for as long as that finds a better."""

    name = "sweep"
    reflects = False

    def moves(self, population: Population) -> Iterator[Move]:
        """The variants at once; then one tuning after the other."""
        idle = dict(idle_lineages(population))
        if population.given is not None and not any(c.source for c in population.lineage(1)[:1]):
            idle = {number: lineage for number, lineage in idle.items() if number == 1}  # there may be no reference
        begun = [lineage for number, lineage in idle.items() if lineage]
        yield from (next_in(number, lineage, "seed") for number, lineage in idle.items() if not lineage)
        best = population.best
        if best is None or len(begun) < len(idle) or population.unfinished or not untuned(population, best):
            return
        number = best.move.lineage if best.name != GIVEN else 1
        if number in idle:
            yield next_in(number, idle[number], "tune", (best.name,))
