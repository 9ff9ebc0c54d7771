"""The checkouts that CI has: small ones, laid out as their benchmarks are. A new format adds a row and a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
WEIGHTS = "it needs weights of a model and the network"


@dataclass(frozen=True)
class Row:
    """One checkout, and what is to be found in it."""

    folder: str
    format: str
    contracts: dict[str, str]
    """By task that can run here, the contract that its spec has."""
    cannot: dict[str, str]
    """By task that cannot, a part of the reason."""
    run: str = ""
    """The task that goes through a whole run; "" where none does."""

    @property
    def root(self) -> Path:
        """Where it lies."""
        return HERE / self.folder


ROWS = (
    Row(
        "kernelbench",
        "kernelbench",
        dict.fromkeys(("level1/19_Hinge", "level2/7_Linear_Shift_Sigmoid", "level2/11_Conv2d_Swish_BiasAdd"), "module"),
        {"level4/2_somebody-tiny_bs1_seq8": WEIGHTS},
        "level1/19_Hinge",
    ),
    Row(
        "multikernelbench",
        "multikernelbench",
        {"activation/soft_clip": "module", "npukernelbench_level0/3_row_scale": "module"},
        {"npukernelbench_level0/9_row_shift": "9_row_shift.json, are not beside it"},
        "npukernelbench_level0/3_row_scale",
    ),
    Row(
        "robust_kbench",
        "robust-kbench",
        {
            "kernelbench/level_1/task_7/forward": "module",
            "tiny_linear/forward": "module",
            "tiny_linear/backward": "gradient",
        },
        {},
        "tiny_linear/forward",
    ),
    Row(
        "flashinfer",
        "flashinfer-bench",
        {"rmsnorm/scaled_rms_h4096": "function", "gqa_paged/mean_of_pages_h8_kv2_d64_ps16": "function"},
        {"sampling/draw_v512": "drawn at random"},
        "rmsnorm/scaled_rms_h4096",
    ),
    Row(
        "backendbench",
        "backendbench",
        {
            **dict.fromkeys(("add.Tensor", "add.Tensor~2", "embedding_dense_backward.default"), "function"),
            **dict.fromkeys(("mm.default", "relu_.default"), "function"),
        },
        {"abs.default": "nothing that a spec can say", "bernoulli_.float": "at random", "view.default": "a view"},
        "relu_.default",
    ),
)
