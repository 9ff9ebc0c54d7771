"""Writes a drafted spec: the `Spec(...)`, with a `# CHECK:` on each line that a person has to look at."""

from __future__ import annotations

import re

from geak.drafting.sketch import Sketch, quoted


def spec_text(result: Sketch, more: list[str]) -> str:
    """The `spec = Spec(...)` statement; `more` are further arguments, as source."""
    lines = ["spec = Spec("]
    lines += _mapping("axes", {a.name: a.text for a in result.axes}, result)
    if any(f'"{result.type_name}"' in t for t in result.inputs.values()):
        lines.append(f'    dtypes={{"{result.type_name}": {tuple_text(list(result.wanted.formats))}}},')
    lines += _mapping("inputs", result.inputs, result)
    if result.init:
        lines += _mapping("init", result.init, result)
    if result.where:
        lines.append(f"    where={tuple_text(result.where)},")
    lines += [f"    {text}," for text in more]
    if result.checks.get("outputs"):
        lines.append("   " + _comment(result, "outputs")[1:])
    lines += ["    cases=[" + _comment(result, "cases")]
    for number, sizes in enumerate(result.cases):
        plain = _dict(sizes)
        lines.append(f"        {plain},")
        if result.optional and number == min(1, len(result.cases) - 1):
            lines.append(f"        Case({plain}, without={tuple_text(result.optional)}),")
    lines.append("    ],")
    if result.bench:
        lines.append("    bench=[")
        lines += [f"        {_dict(sizes)}," for sizes in result.bench]
        lines.append("    ],")
    return "\n".join([*lines, ")"])


def tuple_text(texts: list[str]) -> str:
    """A tuple of strings as source."""
    return f"({', '.join(map(quoted, texts))}{',' if len(texts) == 1 else ''})"


def _dict(sizes: dict[str, object]) -> str:
    return "{" + ", ".join(f'"{k}": {v!r}' for k, v in sizes.items()) + "}"


def _mapping(name: str, entries: dict[str, str], result: Sketch) -> list[str]:
    if not entries:
        return [f"    {name}={{}}," + _comment(result, name)]
    lines = [f"    {name}={{" + _comment(result, name)]
    lines += [
        f'        "{key}": {text},{_comment(result, key) if name != "axes" else ""}' for key, text in entries.items()
    ]
    return [*lines, "    },"]


def _comment(result: Sketch, place: str) -> str:
    asked = [q for q in result.checks.get(place, []) if q]
    return "  # CHECK: " + " ".join("; ".join(asked).split()) if asked else ""


def uses(text: str) -> str:
    """The import of the spec's words that a file uses."""
    words = [w for w in ("Axis", "Case", "Scalar", "Spec", "Tensor") if re.search(rf"\b{w}\(", text)]
    return f"from geak_evaluator import {', '.join(words)}"
