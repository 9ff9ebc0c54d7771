"""Printing text that somebody else wrote."""

from __future__ import annotations

import sys


def plain(text: str) -> str:
    """Without the control characters that could paint over a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def say(text: str, *, error: bool = False) -> None:
    """Prints it so, to stdout or to stderr."""
    print(plain(text), file=sys.stderr if error else sys.stdout)
