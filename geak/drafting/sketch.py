"""A spec between reading and writing: what a draft is asked for, and what is known of it so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from geak.drafting.sizes import AxisDraft


@dataclass(frozen=True)
class Wanted:
    """What a drafted spec asks for beyond what the code says."""

    formats: tuple[str, ...] = ("fp16", "bf16", "fp32")
    elements: int = 100_000
    """How many elements the inputs of a case have together, at most."""
    first: int = 0
    """The first of the three cases that is kept: no size is smaller than its."""
    single: bool = False
    """Only that one case, and a domain of its sizes alone."""
    as_made: bool = False
    """The sizes of the file's own example alone, but for the first axis: the batch."""
    by_example: bool = False
    """Sizes as the file's own example shows them, and not as the code is read."""
    bench: tuple[Mapping[str, int], ...] = ()
    """More sizes for timing; those that the axes do not have, or relations forbid, are left out."""
    wrt: tuple[str, ...] = ()
    """Inputs whose gradients are asked for as well: of a function."""
    drawn: int = 0
    """So many more cases, drawn from the domain as hidden ones are."""
    origin: str = ""
    """What the docstring says of where it comes from; by default that it was drafted."""


USUAL = Wanted()


@dataclass
class Sketch:
    """A spec between reading and writing."""

    wanted: Wanted = USUAL

    axes: list[AxisDraft] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    """By argument, the source of its declaration."""
    init: dict[str, str] = field(default_factory=dict)
    where: list[str] = field(default_factory=list)
    type_name: str = "T"
    outputs: str = ""
    optional: list[str] = field(default_factory=list)
    agrees: bool = False
    """The file's own example was read, and each axis has its size there."""
    checks: dict[str, list[str]] = field(default_factory=dict)
    """By place (an input, "axes", "cases"), what to ask there."""
    cases: list[dict[str, object]] = field(default_factory=list)
    bench: list[dict[str, object]] = field(default_factory=list)

    def ask(self, place: str, question: str) -> None:
        """A question at a place; the same one is asked once."""
        asked = self.checks.setdefault(place, [])
        if question and question not in asked:
            asked.append(question)

    @property
    def own(self) -> dict[str, int] | None:
        """The sizes of the file's own example, by axis; None where they are not all known, or not of the domain."""
        inside = self.agrees and all(axis.own in axis.axis for axis in self.axes)
        return {axis.name: axis.own for axis in self.axes} if inside else None

    @property
    def questions(self) -> tuple[str, ...]:
        """All of them, in the order of the file."""
        return tuple(dict.fromkeys(q for asked in self.checks.values() for q in asked))


def quoted(text: str) -> str:
    """A string literal."""
    return f'"{text}"'
