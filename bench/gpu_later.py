"""What a result of bench/gpu.py comes to beside estimates: run on any machine, once the device is another's again.

    python bench/gpu_later.py bench/results/gpu-nvidia-h200-2026-12-01.json

Adds to each `kernel:NAME` what was estimated, and its share of the product's bandwidth and of its matrix units' rate;
to the variants of each kernel their estimates, and how many pairs that the device tells apart these put in its order.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from geak.specs import shipped
from geak_evaluator.estimate.devices import DEVICES
from geak_evaluator.judge import Judge
from geak_evaluator.measure.floor import bandwidth
from geak_evaluator.profiling import profile
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.schema.estimate import Estimate
from geak_evaluator.tune.reading import read
from geak_evaluator.tune.writing import written
from tests.gpu.place import starter

APART = 1.1
"""Two times further apart than this are in an order that an estimate should know."""


def shares(estimate: Estimate, product: str, us: float) -> dict[str, float]:
    """What is estimated, and what a time is of the data sheet's rates."""
    device, works = DEVICES[estimate.target], [part.work for part in estimate.parts if part.work is not None]
    moved = sum(work.read.unique + work.written.unique for work in works)
    dots = [(format, count) for work in works for format, count in work.dots.items()]
    products = sum(count / (1e6 * device.matrix.get(format, device.matrix["fp16"])) for format, count in dots)
    found = {"of_memory": moved / 1e3 / bandwidth(estimate.target, product) / us, "of_matrix": products / us}
    return {"estimated_us": estimate.us, **{name: share for name, share in found.items() if share}}


def in_order(pairs: list[tuple[float, float]]) -> tuple[int, int]:
    """How many pairs of times (measured, estimated) are told apart, and how many of them are in the same order."""
    apart = [
        (a[0] - b[0]) * (a[1] - b[1]) > 0
        for n, a in enumerate(pairs)
        for b in pairs[:n]
        if max(a[0], b[0]) > APART * min(a[0], b[0])
    ]
    return len(apart), sum(apart)


def add(known: dict[str, Any], judge: Judge, specs: Path) -> None:
    """Estimates to every step that has times."""
    product, target = known["device"], known["target"]

    def estimated(name: str, case: str, values: dict[str, Any] | None, us: float) -> dict[str, float]:
        file, source = starter(name, specs)
        if values is not None:
            space = read(source)
            left: dict[str, Any] = dict.fromkeys(space.present)
            source = written(space, {**left, **values}, target)
        estimate = profile(judge, file, source, target=target, case=case, gpus=()).estimate
        return shares(estimate, product, us) if estimate is not None and not estimate.trouble else {}

    pairs: dict[str, list[tuple[float, float]]] = {}
    for step, result in known["steps"].items():
        kind, _, name = step.partition(":")
        if kind == "kernel" and "us" in result:
            result |= estimated(name, result["case"], None, result["us"])
            print(step, {key: result.get(key) for key in ("us", "estimated_us", "of_memory", "of_matrix")}, flush=True)
        if kind == "variants" and result.get("variants"):
            for one in result["variants"]:
                one |= estimated(name.partition(":")[0], result["case"], one["values"], one["us"])
                if "estimated_us" in one:
                    pairs.setdefault(name.partition(":")[0], []).append((one["us"], one["estimated_us"]))
    known["in_order"] = {}
    for name, times in pairs.items():
        count, ordered = in_order(times)
        known["in_order"][name] = {"pairs": count, "in_order": ordered}
        print(f"variants:{name}  {ordered} of {count} pairs in order")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path, help="what bench/gpu.py has written")
    parser.add_argument("--specs", type=Path, default=shipped(), help="a folder of specs, with kernels/")
    options = parser.parse_args()
    known = json.loads(options.result.read_text())
    with Sandbox() as box:
        add(known, Judge(box), options.specs)
    options.result.write_text(json.dumps(known, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
