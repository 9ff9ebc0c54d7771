"""Whether the model of inner loops tells good tiles from bad: against published tables of tuned configurations.

    python bench/tiles.py TABLES [--keep FOLDER] [--device NAME ...] [--quick] [--json] [--write]

TABLES is a folder with the JSON tables that SGLang ships for its block-scaled 8-bit products
(`N=...,K=...,device_name=...,block_shape=[128, 128].json` in the wheel of the version below, under
`sglang/kernels/ops/gemm/configs`). Each row names the configuration that was fastest on a device for one number of rows
M, out of a search space that its tuning script wrote down. No times are recorded, so this asks only where an order
would have put the winner: 0 for first, 1 for last, 0.5 by chance.

A kernel of the same kind (ours, below) is compiled in every winner's configuration and in some others, drawn from the
search space by a fixed seed; a winner's place is taken among those that were drawn. What does not compile, does not
fit or spills is out. GROUP_SIZE_M is left out of account, as is what a winner was by chance: several
configurations may be as fast. Shapes N, K were split beforehand by the CRC-32 of "N,K": odd ones are held out, and
nothing was chosen by them.

* `DEVICE_rows`, `_drawn`  rows with a winner in the space, and configurations that were drawn
* `DEVICE_ORDER_place`     the mean place of the winner by an order, over the held-out shapes; `_low`, `_high` hold nine
                           of ten means of resampled shapes
* `DEVICE_ORDER_top10`     the share of winners among the first tenth (0.1 by chance)

The orders: `loop`, the model of inner loops; `estimate`, the calibrated estimate without it; `both`, half way between
them by factors, chosen on the other half; `figures`, the compile figures that the tuner goes by where nothing is timed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import statistics
import sys
import tempfile
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import record
import triton
import triton.language as tl

from geak_evaluator.estimate.inner import between
from geak_evaluator.estimate.model import launch
from geak_evaluator.machine_code import amd, amd_loops, nvidia, nvidia_loops
from geak_evaluator.machine_code.compile import Compiled, Compiler
from geak_evaluator.machine_code.cores import CORES
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Level
from geak_evaluator.schema import codec
from geak_evaluator.schema.estimate import Traffic, Work
from geak_evaluator.schema.machine_code import Figures
from geak_evaluator.tune import order

DATASET = "sglang 0.5.23, sglang/kernels/ops/gemm/configs"
DEVICES = {
    "A100": ("NVIDIA_A100-SXM4-80GB", "sm_80", "int8"),
    "H100": ("NVIDIA_H100_80GB_HBM3", "sm_90", "float8_e4m3fn"),
    "H200": ("NVIDIA_H200", "sm_90", "float8_e4m3fn"),
    "MI300X": ("AMD_Instinct_MI300X", "gfx942", "float8_e4m3fnuz"),
}
"""What a table calls a device, the target that it is, and the operands' type there. An H200 has an H100's units."""
SPACES = {
    "cuda": ((16, 32, 64, 128, 256), (32, 64, 128, 256), (64, 128), (4, 8), (2, 3, 4, 5)),
    "hip": ((32, 64, 128, 256), (16, 32, 64, 128, 256), (32, 64, 128), (4, 8), (2,)),
}
"""Rows, columns and depth of a tile, warps, stages: what SGLang's tuning_block_wise_kernel.py tries."""
SAMPLE, QUICK = 100, 20
FIRST = 0.1

Config = tuple[int, int, int, int, int]
Score = Callable[["Row", Config, Figures], float]


@triton.jit
def scaled_product(
    a, b, scales_a, scales_b, c, M, N, K,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
    GROUP: tl.constexpr, DEPTH: tl.constexpr, NOTHING: tl.constexpr,
):  # fmt: skip
    """A product of rows and columns in 8 bits; each 128 of the depth have a scale on either side."""
    program, tall, wide = tl.program_id(0), tl.cdiv(M, BM), tl.cdiv(N, BN)
    first = program // (GROUP * wide) * GROUP
    high = min(tall - first, GROUP)
    within = program % (GROUP * wide)
    row, column = first + within % high, within // high
    rows, columns = (row * BM + tl.arange(0, BM)) % M, (column * BN + tl.arange(0, BN)) % N
    inner = tl.arange(0, BK)
    left, right = a + rows[:, None] * K + inner[None, :], b + columns[None, :] * K + inner[:, None]
    total = tl.zeros((BM, BN), tl.float32)
    for turn in range(tl.cdiv(K, BK)):
        rest = K - turn * BK
        x = tl.load(left, mask=inner[None, :] < rest, other=NOTHING)
        y = tl.load(right, mask=inner[:, None] < rest, other=NOTHING)
        s = tl.load(scales_a + rows * (K // DEPTH) + turn * BK // DEPTH)
        t = tl.load(scales_b + columns // DEPTH * (K // DEPTH) + turn * BK // DEPTH)
        total += tl.dot(x, y).to(tl.float32) * s[:, None] * t[None, :]
        left += BK
        right += BK
    at, by = row * BM + tl.arange(0, BM), column * BN + tl.arange(0, BN)
    tl.store(c + at[:, None] * N + by[None, :], total.to(tl.bfloat16), mask=(at[:, None] < M) & (by[None, :] < N))


@dataclass(frozen=True)
class Row:
    """One shape on one device, and the configuration that was fastest there."""

    device: str
    m: int
    n: int
    k: int
    winner: Config

    @property
    def held_out(self) -> bool:
        """Whether nothing was chosen by it."""
        return zlib.crc32(f"{self.n},{self.k}".encode()) % 2 == 1

    def work(self, config: Config) -> Work:
        """What a launch asks for, in closed form: each program reads its rows and columns once."""
        bm, bn, bk, _, _ = config
        programs = math.ceil(self.m / bm) * math.ceil(self.n / bn)
        turns = math.ceil(self.k / bk)
        read = programs * (min(bm, self.m) + min(bn, self.n)) * self.k
        operands = (self.m + self.n) * self.k
        written = 2.0 * self.m * self.n
        return Work(
            "scaled_product",
            (programs, 1, 1),
            programs,
            read=Traffic(read, read / 32, read / min(bk, 128), read, operands),
            written=Traffic(written, written / 32, written / 128, written, written),
            dots={"int8" if DEVICES[self.device][2] == "int8" else "fp8": 2.0 * programs * bm * bn * turns * bk},
            products=turns,
            tile=bm * bn,
            vector=4.0 * programs * bm * bn * turns,
            turns=turns,
            longest=turns,
            steps=turns,
        )


def rows_of(folder: Path, device: str) -> Iterator[Row]:
    """The rows of a device's tables; those with options that the search space lacks are left out."""
    name = DEVICES[device][0]
    space = set(space_of(device))
    for path in sorted(folder.glob("N=*.json")):
        found = re.match(rf"N=(\d+),K=(\d+),device_name={re.escape(name)},.*block_shape=\[128, ?128\]", path.name)
        for m, said in json.loads(path.read_text()).items() if found else ():
            keys = ("BLOCK_SIZE_M", "BLOCK_SIZE_N", "BLOCK_SIZE_K", "num_warps", "num_stages")
            winner = tuple(said[key] for key in keys)
            if said.keys() <= {*keys, "GROUP_SIZE_M", "waves_per_eu"} and winner in space:
                yield Row(device, int(m), int(found[1]), int(found[2]), winner)


def space_of(device: str) -> list[Config]:
    """Every configuration that was tried there."""
    kind = "hip" if DEVICES[device][1].startswith("gfx") else "cuda"
    return list(product(*SPACES[kind]))


# -- machine code --


def compiled(keep: Path, device: str, wanted: list[Config]) -> dict[Config, Figures]:
    """The figures of every configuration that can be launched and does not spill; texts are kept, and read anew."""
    _, target, kind = DEVICES[device]
    folder = keep / target
    folder.mkdir(parents=True, exist_ok=True)
    missing = [config for config in wanted if not (folder / f"{_name(config)}.json").exists()]
    if missing:
        with Sandbox(minimum=Level.BASE) as box:
            compiler = Compiler(box, workers=1)
            for number, config in enumerate(missing):
                started = time.perf_counter()
                one = _compile(compiler, target, kind, config)
                said = {"figures": codec.to_json(one.figures), "failure": codec.to_json(one.failure)}
                (folder / f"{_name(config)}.s").write_text(one.assembly)
                (folder / f"{_name(config)}.json").write_text(json.dumps(said))
                words = f"{number + 1} of {len(missing)} {target} {_name(config)} {time.perf_counter() - started:.1f} s"
                print(words, file=sys.stderr, flush=True)
    found = {}
    for config in wanted:
        said = json.loads((folder / f"{_name(config)}.json").read_text())
        figures = codec.from_json(Figures, said["figures"]) if said["figures"] and not said["failure"] else None
        if figures is not None and not order.spilled(figures):
            text = (folder / f"{_name(config)}.s").read_text()
            code, _, _ = text.rpartition("\t.amdgpu_metadata") if target.startswith("gfx") else (text, "", "")
            reader, counts = (
                (amd_loops.loops, amd._counts) if target.startswith("gfx") else (nvidia_loops.loops, nvidia._counts)
            )
            found[config] = replace(figures, loops=reader(CORES[target], code, counts), products=1)
    return found


def _name(config: Config) -> str:
    return "-".join(map(str, config))


def _compile(compiler: Compiler, target: str, kind: str, config: Config) -> Compiled:
    import torch

    from geak_evaluator import device
    from geak_evaluator.machine_code import frontend

    bm, bn, bk, warps, stages = config
    operand, scale = torch.zeros(16, dtype=getattr(torch, kind)), torch.zeros(16)
    launches: list[Any] = []
    with device.activate(target, on_launch=launches.append, compile=False, execute=False):
        scaled_product[(1,)](
            operand, operand, scale, scale, torch.zeros(16, dtype=torch.bfloat16), 1024, 1536, 7168,
            BM=bm, BN=bn, BK=bk, GROUP=16, DEPTH=128, NOTHING=0 if kind == "int8" else 0.0,
            num_warps=warps, num_stages=stages,
        )  # fmt: skip
    (one,) = compiler.figures_of(frontend.lower(launches, [target]))
    return one


# -- orders --


def by_loop(row: Row, config: Config, code: Figures) -> float:
    """The model of inner loops."""
    made = launch(DEVICES[row.device][1], row.work(config), code)
    return made.inner.us if made.inner is not None else math.inf


def by_estimate(row: Row, config: Config, code: Figures) -> float:
    """The calibrated estimate, to which an inner loop is what its counts say."""
    return launch(DEVICES[row.device][1], row.work(config), code).us


def by_both(row: Row, config: Config, code: Figures) -> float:
    """What the tuner goes by: between the two, by factors."""
    return between(launch(DEVICES[row.device][1], row.work(config), code))


def by_figures(row: Row, config: Config, code: Figures) -> float:
    """What the tuner goes by where nothing is timed: compile figures, and no sizes."""
    return order.badness(order.figures((code,), 1 / (1 / config[0] + 1 / config[1])), dot=True)


ORDERS: dict[str, Score] = {"loop": by_loop, "estimate": by_estimate, "both": by_both, "figures": by_figures}


def placed(row: Row, codes: dict[Config, Figures], drawn: set[Config], score: Score) -> tuple[float, float]:
    """Where an order puts the winner, from 0 to 1, and how likely it is among the first tenth; equals share places."""
    mine = score(row, row.winner, codes[row.winner])
    scores = [score(row, config, codes[config]) for config in codes.keys() & (drawn | {row.winner})]
    before, equal = sum(one < mine for one in scores), sum(one == mine for one in scores)
    few = FIRST * len(scores)
    return (before + (equal - 1) / 2) / max(len(scores) - 1, 1), min(1.0, max(0.0, (few - before) / equal))


def measure(
    device: str, rows: list[Row], codes: dict[Config, Figures], drawn: set[Config]
) -> tuple[record.Figures, dict[str, Any]]:
    """Every figure of one device, and what was found on the half by which things were chosen."""
    known = [row for row in rows if row.winner in codes]
    figures: record.Figures = {f"{device}_rows": len(known), f"{device}_drawn": len(codes.keys() & drawn)}
    chosen: dict[str, Any] = {"rows_out": len(rows) - len(known)}
    for name, score in ORDERS.items():
        shapes: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
        for row in known:
            shapes[row.n, row.k].append(placed(row, codes, drawn, score))
        held = {(row.n, row.k) for row in known if row.held_out}
        for label, some in (("held", held), ("chosen", shapes.keys() - held)):
            places = [place for shape in some for place in shapes[shape]]
            if places:
                said = {
                    f"{device}_{name}_place": statistics.mean(place for place, _ in places),
                    f"{device}_{name}_top10": statistics.mean(first for _, first in places),
                }
                if label == "held":
                    low, high = _resampled([[place for place, _ in shapes[shape]] for shape in sorted(some)])
                    figures |= said | {f"{device}_{name}_place_low": low, f"{device}_{name}_place_high": high}
                    figures[f"{device}_held_rows"] = len(places)
                else:
                    chosen |= said
    return {name: round(float(value), 3) for name, value in figures.items()}, chosen


def _resampled(shapes: list[list[float]], times: int = 1000) -> tuple[float, float]:
    """An interval for the mean: shapes are drawn, not rows, which are not independent."""
    rng = random.Random(0)
    means = sorted(
        statistics.mean(place for shape in rng.choices(shapes, k=len(shapes)) for place in shape) for _ in range(times)
    )
    return means[times // 20], means[-times // 20]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder of one's own for the machine code")
    parser.add_argument("--device", nargs="+", choices=DEVICES, default=list(DEVICES))
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK} configurations of each space, and rows whose winner is among them",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="keep the JSON in bench/results/")
    chosen = parser.parse_args()
    if chosen.write and (chosen.quick or len(set(chosen.device)) < len(DEVICES)):
        parser.error("--write keeps full runs only")
    figures: record.Figures = {}
    halves: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="geak-tiles-") as fresh:
        for device in chosen.device:
            rows = list(rows_of(chosen.tables, device))
            if not rows:
                parser.error(f"no table of {DEVICES[device][0]} in {chosen.tables}")
            drawn = random.Random(0).sample(space_of(device), QUICK if chosen.quick else SAMPLE)
            wanted = dict.fromkeys((*drawn, *(() if chosen.quick else (row.winner for row in rows))))
            codes = compiled(chosen.keep or Path(fresh), device, list(wanted))
            more, halves[device] = measure(device, rows, codes, set(drawn))
            figures |= more
    facts = record.facts() | {"load_after": os.getloadavg(), "sandbox": "base", "dataset": DATASET, "chosen_by": halves}
    record.report("tiles", figures, facts, {}, "the places of published winners, 0 first and 1 last", chosen)


if __name__ == "__main__":
    main()
