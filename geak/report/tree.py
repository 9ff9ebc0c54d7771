"""A run's lineages as a drawing: a row a lineage, a column a round, a line from each candidate to its parent."""

from __future__ import annotations

from markupsafe import Markup

from geak.population import GIVEN, Population

_STEP, _ROW, _WIDTH, _HEIGHT = 92, 52, 56, 28
_MOST = 400
"""Candidates that are drawn; a table serves more of them better."""


def tree(population: Population) -> Markup:
    """The drawing; an empty text for a run that is too long, or has made nothing."""
    found = list(population.candidates.values())
    if not found or len(found) > _MOST:
        return Markup("")
    lineages = sorted({c.move.lineage for c in found if c.name != GIVEN})
    first = 1 if population.given is not None else 0
    rows = {number: n for n, number in enumerate(lineages)}
    at = {
        c.name: (
            _STEP * (c.move.round - 1 + first if c.name != GIVEN else 0) + _WIDTH / 2 + 4,
            _ROW * rows.get(c.move.lineage, 0) + _HEIGHT / 2 + 6,
        )
        for c in found
    }
    width = max(x for x, _ in at.values()) + _WIDTH / 2 + 6
    height = max(y for _, y in at.values()) + _HEIGHT / 2 + 8
    parts = []
    for c in found:
        x, y = at[c.name]
        for parent in c.move.parents[-1:]:
            if parent in at:
                px, py = at[parent]
                path = '<path class="edge" d="M{:.0f} {:.0f} C{:.0f} {:.0f} {:.0f} {:.0f} {:.0f} {:.0f}"/>'
                left, right = px + _WIDTH / 2, x - _WIDTH / 2
                middle = max((left + right) / 2, left + 12)
                parts.append(Markup(path).format(left, py, middle, py, min(middle, right - 12), y, right, y))
    best = population.best
    for c in found:
        x, y = at[c.name]
        verdict = c.final or c.verdict
        state = "none" if verdict is None else verdict.status.value
        words = f"{c.name}: {c.move.kind}, {state}"
        node = (
            '<a href="#c{}" class="{}{}"><title>{}</title><rect class="node" x="{:.0f}" y="{:.0f}" width="{}" '
            'height="{}" rx="6"/><text x="{:.0f}" y="{:.0f}" text-anchor="middle">{}</text></a>'
        )
        mark = " best" if best is not None and best.name == c.name else ""
        place = (x - _WIDTH / 2, y - _HEIGHT / 2, _WIDTH, _HEIGHT)
        parts.append(Markup(node).format(c.name, state, mark, words, *place, x, y + 4, c.name))
    box = '<div class="treebox" tabindex="0" role="region" aria-label="Lineages">'
    head = box + '<svg class="tree" width="{:.0f}" height="{:.0f}" viewBox="0 0 {:.0f} {:.0f}">'
    return Markup(head).format(width, height, width, height) + Markup("").join(parts) + Markup("</svg></div>")
