"""The compiler as an author: a spec's branches traced and compiled once for each variant."""

from __future__ import annotations

import types
from dataclasses import dataclass

import torch

from geak_evaluator.schema.seed import Seed, Seeds
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.target import find
from geak_evaluator.seeds.branches import Branch, CannotSeed, branches
from geak_evaluator.seeds.emit import Options, emit
from geak_evaluator.seeds.graph import Graph, trace
from geak_evaluator.seeds.kernel_file import kernel_file
from geak_evaluator.seeds.standalone import Piece, standalone

VARIANTS = (Options(), Options("inductor-unsplit", "without split reductions", {"split_reductions": False}))


@dataclass
class _Traced:
    branch: Branch
    graph: Graph


def seeds(module: types.ModuleType, about: Description, target: str) -> Seeds:
    """Every variant whose text differs, the most promising first."""
    if about.spec.oracle in ("peer", "tests"):
        return Seeds(trouble=f"oracle {about.spec.oracle!r} has no reference to compile; begin from the original kernel")
    baked: frozenset[str] = frozenset()
    while True:
        try:
            traced = [_Traced(b, trace(module, about.spec, b, target, baked)) for b in branches(about.spec, baked)]
            return _variants(about, target, traced)
        except _Baked as error:
            if error.names <= baked:
                raise
            baked |= error.names
        except CannotSeed as error:
            return Seeds(trouble=str(error))


class _Baked(Exception):
    """Numbers on whose value the emitted code depends, so that they cannot be arguments."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(names)))
        self.names = names


def _variants(about: Description, target: str, traced: list[_Traced]) -> Seeds:
    found: dict[str, Seed] = {}
    trouble = ""
    for options in VARIANTS:
        pieces: list[tuple[Branch, Piece, list[str]]] = []
        for one in traced:
            piece = standalone(emit(one.graph, find(target), options), one.graph)
            externs = list(dict.fromkeys(extern.name for extern in piece.externs))
            if externs:
                trouble = f"Inductor leaves {', '.join(externs)} to a library, and no template stands in for it yet"
                break
            if one.graph.markers:
                taken = {name for kernel in piece.kernels.values() for name in kernel.scalars}
                missing = frozenset(one.graph.markers) - taken
                fixed = {n for n in missing if n in one.graph.baked}
                if missing - fixed:
                    raise _Baked(missing)
            pieces.append((one.branch, piece, one.graph.outputs))
        else:
            note = f"what torch.compile emits for the reference (torch {torch.__version__}, for {target})"
            if options.about:
                note += f", {options.about}"
            text = kernel_file(about, target, pieces, f"{note[0].upper()}{note[1:]}.")
            body = text.partition('"""\n\n')[2]
            found.setdefault(body, Seed(options.name, note, text))
    return Seeds(tuple(found.values()), trouble)
