"""A spec: what a kernel must compute, over which sizes, and how its answer is believed.

A spec file builds one `Spec` and defines `reference`; a confined child reads the file and
hands it over as a `Description`, which is all that anybody else sees of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from geak_evaluator.schema import expr
from geak_evaluator.schema.dtypes import Format, resolve

Contract = Literal["function", "destination", "module", "gradient"]
Oracle = Literal["float64", "declared", "exact", "peer", "tests"]
Special = Literal["inf", "nan", "denormal"]
Ties = Literal["first", "any"]
Precision = Literal["native", "as_written"]
Launches = Literal["fixed", "by_value"]
Kind = Literal["int", "float", "bool"]
Value = int | float | bool | str

FILLS: dict[str, tuple[int, int]] = {
    "normal": (0, 2),
    "uniform": (0, 2),
    "integers": (2, 2),
    "sorted": (2, 2),
    "permutation": (1, 1),
    "bits": (0, 0),
    "constant": (1, 1),
    "zeros": (0, 0),
    "ones": (0, 0),
    "scales": (0, 0),
    "mask": (0, 1),
    "offsets": (1, 1),
    "large": (0, 0),
    "tiny": (0, 0),
    "shifted": (0, 0),
    "spikes": (0, 0),
    "inf": (0, 0),
    "nan": (0, 0),
    "denormal": (0, 0),
}
"""How values are drawn, and how many arguments each takes at least and at most (docs/write-a-spec.md lists them)."""


_LARGEST = 1 << 62

_DEFAULT_STEPS = {"fp64": 256.0, "fp32": 128.0, "fp16": 4.0, "bf16": 4.0}


UNREVIEWED = "# drafted by a model, unreviewed: delete this line once you have read the spec"
"""The first line of a spec that a model wrote; while it stands, every verdict says so."""


class SpecError(ValueError):
    """A declaration that cannot be meant; its message is one sentence for the author."""


def _set(instance: object, name: str, value: object) -> None:
    object.__setattr__(instance, name, value)


def _one_of(what: str, given: object, words: Any) -> None:
    """SpecError where a word is none of those that a field may hold."""
    known = get_args(words)
    if given not in known:
        near = difflib.get_close_matches(str(given), known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise SpecError(f"there is no {what} {given!r}; {hint}")


def _texts(value: str | int | Sequence[str | int]) -> tuple[str, ...]:
    if isinstance(value, str):
        return expr.split(value)
    if isinstance(value, int):
        return (str(value),)
    return tuple(str(part) for part in value)


@dataclass(frozen=True)
class Axis:
    """A size: the kernel must handle every value from `min` to `max` that the other fields allow."""

    min: int = 1
    max: int = 0
    multiple_of: int = 1
    choices: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _set(self, "choices", tuple(self.choices))
        if self.choices:
            _set(self, "min", min(self.choices))
            _set(self, "max", max(self.choices))
        if self.max > _LARGEST:
            raise SpecError("an axis ends at 2**62 at the latest")
        if self.multiple_of < 1 or self.min < 0 or self.max < self.min:
            raise SpecError(f"an axis from {self.min} to {self.max} in steps of {self.multiple_of} holds no size")
        if not self.choices and self.max // self.multiple_of * self.multiple_of < self.min:
            raise SpecError(f"no multiple of {self.multiple_of} lies between {self.min} and {self.max}")

    def __contains__(self, size: object) -> bool:
        if not isinstance(size, int) or isinstance(size, bool):
            return False
        if self.choices:
            return size in self.choices
        return self.min <= size <= self.max and size % self.multiple_of == 0

    def __str__(self) -> str:
        if self.choices:
            return " | ".join(map(str, self.choices))
        step = f", multiple of {self.multiple_of}" if self.multiple_of > 1 else ""
        return f"{self.min}..{self.max}{step}"


@dataclass(frozen=True)
class Fill:
    """How the values of an input are drawn: a name and its arguments, as in "integers(0, V)"."""

    kind: str
    args: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Fill:
        """Reads "normal", "uniform(-1, 1)", "integers(0, V)" and the like."""
        kind, args = expr.call(text)
        if kind not in FILLS:
            raise SpecError(f"there is no fill {kind!r}; there are {', '.join(FILLS)}")
        least, most = FILLS[kind]
        if not least <= len(args) <= most:
            wanted = f"{least} or {most}" if least != most else f"{least}"
            raise SpecError(f"fill {kind!r} takes {wanted} arguments, not {len(args)}")
        return cls(kind, args)

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(self.args)})" if self.args else self.kind


@dataclass(frozen=True)
class Tensor:
    """A tensor by its axes: `Tensor("B, N // 2", "bf16")`."""

    shape: tuple[str, ...]
    dtype: str = "fp32"
    fill: str = ""
    """How values are drawn; by default normal for floats, every bit pattern for integers."""
    strides: tuple[str, ...] = ()
    """Expressions, in elements; none means contiguous."""
    optional: bool = False
    """A case may leave it out; the kernel then gets None."""
    special: tuple[Special, ...] = ()
    """Values beyond the ordinary that the kernel must handle as `reference` does."""

    def __post_init__(self) -> None:
        _set(self, "shape", _texts(self.shape))
        _set(self, "strides", _texts(self.strides))
        _set(self, "special", _texts(self.special))
        if unknown := set(self.special) - set(get_args(Special)):
            raise SpecError(f"special values are {', '.join(get_args(Special))}, not {', '.join(sorted(unknown))}")
        if self.strides and len(self.strides) != len(self.shape):
            raise SpecError(f"{len(self.strides)} strides for {len(self.shape)} dimensions")
        if self.fill:
            Fill.parse(self.fill)

    def filled(self, kind: str) -> Fill:
        """The fill that holds for a format of this kind."""
        return Fill.parse(self.fill or {"float": "normal", "bool": "mask"}.get(kind, "bits"))

    def __str__(self) -> str:
        fill = f" {self.fill}" if self.fill else ""
        strides = f" strides({', '.join(self.strides)})" if self.strides else ""
        return f"{self.dtype}[{', '.join(self.shape)}]{strides}{fill}{' or None' if self.optional else ''}"


@dataclass(frozen=True)
class Scalar:
    """A plain number among the arguments: a constant, an expression over axes, or one of several choices."""

    type: Kind
    value: Value | None = None
    choices: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        _one_of("type of a scalar", self.type, Kind)
        _set(self, "choices", tuple(self.choices))
        if (self.value is None) == (not self.choices):
            raise SpecError("a scalar needs either a value or choices")

    def __str__(self) -> str:
        return f"{self.type} {' | '.join(map(str, self.choices)) if self.choices else self.value}"


@dataclass(frozen=True)
class Numbers:
    """Several whole numbers as one argument of a constructor: a spec's `init` has `("C", 1, 1)`, or a list."""

    items: tuple[str, ...] = ()
    """Expressions, each of which is a whole number in every case."""
    type: Literal["tuple", "list"] = "tuple"

    def __str__(self) -> str:
        items = ", ".join(self.items)
        return f"({items}{',' * (len(self.items) == 1)})" if self.type == "tuple" else f"[{items}]"


def _init(name: str, given: object) -> Scalar | Numbers:
    """A constructor's argument as it is declared: a `Scalar`, or a tuple or list of numbers."""
    if isinstance(given, Scalar | Numbers):
        return given
    if not isinstance(given, tuple | list):
        raise SpecError(f"init: {name} is {given!r}; it must be a Scalar, or a tuple or list of numbers")
    for item in given:
        if type(item) not in (int, str):
            raise SpecError(f"init: {name} holds {item!r}; it may hold whole numbers, and expressions such as 'C // 2'")
    return Numbers(tuple(map(str, given)), "tuple" if isinstance(given, tuple) else "list")


@dataclass(frozen=True)
class Case:
    """Sizes to run at: `Case({"M": 4, "N": 33}, weight=2, without=("bias",))`."""

    sizes: dict[str, Value]
    weight: float = 1.0
    without: tuple[str, ...] = ()
    """Optional inputs that are None here."""

    def __post_init__(self) -> None:
        _set(self, "sizes", dict(self.sizes))
        _set(self, "without", tuple(self.without))
        if not self.weight > 0:
            raise SpecError(f"a case's weight must be above 0, not {self.weight}")

    def __str__(self) -> str:
        sizes = ", ".join(f"{k}={v}" for k, v in self.sizes.items())
        return sizes + (f", without {', '.join(self.without)}" if self.without else "")


@dataclass(frozen=True)
class Tolerance:
    """How far an answer may be from the truth, in steps of the output's own number format."""

    steps: dict[str, float] = field(default_factory=dict)
    """By format name; "*" is any other."""

    def of(self, name: str) -> float:
        """The steps that hold for one format; integers are equal unless their format is named."""
        if resolve(name).kind != "float":
            return self.steps.get(name, 0.0)
        # "fp8_e4m3" names whichever flavour the target has.
        family = "fp8_e4m3" if name.startswith("fp8_e4m3") else name
        others = self.steps.get("*", _DEFAULT_STEPS.get(name, 2.0))
        return self.steps.get(name, self.steps.get(family, others))

    def names(self, name: str) -> bool:
        """Whether the author has said what holds for a format."""
        return bool({name, "fp8_e4m3" if name.startswith("fp8_e4m3") else name, "*"} & set(self.steps))


def _tolerance(given: Any) -> Tolerance:
    """A tolerance as it is declared: steps of every format, or of some by name."""
    steps = given if isinstance(given, Mapping) else {"*": given}
    if not all(isinstance(one, int | float) for one in steps.values()):
        raise SpecError(f'tolerance is {given!r}; it must be a number of steps, or one for each format: {{"fp16": 4}}')
    return Tolerance({name: float(one) for name, one in steps.items()})


Tree = Tensor | tuple["Tree", ...] | dict[str, "Tree"]


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each leaf of a nest of tuples, lists and dicts, with its path ("0", "state.1")."""
    if isinstance(tree, Mapping):
        for key, part in tree.items():
            yield from leaves(part, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, tuple | list):
        for i, part in enumerate(tree):
            yield from leaves(part, f"{path}.{i}" if path else str(i))
    else:
        yield path, tree


@dataclass(frozen=True)
class Spec:
    """What a spec file declares."""

    axes: dict[str, Axis]
    inputs: dict[str, Tensor | Scalar]
    """In the order of the arguments."""
    cases: tuple[Case, ...]
    outputs: Tree | None = None
    """A tensor, or a tuple or dict of them; by default whatever `reference` returns."""
    bench: tuple[Case, ...] = ()
    """Sizes that are timed; by default the largest of `cases`."""
    dtypes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Type names: `{"T": ("fp16", "bf16")}` makes every case that does not choose run with each."""
    where: tuple[str, ...] = ()
    """Relations between axes, all of which hold: "N % G == 0"."""
    contract: Contract = "function"
    init: dict[str, Scalar | Numbers] = field(default_factory=dict)
    """Constructor arguments of a `module`, in their order; `Numbers` are written as a tuple or a list."""
    wrt: tuple[str, ...] = ()
    """Inputs whose gradient is asked for, under `gradient`."""
    changes: tuple[str, ...] = ()
    """Arguments that the kernel changes in place; they are compared like outputs."""
    oracle: Oracle = "float64"
    ties: Ties = "first"
    """With `exact`: whether an index must be the first of equal values, or may be any of them."""
    peer: str = ""
    """With `peer`: the original kernel, as FILE:FUNCTION."""
    tests: str = ""
    """With `tests`: the command, such as "pytest -q tests/test_rope.py"."""
    tolerance: Tolerance = field(default_factory=Tolerance)
    precision: Precision = "native"
    """`as_written`: the reference's own roundings are part of the answer (quantised work)."""
    launches: Launches = "fixed"
    """`by_value`: what is launched may depend on the integers and booleans among the inputs, not on sizes alone."""
    entry: str = ""
    """What a kernel file must define; by default the spec file's name."""
    starter: str = ""
    """A kernel file to begin from, beside the spec."""
    project: str = ""
    """A read-only folder that kernels may import from."""
    files: tuple[str, ...] = ()
    """The files of `project` that may be changed."""

    def __post_init__(self) -> None:
        words = {"contract": Contract, "oracle": Oracle, "ties": Ties, "precision": Precision, "launches": Launches}
        for name, known in words.items():
            _one_of(name, getattr(self, name), known)
        for name in ("where", "wrt", "changes", "files"):
            value = getattr(self, name)
            _set(self, name, (value,) if isinstance(value, str) else tuple(value))
        for name in ("cases", "bench"):
            _set(self, name, tuple(c if isinstance(c, Case) else Case(c) for c in getattr(self, name)))
        _set(self, "init", {name: _init(name, item) for name, item in self.init.items()})
        _set(self, "dtypes", {k: (v,) if isinstance(v, str) else tuple(v) for k, v in self.dtypes.items()})
        if isinstance(self.outputs, list):
            _set(self, "outputs", tuple(self.outputs))
        if not isinstance(self.tolerance, Tolerance):
            _set(self, "tolerance", _tolerance(self.tolerance))

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The tensor inputs."""
        return {name: item for name, item in self.inputs.items() if isinstance(item, Tensor)}

    def format(self, dtype: str, sizes: Mapping[str, Value], target: str = "") -> Format:
        """The number format of a declared dtype in one case on one target."""
        chosen = sizes.get(dtype) if dtype in self.dtypes else dtype
        return resolve(str(chosen), target)


@dataclass(frozen=True)
class Description:
    """A spec as a confined child found it; nothing in it has to be run to be read."""

    name: str
    """The spec file's name, without `.py`."""
    doc: str
    spec: Spec
    arguments: tuple[str, ...]
    """The names that `reference` takes."""
    makes_inputs: bool = False
    """The file defines `make_inputs(case, rng)`."""
    sha256: str = ""
    library: bool = False
    """The file defines `library`, which calls what a vendor has for it: a baseline, and never the truth."""

    @property
    def title(self) -> str:
        """The first line of the docstring."""
        return self.doc.strip().split("\n", 1)[0].strip()

    @property
    def entry(self) -> str:
        """What a kernel file must define."""
        return self.spec.entry or self.name
