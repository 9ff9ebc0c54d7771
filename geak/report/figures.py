"""Metrics as words: one way of writing each number, for the page, for Markdown and for a terminal."""

from __future__ import annotations

from geak.metrics.formulas import NOT_MEASURED, Metric, Unit
from geak.metrics.summary import Group
from geak.words import money


def figure(value: float | None, unit: Unit) -> str:
    """A number in its unit."""
    if value is None:
        return "-"
    match unit:
        case "share":
            return f"{100 * value:.1f} %"
        case "times":
            return f"{value:.2f}x"
        case "usd":
            return money(value)
        case "tokens":
            return f"{value:,.0f}"
        case "points":
            return f"{value:.1f}"


def interval(low: float | None, high: float | None, unit: Unit) -> str:
    """The ends of an interval; empty where there is none."""
    return "" if low is None or high is None else f"{figure(low, unit)} to {figure(high, unit)}"


def difference(value: float, unit: Unit) -> str:
    """A difference, with its sign; of shares in points of a percent."""
    sign = "+" if value >= 0 else "-"
    if unit == "share":
        return f"{sign}{100 * abs(value):.1f} points"
    return sign + figure(abs(value), unit)


def value_of(metric: Metric) -> str:
    """A metric's value, or why there is none."""
    if metric.value is not None:
        return figure(metric.value, metric.unit)
    return NOT_MEASURED if metric.note == NOT_MEASURED else "-"


def group_name(group: Group) -> str:
    """Which tasks are counted together."""
    return f"policy {group.policy.value}" + (", soft tasks" if group.soft else "")
