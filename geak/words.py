"""Foreign text and figures as a person reads them."""

from __future__ import annotations


def plain(text: str) -> str:
    """Without the control characters that could paint over a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def flat(text: str) -> str:
    """The same in one line."""
    return " ".join(plain(text).split())


def parted(text: str) -> str:
    """A line whose parts two spaces keep asunder, as a sentence with points between them."""
    return " · ".join(flat(part) for part in text.split("  ") if part.strip())


def cut(text: str, width: int) -> str:
    """The beginning of a line that is longer."""
    return text if len(text) <= width else text[: max(width - 3, 0)].rstrip() + "..."


def money(usd: float, unpriced: int = 0) -> str:
    """Dollars; calls whose price nobody knows are said to be unknown, never nothing."""
    known = f"${usd:.2f}" if usd >= 1 or usd == 0 else f"${usd:.4f}"
    if not unpriced:
        return known
    return f"{known} and unknown" if usd else "unknown"


def duration(seconds: float) -> str:
    """A time span in the unit that fits it."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def extent(strategy: str, samples: int, rounds: int) -> str:
    """How many candidates a run may make: a sweep ends when tuning betters nothing more, whatever its rounds."""
    return f"{plural(samples, 'variant')}, tuned" if strategy == "sweep" else f"{samples} x {rounds} candidates"


def plural(count: int, noun: str) -> str:
    """A number of things."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
