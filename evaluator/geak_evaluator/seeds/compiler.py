"""The compiler as an author: a spec's branches traced and compiled once for each variant."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from geak_evaluator.schema.seed import Seed, Seeds
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.target import find
from geak_evaluator.seeds.branches import Branch, CannotSeed, branches
from geak_evaluator.seeds.contracts import graphs
from geak_evaluator.seeds.emit import Options, emit
from geak_evaluator.seeds.graph import Graph
from geak_evaluator.seeds.kernel_file import Compiled, kernel_file
from geak_evaluator.seeds.standalone import standalone

VARIANTS = (
    Options(),
    Options("inductor-unsplit", "without split reductions", {"split_reductions": False}),
    Options("inductor-wide", "with halves computed in fp32 throughout", wide=True),
)


def seeds(module: types.ModuleType, about: Description, target: str) -> Seeds:
    """Every variant whose text differs, the most promising first."""
    if about.spec.oracle in ("peer", "tests"):
        return Seeds(trouble=f"oracle {about.spec.oracle!r} has no reference to compile; begin from the original kernel")
    return _Author(module, about, target).seeds()


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
    baked: frozenset[str] = frozenset()
    found: dict[str, Seed] = field(default_factory=dict)
    trouble: str = ""
    _graphs: dict[tuple[int, bool], dict[str, Graph]] = field(default_factory=dict)

    def seeds(self) -> Seeds:
        for options in VARIANTS:
            try:
                self._write(options)
            except CannotSeed as error:
                self.trouble = self.trouble or str(error)
        return Seeds(tuple(self.found.values()), "" if self.found else self.trouble)

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
        note = f"what torch.compile emits for the reference (torch {torch.__version__}, for {self.target})"
        note += f", {options.about}" if options.about else ""
        text = kernel_file(self.about, self.target, compiled, f"{note[0].upper()}{note[1:]}.")
        self.found.setdefault(text.partition('"""\n\n')[2], Seed(options.name, note, text))

    def _compiled(self, options: Options) -> Iterator[Compiled]:
        for number, branch in enumerate(branches(self.about.spec, self.baked)):
            for part, graph in self._traced(number, branch, options.wide).items():
                yield self._compile(branch, part, graph, options)

    def _traced(self, number: int, branch: Branch, wide: bool) -> dict[str, Graph]:
        if (number, wide) not in self._graphs:
            spec = self.about.spec
            self._graphs[number, wide] = graphs(self.module, spec, branch, self.target, self.baked, wide=wide)
        return self._graphs[number, wide]

    def _compile(self, branch: Branch, part: str, graph: Graph, options: Options) -> Compiled:
        piece = standalone(emit(graph, find(self.target), options), graph)
        if externs := list(dict.fromkeys(extern.name for extern in piece.externs)):
            names = ", ".join(externs)
            raise CannotSeed(
                f"Inductor leaves {names} to a library, and no template stands in for it; "
                "draft the kernel with a model, or begin from one of your own"
            )
        taken = {name for kernel in piece.kernels.values() for name in kernel.scalars}
        if missing := frozenset(graph.markers) - taken - self.baked:
            raise _Baked(missing)
        return Compiled(branch, part, graph, piece)
