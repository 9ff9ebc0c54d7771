"""Writes the spec file that recorded calls suggest."""

from __future__ import annotations

from geak_evaluator.recording.merge import Record
from geak_evaluator.recording.suggest import suggest


def spec_file(record: Record, target: str) -> str:
    """A spec file with everything but the reference: its axes, inputs and cases as they were recorded."""
    found = suggest(record)
    lines = ['"""What ' + target.partition(":")[2] + " computes: say it here.", ""]
    lines += [f"Its cases were recorded: {record.total} calls of {target}, {len(record.calls)} of them distinct."]
    declared = " ".join(["Spec(", *found.axes.values(), *found.inputs.values(), *found.cases])
    words = [word for word in ("Axis", "Case", "Scalar", "Spec", "Tensor") if f"{word}(" in declared]
    lines += ['"""', "", f"from geak_evaluator import {', '.join(words)}", ""]
    lines += [f"# CHECK: {' '.join(note.split())}" for note in found.notes]
    lines += ["spec = Spec("]
    for name, entries in (("axes", found.axes), ("dtypes", found.dtypes), ("inputs", found.inputs)):
        if entries:
            lines += [f"    {name}={{", *(f'        "{k}": {v},' for k, v in entries.items()), "    },"]
        elif name != "dtypes":
            lines.append(f"    {name}={{}},")
    lines += ["    cases=[", *(f"        {case}," for case in found.cases), "    ],", ")", "", ""]
    lines += [
        f"def reference({', '.join(found.inputs)}):",
        '    raise NotImplementedError("write what it computes")',
        "",
    ]
    return "\n".join(lines)
