"""Every starter kernel under the full tier, compiled for every target that can be described.

    python bench/starter.py [--quick] [--json] [--write]

* `kernels`        how many starter specs have a kernel
* `accepted`       how many of them the judge accepts
* `compiled`       kernels times targets that compile and fit
* `unsupported`    kernels times targets where the target lacks a number format that the spec asks for
* `refused`        kernels times targets that do not compile or do not fit

The record names, for each kernel and target, what the compiler says of the kernel that holds most.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import record

from geak.judge import Judge
from geak.judge_process import command
from geak.specs import shipped
from geak_evaluator.schema.target import TARGETS
from geak_evaluator.schema.verdict import Code, Status, Verdict

QUICK = ("softmax", "matmul", "fp8_quantize")
GOALS = {"refused": ("<=", 0.0)}


def measure(names: list[str]) -> tuple[record.Figures, dict[str, Any]]:
    """The counts, and what was found for each kernel."""
    kernels = [(shipped() / f"{name}.py", (shipped() / "kernels" / f"{name}.py").read_text()) for name in names]
    found: dict[str, Any] = {}
    counts: Counter[str] = Counter(kernels=len(names), accepted=0, compiled=0, unsupported=0, refused=0)
    with Judge(command(workers=0)) as judge:
        for number, verdict in judge.evaluate_all(kernels, targets=tuple(TARGETS)):
            if not isinstance(verdict, Verdict):
                raise SystemExit(f"{names[number]}: {verdict}")
            counts["accepted"] += verdict.status is Status.ACCEPTED
            for code in verdict.code:
                counts[_word(code)] += 1
            targets = {code.target: _said(code) for code in verdict.code}
            found[names[number]] = {"verdict": verdict.line(), "targets": targets}
        sandbox = judge.hello.sandbox
    known = record.facts() | {"load_after": os.getloadavg(), "sandbox": sandbox}
    return {name: float(count) for name, count in counts.items()}, known | {"found": dict(sorted(found.items()))}


def _word(code: Code) -> str:
    if code.cause is None:
        return "compiled"
    return "unsupported" if code.cause.value == "unsupported" else "refused"


def _said(code: Code) -> str:
    return code.brief if code.cause is None else f"{code.cause.value}: {code.message.splitlines()[0]}"


def main() -> None:
    chosen = record.options(__doc__, "a few kernels only")
    names = [path.stem for path in sorted((shipped() / "kernels").glob("*.py"))]
    figures, known = measure([name for name in names if not chosen.quick or name in QUICK])
    record.report("starter", figures, known, GOALS, "every starter kernel, every target", chosen)


if __name__ == "__main__":
    main()
