"""Inductor's own source text for a graph, on a device that is only described."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from geak_evaluator.device.simulated import replaced
from geak_evaluator.schema.target import Target
from geak_evaluator.seeds.described import described
from geak_evaluator.seeds.graph import Graph
from geak_evaluator.seeds.matrix import taken_over

_SETTINGS = {
    "compile_threads": 1,
    "assert_indirect_indexing": False,
    "size_asserts": False,
    "nan_asserts": False,
    "alignment_asserts": False,
    "comment_origin": False,
    "benchmark_kernel": False,
    "fx_graph_cache": False,
    "triton.unique_kernel_names": True,
    "triton.descriptive_names": "original_aten",
    "triton.mix_order_reduction": False,
    "triton.cooperative_reductions": False,
    "triton.store_cubin": False,
    "allow_buffer_reuse": False,
    "triton.decompose_sort_ops": True,
}


_EXACT = {"emulate_precision_casts": True, "eager_numerics.division_rounding": True}
OPEN_BLOCK = 1 << 20
"""Stands for a block as wide as a size that is open."""


@dataclass(frozen=True)
class Options:
    """How a variant differs from what torch.compile emits by default."""

    name: str = "inductor"
    about: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    wide: bool = False
    """Halves are computed with as fp32 throughout, also between kernels."""
    sums: bool = False
    """Products of halves that a later kernel reads stay in fp32 between the two."""
    persistent: bool = False
    """Reductions hold all that they reduce at once, however much that is."""
    exact: bool = False
    """Roundings are those of the reference, step by step."""


def emit(graph: Graph, target: Target, options: Options) -> str:
    """The source of Inductor's module for a graph."""
    from torch._inductor import config
    from torch._inductor.debug import DebugContext
    from torch._inductor.graph import GraphLowering
    from torch._inductor.virtualized import V

    known = {**_SETTINGS, **(_EXACT if options.exact else {}), **options.settings}
    settings = {name: value for name, value in known.items() if _is_setting(config, name)}
    with described(target), taken_over(wide=options.sums), _changed(options), config.patch(settings):
        lowering = GraphLowering(
            graph.module, example_inputs=graph.inputs, shape_env=graph.env, is_inference=True, graph_id=0
        )
        with V.set_graph_handler(lowering), V.set_fake_mode(graph.mode), DebugContext():
            lowering.run(*graph.inputs)
            source = lowering.codegen()[0]
    text: Any = source
    return str(getattr(text, "value", text))


@contextlib.contextmanager
def _changed(options: Options) -> Iterator[None]:
    """Decisions of Inductor's for which it has no setting."""
    from torch._inductor import lowering
    from torch._inductor.choices import InductorChoices
    from torch._inductor.codegen.triton import TritonKernel

    own: Any = TritonKernel._get_persistent_RBLOCK

    def block(numel: Any) -> int:
        return OPEN_BLOCK if getattr(numel, "free_symbols", ()) else int(own(numel))

    with contextlib.ExitStack() as undo:
        if options.persistent:
            always = staticmethod(lambda features, cooperative: True)
            undo.enter_context(replaced(InductorChoices, "should_use_persistent_reduction", always))
            undo.enter_context(replaced(TritonKernel, "_get_persistent_RBLOCK", staticmethod(block)))
        if options.exact:  # a division by a constant stays one
            undo.enter_context(replaced(lowering, "get_constant_value", lambda node: None))
        yield


def _is_setting(config: Any, name: str) -> bool:
    """Settings come and go between versions."""
    place = config
    for part in name.split("."):
        if not hasattr(place, part):
            return False
        place = getattr(place, part)
    return True
