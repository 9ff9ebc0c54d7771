"""Printing text that somebody else wrote, and documents that a program reads."""

from __future__ import annotations

import sys
from typing import Any

from geak_evaluator.schema import codec

printed = 0
"""Documents so far."""


def plain(text: str) -> str:
    """Without the control characters that could paint over a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def line(text: str, width: int = 0) -> str:
    """The same in one line, cut where a width is given and it is longer."""
    flat = " ".join(plain(text).split())
    return flat if not width or len(flat) <= width else flat[: max(width - 3, 0)].rstrip() + "..."


def say(text: str, *, error: bool = False) -> None:
    """Prints it so, to stdout or to stderr."""
    print(plain(text), file=sys.stderr if error else sys.stdout)


def document(value: Any) -> None:
    """Prints what `--json` promises: one JSON document on stdout."""
    global printed
    printed += 1
    print(codec.dumps(value), flush=True)
