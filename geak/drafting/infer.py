"""From the arguments of a function to the inputs of a spec: reads it until every shape is settled."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from geak.drafting.arguments import Argument
from geak.drafting.dims import Dim, parse, unify
from geak.drafting.layers import built
from geak.drafting.shapes import Reader
from geak.drafting.source import Function, Source
from geak.drafting.values import Arr, Config, Known, Layer, Num, Seq, Value, constant

LETTERS = {
    "num_heads": "H", "n_heads": "H", "heads": "H", "n_head": "H", "nhead": "H", "num_attention_heads": "H",
    "num_kv_heads": "KV", "n_kv_heads": "KV", "num_key_value_heads": "KV", "head_dim": "D", "dim_head": "D",
    "dim": "D", "hidden_size": "D", "d_model": "D", "embed_dim": "D", "n_embd": "D", "features": "D",
    "normalized_shape": "D", "channels": "C", "num_channels": "C", "hidden_dim": "F", "intermediate_size": "F",
    "d_ff": "F", "in_features": "K", "out_features": "N", "in_channels": "C", "out_channels": "O",
    "vocab_size": "V", "num_embeddings": "V", "num_groups": "G", "groups": "G", "group_size": "G",
    "num_experts": "E", "n_experts": "E", "max_seq_len": "L", "block_size": "L",
}  # fmt: skip

_DEFAULTS = {0: (), 1: ("N",), 2: ("M", "N"), 3: ("B", "S", "D"), 4: ("B", "H", "S", "D")}
_VECTORS = frozenset(["weight", "w", "bias", "b", "gamma", "beta", "scale", "shift", "norm_weight", "g"])
_ATTENTION = ("q", "k", "v", "query", "key", "value", "xq", "xk", "xv")
_KEYS = {"v": "k", "value": "key", "xv": "xk"}
_TWINS = re.compile(r"residual|y$|other|out|gate|up$|d(y|o|out)$|grad|v$|k$|values?$")
_DIMENSION = frozenset(["dim", "axis", "dim0", "dim1", "start_dim", "end_dim", "ndim"])


@dataclass
class Reading:
    """What a function turned out to do with its arguments."""

    tensors: dict[str, Arr] = field(default_factory=dict)
    numbers: dict[str, Dim] = field(default_factory=dict)
    returned: list[Value] = field(default_factory=list)
    stores: set[str] = field(default_factory=set)
    guessed: set[str] = field(default_factory=set)
    """Tensors of which nothing said how many dimensions they have."""
    paired: list[str] = field(default_factory=list)
    """Keys and values that were taken to go with the query."""


def flat(arguments: list[Argument]) -> list[Argument]:
    """The arguments with bundles and tuples replaced by what they hold."""
    return [inner for a in arguments for inner in (flat(list(a.fields)) if a.kind in ("bundle", "numbers") else [a])]


def read(
    source: Source,
    function: Function,
    arguments: list[Argument],
    module: ast.ClassDef | None,
    init: list[Argument],
) -> Reading:
    """Reads a function again and again, each time with the ranks that the last reading settled."""
    ranks: dict[str, int] = {}
    guessed: set[str] = set()
    tensors = [a for a in flat(arguments) if a.kind == "tensor"]
    for _ in range(2 * len(tensors) + 3):
        reading = _once(source, function, arguments, module, init, ranks)
        found = {n: len(a.dims) for n, a in reading.tensors.items() if a.dims is not None and n not in ranks}
        if not found:
            open_ = [a for a in tensors if a.name not in ranks]
            if not open_:
                break
            known_twin = [a for a in open_ if a.name in _ATTENTION and ranks.keys() & set(_ATTENTION)]
            first = next((a for a in [*known_twin, *open_] if a.name not in _VECTORS), open_[0])
            least = reading.tensors[first.name].least
            roles = reading.tensors[first.name].roles
            guess = 1 if roles & {"index", "offsets"} or first.name in _VECTORS else 2
            if _TWINS.match(first.name) and ranks:
                guess = max(ranks.values())
            if first.name in _ATTENTION:
                guess = max([ranks[n] for n in _ATTENTION if n in ranks] or [4])
            guess = first.rank if first.rank == 1 else max(guess, first.rank)
            guess = next((ranks[n] for n in (first.like, *first.twins) if n in ranks), guess)
            found = {first.name: max(least, guess)}
            guessed |= {first.name} if not least else set()
        ranks |= found
    for argument in tensors:
        if argument.into is not None and argument.into[0] in reading.tensors:
            other, along = argument.into
            reading.tensors[argument.name].mark(argument.role, reading.tensors[other].at(along))
    for argument in tensors:
        if argument.like in reading.tensors and argument.name not in _VECTORS:
            _as_strided(reading, argument, guessed)
    _pair(reading)
    for argument in tensors:
        if _as_addressed(reading, argument, guessed):
            guessed.discard(argument.name)
    for name in sorted(guessed):  # the same draft every time
        _like_another(reading, name, guessed)
    reading.guessed = guessed
    return reading


def _as_strided(reading: Reading, argument: Argument, guessed: set[str]) -> None:
    """Takes a tensor that is walked with another's strides to have its shape, where the code says nothing else."""
    own, other = reading.tensors[argument.name].dims or [], reading.tensors[argument.like].dims or []
    if argument.name not in guessed or len(own) != len(other):
        return
    for one, two in zip(own, other, strict=True):
        if one.free and two.free and not (one.root().name and two.root().name):
            unify(one, two)
    if argument.like not in guessed:
        guessed.discard(argument.name)


def _as_addressed(reading: Reading, argument: Argument, guessed: set[str]) -> bool:
    """Takes over what kernels show of a shape, as far as the code says nothing else; whether that was all of it."""
    own = reading.tensors[argument.name].dims or []
    if argument.extent and len(own) == 1 and argument.name in guessed:
        sizes = [v for a in reading.tensors.values() for d in a.dims or [] for v in d.variables()]
        size = next((v for v in sizes if v.name == argument.extent), None)
        if size is not None:
            unify(own[0], size)
            return True
    known = False
    for name in argument.twins:
        other = reading.tensors[name].dims or [] if name in reading.tensors else []
        for one, two in zip(own, other, strict=False) if len(own) == len(other) else ():
            if one.free and two.free and not (one.root().name and two.root().name):
                unify(one, two)
        known |= len(own) == len(other) and name not in guessed
    return known


def _like_another(reading: Reading, name: str, guessed: set[str]) -> None:
    """A tensor of which nothing is known, such as a residual that only a kernel sees, goes along with a known one."""
    array = reading.tensors[name]
    others = {n: a for n, a in reading.tensors.items() if n not in guessed and a.dims}
    elsewhere = {id(v) for n, a in reading.tensors.items() if n != name for d in a.dims or [] for v in d.variables()}
    alone = [d.free and not d.root().name and id(d.root()) not in elsewhere for d in array.dims or []]
    same_rank = {n: a for n, a in others.items() if a.dims and len(a.dims) == len(alone)}
    like = same_rank.get(_KEYS.get(name, "")) or next(iter(same_rank.values()), None)
    returned = next((v for v in reading.returned if isinstance(v, Arr) and v.dims), None)
    if name in _VECTORS and len(alone) == 1 and alone[0] and others:
        unify(array.at(0), (returned or next(iter(others.values()))).at(-1))
    elif like is not None and _TWINS.match(name):
        for one, other, open_ in zip(array.dims or [], like.dims or [], alone, strict=True):
            if open_:
                unify(one, other)


def _pair(reading: Reading) -> None:
    """Keys and values share the query's batch and heads where the code itself says nothing of theirs."""
    for trio in (_ATTENTION[:3], _ATTENTION[3:6], _ATTENTION[6:]):
        known = [(n, a.dims) for n in trio if (a := reading.tensors.get(n)) is not None and a.dims]
        for (_, before), (name, sizes) in itertools.pairwise(known):
            if len(before) != len(sizes):
                continue
            every = [id(v) for a in reading.tensors.values() for d in a.dims or [] for v in d.variables()]
            for one, size in list(zip(before, sizes, strict=True))[:-2]:
                if size.free and not size.root().name and every.count(id(size.root())) == 1:
                    unify(size, one)
                    reading.paired += [name] if name not in reading.paired else []


def _once(
    source: Source,
    function: Function,
    arguments: list[Argument],
    module: ast.ClassDef | None,
    init: list[Argument],
    ranks: dict[str, int],
) -> Reading:
    written: dict[str, Dim] = {}

    def named(name: str) -> Dim:
        return written.setdefault(name, Dim() if name.startswith("?") else Dim(name=name, strength=1))

    reading = Reading()
    for number in flat([*arguments, *init]):
        if number.kind == "int" and not _fixed(number):
            dim = Dim(name=LETTERS.get(number.name, number.name.upper()), strength=5)
            reading.numbers[number.name] = written[number.name] = dim
    values = {a.name: _value(a, ranks, named, reading) for a in arguments}
    trailing = frozenset(a.name for a in flat(arguments) if a.name in _VECTORS or a.name.endswith(("weight", "bias")))
    reader = Reader(source, trailing)
    try:
        if module is not None:
            made = {a.name: _value(a, ranks, named, reading) for a in init}
            self = built(reader, module, [], {k: v for k, v in made.items() if not _absent(v)})
            first = next(iter([*function.args.posonlyargs, *function.args.args]), None)
            values[first.arg if first is not None else "self"] = self if isinstance(self, Layer) else Value()
        reading.returned = [reader.call(function, values)]
    except RecursionError:
        pass  # what was read so far holds; the rest is asked
    reading.stores = reader.stores
    return reading


def _fixed(argument: Argument) -> bool:
    """A number that names a dimension, or that stays, and so is no size."""
    value = argument.literal
    return argument.fixed or (isinstance(value, int) and (value < 0 or argument.name in _DIMENSION))


def _absent(value: Value) -> bool:
    return type(value) is Value


def _value(argument: Argument, ranks: dict[str, int], named: Callable[[str], Dim], reading: Reading) -> Value:
    if argument.kind == "bundle" and argument.passed[:1] == "{":
        return Config({f.name: _value(f, ranks, named, reading) for f in argument.fields})
    if argument.kind == "bundle":
        inner = {f.name: _value(f, ranks, named, reading) for f in argument.fields}
        return Seq(list(inner.values())) if argument.passed[:1] in "[(" else Config(inner)
    if argument.kind == "tensor":
        array = Arr(origin=argument.name, dtype=argument.hint.dtype)
        shape = argument.hint.shape
        if shape is not None:
            parts = [p for p in shape if p != "..."]
            array.dims = [(named(p) if p[1:] and p[0] == "?" else parse(p, named)) or Dim() for p in parts]
            if len(parts) < len(shape):
                array.dims.insert(shape.index("..."), Dim())
        elif argument.name in ranks:
            array.dims = [Dim() for _ in range(ranks[argument.name])]
        array.roles |= {argument.role} - {""}
        reading.tensors[argument.name] = array
        return array
    if argument.kind == "int":
        dim = reading.numbers.get(argument.name)
        return Num(dim if dim is not None else Dim(int(str(argument.literal))))
    if argument.kind in ("float", "bool"):
        return Known(0.5 if argument.kind == "float" else argument.literal)
    if argument.kind == "numbers":
        return Seq([Num(dim) for dim in several(argument, named)])
    return constant(argument.default)


def several(argument: Argument, named: Callable[[str], Dim]) -> list[Dim]:
    """What a tuple or list of numbers holds."""
    node = ast.parse(argument.passed, mode="eval").body
    parts = node.elts if isinstance(node, ast.Tuple | ast.List) else []
    return [parse(ast.unparse(part), named) or Dim() for part in parts]


def names(reading: Reading, order: list[str], taken: set[str]) -> dict[int, str]:
    """A name for every size that the arguments depend on."""
    chosen: dict[int, str] = {}
    used = set(taken)

    def choose(variable: Dim, *defaults: str) -> None:
        name = variable.name
        if id(variable) in chosen or not (name.isidentifier() or defaults):
            return
        own = reading.numbers.get(name)
        if not name.isidentifier():
            name = next(n for n in (*defaults, *(f"{defaults[0]}{i}" for i in range(3, 1000))) if n not in used)
        elif name in used and not (own is not None and own.root() is variable):  # an argument that is another thing
            name = next(n for n in (name.upper(), *(f"{name}{i}" for i in range(2, 1000))) if n not in used)
        chosen[id(variable)] = name
        used.add(name)

    shapes = [reading.tensors[n].dims or [] for n in order if n in reading.tensors]
    shaped = [(v, dims, i) for dims in shapes for i, size in enumerate(dims) for v in size.variables()]
    for variable, _, _ in shaped:  # names from the code come first, so that no default takes one
        choose(variable)
    for variable, dims, i in shaped:
        places = _DEFAULTS.get(len(dims), ())
        if len(dims) > 2 and dims[1].root().name == "C":
            places = ("B", "C", "H", "W") if len(dims) == 4 else ("B", "C", "L")
        own_place = i < len(places) and dims[i].root() is variable
        choose(variable, *((places[i], f"{places[i]}2") if own_place else tuple("NKDLPQRUVWXYZ")))
    # A number that sizes no tensor comes last: it must not take a name from one that does.
    for variable in (v for n in order if n in reading.numbers for v in reading.numbers[n].variables()):
        choose(variable, "N", "K")
    return chosen
