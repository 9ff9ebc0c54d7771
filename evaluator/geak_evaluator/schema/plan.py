"""A plan: what a candidate's wrapper asked of the device, in its order, and nothing of what it computed itself.

Views of memory are no steps: a tensor is a storage, an offset, a shape and strides wherever it is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

MOST_STEPS = 2000
"""A longer plan is no plan but a program."""


@dataclass(frozen=True)
class View:
    """A tensor by where it lies."""

    storage: int
    format: str
    offset: int
    """In elements of its own format."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Allocate:
    """New memory, holding nothing that can be relied upon."""

    storage: int
    bytes: int


@dataclass(frozen=True)
class Fill:
    """One constant into every element, or the address `of` a view: a table of them leads a kernel to other tensors."""

    view: View
    value: int | float | bool
    of: View | None = None


@dataclass(frozen=True)
class Copy:
    """Element by element, with a cast where formats differ."""

    source: View
    target: View


@dataclass(frozen=True)
class Argument:
    """One argument of a launch."""

    kind: Literal["tensor", "number", "text", "none", "type", "function", "descriptor", "tuple", "format"]
    view: View | None = None
    number: int | float | bool | None = None
    text: str = ""
    """A string, the name of one of triton's types, of a `@triton.jit` function, or of one of our formats."""
    module: str = ""
    """Of a function: where it is defined, as for a launch."""
    block: tuple[int, ...] = ()
    """A descriptor's block shape."""
    items: tuple[Argument, ...] = ()
    fields: tuple[str, ...] = ()
    """A named tuple's names."""


@dataclass(frozen=True)
class Launch:
    """One kernel over one grid."""

    kernel: str
    """The `@triton.jit` function's name in its module."""
    module: str
    """Where it is defined; a name that is no helper's means the candidate's own file."""
    grid: tuple[int, int, int]
    arguments: tuple[Argument, ...]
    """All of them, constants included, in the order of the kernel's parameters."""
    options: dict[str, int | float | bool | str]
    """Those that differ from the backend's defaults: num_warps, num_stages, ..."""
    text: str = ""
    """A fingerprint of the kernel's text, as it was launched."""


@dataclass(frozen=True)
class Library:
    """One operation of a library, under a policy that has it."""

    operation: str
    """Torch's own name: `aten.mm.default`."""
    arguments: tuple[Argument, ...]
    keywords: dict[str, Argument]
    results: tuple[View, ...]
    """Where each tensor that it returns goes."""


Step = Allocate | Fill | Copy | Launch | Library


class Tables:
    """Which storages hold addresses, and of which others: followed step by step."""

    def __init__(self) -> None:
        self._held: dict[int, set[int]] = {}

    def note(self, step: Step) -> None:
        """Takes in what a step puts where."""
        if isinstance(step, Fill) and step.of is not None:
            self._held.setdefault(step.view.storage, set()).add(step.of.storage)
        elif isinstance(step, Copy) and step.source.storage in self._held:
            self._held.setdefault(step.target.storage, set()).update(self._held[step.source.storage])

    def behind(self, named: Iterable[int]) -> frozenset[int]:
        """The storages that these lead to, and that those lead to in turn."""
        found: set[int] = set()
        left = [*named]
        while left:
            fresh = self._held.get(left.pop(), set()) - found
            found |= fresh
            left += fresh
        return frozenset(found)


def storages(arguments: Sequence[Argument]) -> set[int]:
    """Those that arguments name."""
    found = {item.view.storage for item in arguments if item.view is not None}
    return found.union(*(storages(item.items) for item in arguments))


@dataclass(frozen=True)
class Output:
    """One leaf of what the entry returned."""

    path: str
    view: View


@dataclass(frozen=True)
class Branch:
    """An `if` at the top level of a file that its kernels cannot tell, and what Python found there."""

    module: str
    """Empty for the candidate's own file."""
    line: int
    taken: bool


@dataclass(frozen=True)
class Named:
    """A name at the top level of a file whose value reading does not tell, and what Python found in it."""

    module: str
    """Empty for the candidate's own file."""
    name: str
    kind: Literal["number", "text", "type", "word"]
    number: int | float | bool | None = None
    text: str = ""
    """A string, a type of Triton's, or a function or module of its language by the full name."""
    constant: bool = False
    """It is a `tl.constexpr`."""


@dataclass(frozen=True)
class Plan:
    """All of it, with what it says of the policy."""

    steps: tuple[Step, ...]
    outputs: tuple[Output, ...] = ()
    foreign: tuple[str, ...] = ()
    """Operations that no plan has: work that a library did instead of a kernel."""
    reads: tuple[str, ...] = ()
    """Operations by which the wrapper looked at values; its launches may depend on them."""
    branches: tuple[Branch, ...] = ()
    """Which of its files' definitions are meant where they have several."""
    names: tuple[Named, ...] = ()
    """What its files' kernels name, and reading does not tell."""

    @property
    def launches(self) -> tuple[Launch, ...]:
        """The kernels that it launches, in order."""
        return tuple(step for step in self.steps if isinstance(step, Launch))

    @property
    def led(self) -> tuple[frozenset[int], ...]:
        """For each step the storages that it is led to by tables of addresses, besides those that it names."""
        tables, found = Tables(), []
        for step in self.steps:
            if isinstance(step, Launch):
                found.append(tables.behind(storages(step.arguments)))
            else:
                tables.note(step)
                found.append(frozenset())
        return tuple(found)

    @property
    def programs(self) -> int:
        """How many programs its launches have together."""
        return sum(prod(launch.grid) for launch in self.launches)

    @property
    def library(self) -> tuple[Library, ...]:
        """The library operations that it asks for, in order."""
        return tuple(step for step in self.steps if isinstance(step, Library))
