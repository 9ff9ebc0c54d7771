"""The words of this room: a tunable number, where it is written, and the space that all of a file's make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod

from geak_evaluator.schema.target import ALIASES, TARGETS, Target, find
from geak_evaluator.tune.syntax import Source, Span

OPTIONS = ("num_warps", "num_stages")
AMD_OPTIONS = ("waves_per_eu", "matrix_instr_nonkdim", "kpack")
"""CUDA's back end refuses a launch that names one of these."""

_WARPS = (1, 2, 4, 8, 16)
_AMD_VALUES = {"waves_per_eu": (0, 1, 2, 4), "matrix_instr_nonkdim": (0, 16, 32), "kpack": (0, 1, 2)}
_MOST_ELEMENTS = 1 << 17
"""Of one block: a larger one only spills, and takes the compiler minutes to say so."""

Values = dict[str, int]
"""By a knob's name; 0 for an option that is left to Triton."""


@dataclass(frozen=True)
class Literal:
    """Numbers in the text, which change together."""

    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Absent:
    """An option that launches do not name yet."""

    at: tuple[tuple[int, bool], ...]
    """Where their closing parentheses are, and whether a comma must come first."""


@dataclass(frozen=True)
class Listed:
    """A value of every configuration of an autotuned kernel."""

    number: int


@dataclass(frozen=True)
class Tabled:
    """A value of every entry of a table in the source."""

    number: int


Place = Literal | Absent | Listed | Tabled


@dataclass(frozen=True)
class Knob:
    """A number that may be another."""

    name: str
    kernel: str
    value: int
    where: str
    place: Place
    block: bool
    dot: bool = False
    """Whether its kernel multiplies matrices."""
    grid: bool = False
    """Whether programs stand this far apart."""
    known: tuple[int, ...] = ()
    """Values that the file itself names."""

    def choices(self, target: Target) -> tuple[int, ...]:
        """What it may be on a target, the present value among them."""
        amd = target.backend == "hip"
        if self.name in AMD_OPTIONS:
            tried: tuple[int, ...] = _AMD_VALUES[self.name] if amd else (0,)
            return tuple(sorted({*tried, *(self.known if amd else ())}))
        if self.name == "num_warps":
            threads = 512 if target.warp_size == 64 else 1024
            return self._options((n for n in _WARPS if n * target.warp_size <= threads or n == 1), 4)
        if self.name == "num_stages":  # only the loads of a product are pipelined
            return self._options(range(1, 3 if amd else 6) if self.dot else (), 2 if amd else 3)
        if not self.block:
            return tuple(sorted({self.value, *self.known}))
        least = 16 if self.dot else min(32, self.value)
        around = {self.value * 2**power if power >= 0 else self.value // 2**-power for power in range(-2, 3)}
        return tuple(sorted({self.value, *self.known, *(n for n in around if least <= n <= 1 << 16)}))

    def _options(self, tried: Iterable[int], default: int) -> tuple[int, ...]:
        """An option that is not named is left to Triton, whose default is then not tried by name."""
        found = {*tried, *self.known, self.value}
        return tuple(sorted(found - {default} if self.value == 0 else found - {0}))


@dataclass(frozen=True)
class List:
    """The configurations of one autotuned kernel."""

    kernel: str
    span: Span
    maker: str
    """What the file calls triton.Config."""
    entries: tuple[Values, ...]
    """As listed, num_warps and num_stages included where they are said."""


@dataclass(frozen=True)
class Entry:
    """One row of a table in the source."""

    label: str
    spans: dict[str, Span]
    values: Values

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that it is for by its name; none where it does not say."""
        return mentioned(self.label)


@dataclass(frozen=True)
class Table:
    """Configurations in a dict, by shape or device."""

    line: int
    entries: tuple[Entry, ...]

    def rows(self, target: str) -> tuple[Entry, ...]:
        """Those that a target could look up."""
        if not any(entry.targets for entry in self.entries):
            return self.entries
        own = tuple(entry for entry in self.entries if target in entry.targets)
        return own or tuple(entry for entry in self.entries if not entry.targets)


@dataclass(frozen=True)
class Space:
    """All that is tunable in one file."""

    source: Source
    knobs: dict[str, Knob] = field(default_factory=dict)
    """By a name that is unique in the file."""
    lists: tuple[List, ...] = ()
    tables: tuple[Table, ...] = ()
    left: tuple[str, ...] = ()
    """What looks tunable and is not, in sentences."""

    @property
    def present(self) -> Values:
        """As the file has it."""
        return {name: knob.value for name, knob in self.knobs.items()}

    def choices(self, target: str) -> dict[str, tuple[int, ...]]:
        """What each may be on a target."""
        return {name: knob.choices(find(target)) for name, knob in self.knobs.items()}

    def starts(self, target: str) -> list[Values]:
        """Where a search may begin: as the file has it, and what its lists and tables name."""
        found = [self.present]
        for number, one in enumerate(self.lists):
            for values in one.entries:
                found.append(self._with(values, Listed(number)))
        for number, table in enumerate(self.tables):
            for entry in table.rows(target):
                found.append(self._with(entry.values, Tabled(number)))
        return [one for n, one in enumerate(found) if one not in found[:n]]

    def admits(self, values: Values) -> bool:
        """Whether its blocks are of a size that is worth compiling."""
        for kernel in {knob.kernel for knob in self.knobs.values()}:
            sizes = sorted(values[n] for n, knob in self.knobs.items() if knob.kernel == kernel and knob.block)
            if prod(sizes[-2:]) > _MOST_ELEMENTS:
                return False
        return True

    def by_name(self, values: Values) -> Values:
        """A configuration from elsewhere, as far as its names are those of this file."""
        return {n: values.get(n, values.get(knob.name, knob.value)) for n, knob in self.knobs.items()}

    def speaks_of(self, name: str) -> bool:
        """Whether a configuration from elsewhere means something of this file's by a name."""
        return name in self.knobs or any(knob.name == name for knob in self.knobs.values())

    def _with(self, values: Values, place: Place) -> Values:
        own = {n: values.get(k.name, k.value) for n, k in self.knobs.items() if k.place == place}
        return {**self.present, **own}


def mentioned(label: str) -> tuple[str, ...]:
    """The targets that a name speaks of: by architecture, product or vendor."""
    text = label.lower().replace("-", "_").replace(" ", "_")
    found = [name for name, target in TARGETS.items() if name in text or f"'{target.backend}'" in text]
    found += [target for product, target in ALIASES.items() if product in text]
    found += [name for name, target in TARGETS.items() if target.product.lower().replace(" ", "_") in text]
    return tuple(dict.fromkeys(found))
