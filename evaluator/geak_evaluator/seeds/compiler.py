"""The compiler as an author: a spec's branches traced and compiled once for each variant."""

from __future__ import annotations

import ast
import copy
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch

from geak_evaluator.schema.seed import NEXT, Seed, Seeds
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.target import find
from geak_evaluator.seeds.branches import Branch, CannotSeed, branches
from geak_evaluator.seeds.contracts import graphs
from geak_evaluator.seeds.emit import Options, emit
from geak_evaluator.seeds.graph import Graph
from geak_evaluator.seeds.kernel_file import Compiled, kernel_file
from geak_evaluator.seeds.standalone import standalone
from geak_evaluator.seeds.trouble import sentence

VARIANTS = (
    Options(),
    Options("inductor-persistent", "each reduction holding its whole row at once", persistent=True),
    Options("inductor-unsplit", "without split reductions", {"split_reductions": False}),
    Options("inductor-sums", "with products that another kernel reads kept in fp32", sums=True),
    Options("inductor-wide", "with halves computed in fp32 throughout", wide=True),
)
_HALF, _TWIN = "fp16", "bf16"
_OF_HALVES = frozenset({65504.0, -65504.0, 2.0**-10, 2.0**-14})
"""Numbers in a graph that hold for fp16 alone."""


def seeds(module: types.ModuleType, about: Description, target: str, cpu_s: float) -> Seeds:
    """Every variant whose text differs, the most promising first; after so much of the processor's time, no further."""
    if about.spec.oracle in ("peer", "tests"):
        return Seeds(
            trouble=f"oracle {about.spec.oracle!r} has no reference to compile; begin from the original kernel"
        )
    return _Author(module, about, target, cpu_s).seeds()


_NARROW = "Offsets have 32 bits: no tensor may have 2**31 elements or more."
"""What Inductor guards a kernel by, and no size that can be tried here would show."""


class _Baked(Exception):
    """Numbers on whose value the emitted code depends, so that they cannot be arguments."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(names)))
        self.names = names


@dataclass
class _Author:
    module: types.ModuleType
    about: Description
    target: str
    cpu_s: float
    baked: frozenset[str] = frozenset()
    found: dict[str, Seed] = field(default_factory=dict)
    trouble: str = ""
    _first: list[Compiled] = field(default_factory=list)
    _graphs: dict[tuple[int, bool], dict[str, Graph]] = field(default_factory=dict)

    def seeds(self) -> Seeds:
        for options in VARIANTS:
            if self.found and time.process_time() > self.cpu_s:
                break  # what is there must not be lost over what might be
            if not self._is_worth(options):
                continue
            try:
                self._write(replace(options, exact=self.about.spec.precision == "as_written"))
            except Exception as error:
                self.trouble = self.trouble or sentence(error, self.about.name)
        return Seeds(tuple(self.found.values()), "" if self.found else self.trouble)

    @property
    def _has_halves(self) -> bool:
        return any({_HALF, _TWIN} & set(choices) for choices in self.about.spec.dtypes.values())

    def _is_worth(self, options: Options) -> bool:
        """Whether a variant could differ from what is there, for the better."""
        kernels = [kernel for one in self._first for kernel in one.piece.kernels.values()]
        several = any(len(one.piece.kernels) > 1 for one in self._first)
        if options.persistent:
            return not kernels or any(kernel.reduces for kernel in kernels)
        if "split_reductions" in options.settings:
            return several and any(kernel.reduces for kernel in kernels)
        if options.wide:
            return self._has_halves and (not kernels or (several and not any(kernel.dots for kernel in kernels)))
        if options.sums:
            return several and any(kernel.dots for kernel in kernels)
        return True

    def _write(self, options: Options) -> None:
        while True:
            try:
                compiled = list(self._compiled(options))
                break
            except _Baked as error:
                if error.names <= self.baked:
                    raise CannotSeed(f"{error} is used in a way that emitted code cannot follow") from None
                self.baked |= error.names
                self._graphs.clear()
        self._first = self._first or compiled
        note = f"what torch.compile emits for the reference (torch {torch.__version__}, for {self.target})"
        note += f", {options.about}" if options.about else ""
        note += _of_our_own(compiled)
        text = kernel_file(self.about, self.target, compiled, f"{note[0].upper()}{note[1:]}.\n\n{_NARROW}")
        self.found.setdefault(text.partition('"""\n\n')[2], Seed(options.name, note, text))

    def _compiled(self, options: Options) -> Iterator[Compiled]:
        done: list[Compiled] = []
        for number, branch in enumerate(branches(self.about.spec, self.baked)):
            twins = [one for one in done if _is_twin(one.branch, branch)]
            if twins and all(_may_be_twin(one) for one in twins):
                yield from (_twin(one, branch) for one in twins)
                continue
            for part, graph in self._traced(number, branch, options.wide).items():
                done.append(self._compile(branch, part, graph, options))
                yield done[-1]

    def _traced(self, number: int, branch: Branch, wide: bool) -> dict[str, Graph]:
        if (number, wide) not in self._graphs:
            spec = self.about.spec
            self._graphs[number, wide] = graphs(self.module, spec, branch, self.target, self.baked, wide=wide)
        return self._graphs[number, wide]

    def _compile(self, branch: Branch, part: str, graph: Graph, options: Options) -> Compiled:
        piece = standalone(emit(graph, find(self.target), options), graph)
        if externs := list(dict.fromkeys(extern.name for extern in piece.externs)):
            names = ", ".join(externs)
            raise CannotSeed(f"Inductor leaves {names} to a library, and no template stands in for it; {NEXT}")
        taken = {name for kernel in piece.kernels.values() for name in kernel.scalars}
        if missing := frozenset(graph.markers) - taken - self.baked:
            raise _Baked(missing)
        return Compiled(branch, part, graph, piece)


def _of_our_own(compiled: list[Compiled]) -> str:
    """What of a seed torch.compile would leave to a library unless it is asked, or always."""
    called = {str(node.target) for one in compiled for node in one.graph.module.graph.nodes}
    words = []
    if any(kernel.dots for one in compiled for kernel in one.piece.kernels.values()):
        words.append("products as its native_matmul writes them")
    if any(name.startswith("geak.convolution") for name in called):
        words.append("convolutions by GEAK as products of patches")
    if any(one.piece.functions for one in compiled):
        words.append("attention by a kernel of GEAK's own")
    return f"; {', '.join(words)}" if words else ""


def _is_twin(one: Branch, other: Branch) -> bool:
    """Whether two branches differ in nothing but which half they compute with."""
    types = {name: _TWIN if chosen == _HALF else chosen for name, chosen in one.types.items()}
    return one.types != other.types and replace(one, types=types, hints={}) == replace(other, hints={})


def _may_be_twin(one: Compiled) -> bool:
    """Whether code for the one half is code for the other: no number that only fp16 has, nothing added atomically."""
    numbers = {a for node in one.graph.module.graph.nodes for a in node.args if isinstance(a, float)}
    text = [ast.dump(kernel.function) for kernel in one.piece.kernels.values()]
    return not numbers & _OF_HALVES and not any("atomic" in part for part in text)


def _twin(one: Compiled, branch: Branch) -> Compiled:
    """The same code for the other half."""

    class Other(ast.NodeTransformer):
        def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
            self.generic_visit(node)
            words = (
                {"float16": "bfloat16"} if isinstance(node.value, ast.Name) and node.value.id in ("tl", "torch") else {}
            )
            node.attr = words.get(node.attr, node.attr)
            return node

    piece = copy.deepcopy(one.piece)
    piece.body = [Other().visit(node) for node in piece.body]
    piece.returned = [Other().visit(node) for node in piece.returned]
    for kernel in piece.kernels.values():
        kernel.function = Other().visit(kernel.function)
        kernel.helpers = {name: Other().visit(node) for name, node in kernel.helpers.items()}
    return Compiled(branch, one.part, one.graph, piece)
