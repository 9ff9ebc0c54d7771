"""First kernels for KernelBench's references, levels 1 and 2, that no language model wrote.

    python bench/kernelbench.py CHECKOUT [--level 1 2] [--every N] [--keep FOLDER] [--jobs N] [--minutes M]
                                [--since RECORD [--anew REGEX]] [--quick] [--json] [--write]

CHECKOUT is ScalingIntelligence/KernelBench at the commit below. Each file is drafted into a spec (fp32, its own sizes
scaled down for a CPU) and seeded with what a compiler emits for its reference. The seeds are judged in turn under the
full tier for gfx942 and sm_90: under policy `pure` first, and under `mixed` where the work needs a library's operation.
Code of a file runs in the judge's sandbox alone.

* `drafted`, `described`     files that become a spec, and specs that the judge can read
* `emitted`                  specs for which a compiler writes at least one kernel
* `accepted_pure`, `_mixed`  specs with a seed that the judge accepts, by the policy that it needs
* `compiled_*`               specs whose kernel compiles for the target (read off machine code, whether right or wrong)

Counts are over the files that were run. Of every other file the record names the cause. Each file has the hour and
the commit at which it was run: with `--since`, what an earlier record has accepted is taken over as it is.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import seeded

from geak.drafting import DraftError, Wanted, from_torch
from geak.judge import Judge

DATASET = "ScalingIntelligence/KernelBench@423217d9fda91e0c2d67e4a43bf62f96f6d104f1"
SCALED = Wanted(formats=("fp32",), elements=4096)
QUICK = 40


def examine(checkout: Path, specs: Path, judge: Judge, name: str) -> seeded.Record:
    """What became of one file."""
    try:
        made = from_torch(checkout / f"{name}.py", wanted=SCALED)
    except DraftError as error:
        return {"outcome": "not_drafted", "why": str(error), "seeds": {}, "tried": [], "compiled": []}
    path = specs / f"{name.replace('/', '_')}.py"
    path.write_text(made.text)
    return seeded.tried(judge, path) | {"asked": list(made.questions)}


def main() -> None:
    parser = seeded.options(__doc__, f"each {QUICK}th file")
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--level", type=int, nargs="+", choices=(1, 2), default=[1, 2])
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each Nth file of a level")
    chosen = parser.parse_args()
    every = QUICK if chosen.quick else chosen.every
    if chosen.write and (every > 1 or len(set(chosen.level)) < 2):
        parser.error("--write keeps runs over all files only")
    folder = chosen.checkout / "KernelBench"
    names = [name for level in chosen.level for name in _names(folder, level)[::every]]
    if not names:
        parser.error(f"no such files in {folder}")
    order = sorted(names, key=lambda name: names.index(name) % 10)  # where time is up, all kinds have had their share
    with tempfile.TemporaryDirectory(prefix="geak-kernelbench-") as fresh:
        specs = chosen.keep or Path(fresh)
        found = seeded.all_of(order, lambda judge, name: examine(folder, specs, judge, name), chosen)
    drafted = [one for one in found.values() if one["outcome"] != "not_drafted"]
    figures = {
        "files": float(len(names)),
        "run": float(len(found)),
        "drafted": float(len(drafted)),
        "described": float(sum(one["outcome"] != "not_described" for one in drafted)),
    }
    more = {"dataset": DATASET, "elements": SCALED.elements}
    seeded.report("kernelbench", figures, more, names, found, {}, chosen)


def _names(folder: Path, level: int) -> list[str]:
    found = sorted((folder / f"level{level}").glob("*.py"), key=lambda path: int(path.stem.split("_")[0]))
    return [f"level{level}/{path.stem}" for path in found]


if __name__ == "__main__":
    main()
