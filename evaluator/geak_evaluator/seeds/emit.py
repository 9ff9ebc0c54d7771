"""Inductor's own source text for a graph, on a device that is only described."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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
}


@dataclass(frozen=True)
class Options:
    """How a variant differs from what torch.compile emits by default."""

    name: str = "inductor"
    about: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    wide: bool = False
    """Halves are computed with as fp32 throughout, also between kernels."""


def emit(graph: Graph, target: Target, options: Options) -> str:
    """The source of Inductor's module for a graph."""
    from torch._inductor import config
    from torch._inductor.debug import DebugContext
    from torch._inductor.graph import GraphLowering
    from torch._inductor.virtualized import V

    known = {**_SETTINGS, **options.settings}
    settings = {name: value for name, value in known.items() if _is_setting(config, name)}
    with described(target), taken_over(), config.patch(settings):
        lowering = GraphLowering(
            graph.module, example_inputs=graph.inputs, shape_env=graph.env, is_inference=True, graph_id=0
        )
        with V.set_graph_handler(lowering), V.set_fake_mode(graph.mode), DebugContext():
            lowering.run(*graph.inputs)
            source = lowering.codegen()[0]
    return getattr(source, "value", source)  # type: ignore[no-any-return]


def _is_setting(config: Any, name: str) -> bool:
    """Settings come and go between versions."""
    place = config
    for part in name.split("."):
        if not hasattr(place, part):
            return False
        place = getattr(place, part)
    return True
