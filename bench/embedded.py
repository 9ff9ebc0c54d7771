"""What the embedded default ends with over the starter set: a compiler's kernels, with no language model.

    python bench/embedded.py [--keep FOLDER] [--jobs N] [--minutes M] [--quick] [--json] [--write]

For each spec its seeds are judged in turn under policy `pure` and the full tier, for gfx942 and sm_90, until one is
accepted.

* `specs`, `run`   how many there are, and how many of them were run
* `emitted`        for how many a compiler writes at least one kernel
* `accepted`       for how many one of these is accepted
* `compiled_*`     whose kernel compiles for the target (read off machine code, whether right or wrong)

Of every other spec the record names the cause.
"""

from __future__ import annotations

import seeded

from geak.judge import Judge
from geak.specs import shipped
from geak_evaluator.schema.verdict import Policy

QUICK = ("softmax", "rms_norm", "matmul")
GOALS = {"accepted": (">=", 20.0)}


def examine(judge: Judge, name: str) -> seeded.Record:
    """What became of one spec."""
    return seeded.tried(judge, shipped() / f"{name}.py", (Policy.PURE,))


def main() -> None:
    chosen = seeded.options(__doc__, f"{', '.join(QUICK)} only").parse_args()
    names = [path.stem for path in sorted(shipped().glob("*.py")) if not chosen.quick or path.stem in QUICK]
    found = seeded.all_of(names, examine, chosen)
    seeded.report("embedded", {"specs": float(len(names)), "run": float(len(found))}, {}, names, found, GOALS, chosen)


if __name__ == "__main__":
    main()
