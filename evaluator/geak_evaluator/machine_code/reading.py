"""What reading machine code takes on every architecture: the compiler's metadata, and a tally of instructions."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from geak_evaluator.schema.machine_code import Counts

_COMPLAINT = re.compile(r"^error: (.+)$", re.MULTILINE)


class Unreadable(ValueError):
    """Machine code without what the compiler writes beside it."""


@dataclass(frozen=True)
class Built:
    """What the compiler's metadata says of a kernel, apart from its code."""

    kernel: str
    num_warps: int
    num_stages: int
    shared: int
    tensor_memory: int = 0


class Tally:
    """Instructions, counted while a text is read."""

    def __init__(self) -> None:
        self._of: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, figure: str, key: str | int = "") -> None:
        """One more instruction for a field of Counts, under a name or a width."""
        self._of[figure][str(key)] += 1

    def counts(self) -> Counts:
        """The sum."""

        def table(figure: str) -> dict[str, int]:
            return dict(sorted(self._of[figure].items()))

        return Counts(
            barriers=self._of["barriers"].total(),
            atomics=self._of["atomics"].total(),
            matrix_instructions=table("matrix_instructions"),
            loads=table("loads"),
            stores=table("stores"),
            copies=table("copies"),
            shared_loads=table("shared_loads"),
            shared_stores=table("shared_stores"),
        )


def complaint(log: str) -> str:
    """What LLVM printed as an error, in a sentence; nothing where it printed none.

    It has no other way to say so of inline assembly, and of what it cannot translate. One Triton then ends, and another
    goes on: its code is whole, and leaves out what could not be translated and all that led there.
    """
    found = _COMPLAINT.search(log)
    return f"LLVM: {found[1]}" if found else ""
