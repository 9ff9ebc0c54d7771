"""Line charts as inline SVG, by hand: they take their colours from the page, so that one drawing serves light and dark.

A plotting library would be some 60 MB for this, and writes colours and fonts of its own into the drawing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 560, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 24, 14, 42


@dataclass(frozen=True)
class Line:
    """One line of a chart: x, y and, where there is an interval, its ends."""

    name: str
    points: Sequence[tuple[float, float, float | None, float | None]]


@dataclass(frozen=True)
class Chart:
    """Lines over one axis; `said` is what a reader without eyes is told."""

    title: str
    said: str
    x: str
    y: str
    lines: Sequence[Line]
    stepped: bool = False
    """A value holds until the next one."""
    share: bool = False
    """The y axis goes from 0 to 100 %."""
    whole: bool = False
    """The x axis counts."""


def svg(chart: Chart) -> Markup:
    """The chart, drawn; an empty text where there is nothing to draw."""
    points = [point for line in chart.lines for point in line.points]
    if not points:
        return Markup("")
    xs, highs = [p[0] for p in points], [v for p in points for v in p[1:] if v is not None]
    x_ticks = [x for x in ticks(min(xs), max(xs)) if not chart.whole or x == int(x)]
    y_ticks = [0.0, 0.25, 0.5, 0.75, 1.0] if chart.share else ticks(min(0.0, *highs), max(highs))
    left, right = min(xs), max(max(xs), min(xs) + 1e-9)
    bottom, top = y_ticks[0], y_ticks[-1]

    def at_x(x: float) -> float:
        return _LEFT + (x - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT)

    def at_y(y: float) -> float:
        return _HEIGHT - _BOTTOM - (min(max(y, bottom), top) - bottom) / (top - bottom) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [_grid(chart, x_ticks, y_ticks, at_x, at_y)]
    for number, line in enumerate(chart.lines):
        band = [(x, low, high) for x, _, low, high in line.points if low is not None and high is not None]
        if len(band) > 1 and number == 0:
            around = _path([(x, high) for x, _, high in band], chart.stepped, at_x, at_y)
            back = _path([(x, low) for x, low, _ in band], chart.stepped, at_x, at_y)[::-1]
            parts.append(Markup('<polygon class="band" points="{}"/>').format(_text([*around, *back])))
        path = _path([(x, y) for x, y, _, _ in line.points], chart.stepped, at_x, at_y)
        parts.append(Markup('<polyline class="line line{}" points="{}"/>').format(number % 4, _text(path)))
        for x, y, low, high in line.points if len(line.points) <= 12 else ():
            words = f"{line.name}: {_value(y, chart.share)} at {number_of(x)}"
            words += f" ({_value(low, chart.share)} to {_value(high, chart.share)})" if low is not None and high else ""
            dot = '<circle class="dot line{}" cx="{:.1f}" cy="{:.1f}" r="3.5"><title>{}</title></circle>'
            parts.append(Markup(dot).format(number % 4, at_x(x), at_y(y), words))
    for number, line in enumerate(chart.lines if len(chart.lines) > 1 else ()):
        key = '<text class="key{}" x="{}" y="{}" text-anchor="end">{}</text>'
        parts.append(Markup(key).format(number % 4, _WIDTH - _RIGHT - 4, _TOP + 14 + 16 * number, line.name))
    head = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    said = f"{chart.title}. {chart.said}"
    return head.format(_WIDTH, _HEIGHT, said) + Markup("").join(parts) + Markup("</svg>")


def bar(value: float, low: float | None = None, high: float | None = None) -> Markup:
    """A share as a bar, with its interval as a line across its end."""
    whisker = Markup("")
    if low is not None and high is not None:
        line = '<line class="whisker" x1="{:.1f}" x2="{:.1f}" y1="6" y2="6"/>'
        whisker = Markup(line).format(100 * max(low, 0), 100 * min(high, 1))
    head = '<svg class="bar" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
    trough, full = '<rect class="trough" width="100" height="12"/>', '<rect class="full" width="{:.1f}" height="12"/>'
    return Markup(head + trough + full).format(100 * min(max(value, 0), 1)) + whisker + Markup("</svg>")


def ticks(low: float, high: float) -> list[float]:
    """Some five round numbers that hold both ends between them."""
    if not high > low:
        return [low, low + 1]
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [n * step for n in range(first, last + 1)]


def number_of(value: float) -> str:
    """A number on an axis."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):g}{letter}"
    return f"{value:.4g}"


def _grid(
    chart: Chart,
    x_ticks: list[float],
    y_ticks: list[float],
    at_x: Callable[[float], float],
    at_y: Callable[[float], float],
) -> Markup:
    parts = []
    right, base = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for y in y_ticks:
        row = '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
        row += '<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>'
        parts.append(Markup(row).format(_LEFT, right, at_y(y), at_y(y), _LEFT - 8, at_y(y) + 4, _value(y, chart.share)))
    for x in x_ticks:
        if _LEFT - 1 <= at_x(x) <= right + 1:
            tick = '<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
            parts.append(Markup(tick).format(at_x(x), base + 16, number_of(x)))
    label = '<text class="label" x="{}" y="{}" text-anchor="middle">{}</text>'
    parts.append(Markup(label).format((_LEFT + right) / 2, _HEIGHT - 6, chart.x))
    return Markup("").join(parts)


def _path(
    points: list[tuple[float, float]], stepped: bool, at_x: Callable[[float], float], at_y: Callable[[float], float]
) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for x, y in points:
        if stepped and found:
            found.append((at_x(x), found[-1][1]))
        found.append((at_x(x), at_y(y)))
    return found


def _text(points: list[tuple[float, float]]) -> Markup:
    return escape(" ".join(f"{x:.1f},{y:.1f}" for x, y in points))


def _value(value: float | None, share: bool) -> str:
    if value is None:
        return ""
    return f"{value:.0%}" if share else number_of(value)
