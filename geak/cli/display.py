"""Printing text that somebody else wrote, and documents that a program reads."""

from __future__ import annotations

import sys
from typing import Any

from geak.words import cut as cut
from geak.words import duration as duration
from geak.words import flat as flat
from geak.words import money as money
from geak.words import plain as plain
from geak.words import plural as plural
from geak_evaluator.schema import codec

printed = 0
"""Documents so far."""


def say(text: str, *, error: bool = False) -> None:
    """Prints it so, to stdout or to stderr."""
    print(plain(text), file=sys.stderr if error else sys.stdout)


def document(value: Any) -> None:
    """Prints what `--json` promises: one JSON document on stdout."""
    global printed
    printed += 1
    print(codec.dumps(value), flush=True)
