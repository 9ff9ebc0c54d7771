"""Reading what a person wrote as a setting: each reader makes a value of it, or says what is wanted."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from geak_evaluator.schema.target import find
from geak_evaluator.schema.verdict import Policy

Read = Callable[[object], object]
"""Makes a value of a text or of what TOML has; a ValueError says what is wanted."""


class Unfit(ValueError):
    """A value that a setting cannot have; says what is wanted."""

    def __init__(self, wanted: str, raw: object) -> None:
        shown = repr(raw)
        super().__init__(f"{wanted} is wanted, not {shown if len(shown) <= 60 else shown[:57] + '...'}")


def text(raw: object) -> str:
    """A text."""
    if not isinstance(raw, str):
        raise Unfit("a text", raw)
    return raw


def path(raw: object) -> Path:
    """A path; `~` is the home folder."""
    if not isinstance(raw, str | Path) or not str(raw):
        raise Unfit("a path", raw)
    return Path(raw).expanduser()


def yes_or_no(raw: object) -> bool:
    """Yes or no, in the words that people use."""
    said = str(raw).lower()
    if said in ("1", "true", "yes", "on"):
        return True
    if said in ("0", "false", "no", "off"):
        return False
    raise Unfit("yes or no", raw)


def number(least: float, most: float = math.inf, *, whole: bool = False, none: bool = False) -> Read:
    """How to read a number within bounds."""
    allowed = (str, int) if whole else (str, int, float)
    wanted = "a whole number" if whole else "a number"
    wanted += f" of at least {least:g}" if most == math.inf else f" from {least:g} to {most:g}"
    wanted += ", or none," if none else ""

    def read(raw: object) -> object:
        if none and raw in (None, "none"):
            return None
        if isinstance(raw, bool) or not isinstance(raw, allowed):
            raise Unfit(wanted, raw)
        try:
            number: int | float = int(raw) if whole else float(raw)
        except (ValueError, OverflowError):
            raise Unfit(wanted, raw) from None
        if not least <= number <= most or number == math.inf:
            raise Unfit(wanted, raw)
        return number

    return read


def one_of(*words: str) -> Read:
    """How to read one of these words."""

    def read(raw: object) -> object:
        if raw not in words:
            raise Unfit(f"one of {', '.join(words)}", raw)
        return raw

    return read


def policy(raw: object) -> object:
    """A policy by its name."""
    return Policy(one_of(*(p.value for p in Policy))(raw))


def texts(separator: str, each: Callable[[str], str] = str) -> Read:
    """How to read several texts, as a list or in one text."""

    def read(raw: object) -> object:
        parts = raw.split(separator) if isinstance(raw, str) else raw
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            raise Unfit("a text or a list of texts", raw)
        if parts and not any(part.strip() for part in parts):
            raise Unfit("a text that is not empty", parts[0])
        words = [word.strip() for part in parts for word in part.split(separator)]
        return tuple(dict.fromkeys(each(word) for word in words if word))

    return read


def target(name: str) -> str:
    """A target by its architecture or product."""
    return find(name).name
