"""A spec file's text from what a format has read off a task's data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from geak.drafting.render import tuple_text, uses

Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Written:
    """All that a spec file says, each declaration as source."""

    doc: str
    axes: Mapping[str, str]
    inputs: Mapping[str, str]
    cases: Sequence[Sizes]
    body: str
    """What follows the spec: `reference`, and `make_inputs` where there is one."""
    where: Sequence[str] = ()
    outputs: str = ""
    bench: Sequence[tuple[Sizes, float]] = ()
    """Sizes that are timed, each with its weight."""
    optional: Sequence[str] = ()
    """Inputs that are left out once, in a case of their own."""
    more: Sequence[str] = field(default=())
    """Further arguments of the spec, as source."""

    @property
    def text(self) -> str:
        """The whole file."""
        lines = ["spec = Spec(", *_mapping("axes", self.axes), *_mapping("inputs", self.inputs)]
        lines += [f"    where={tuple_text(list(self.where))},"] if self.where else []
        lines += [f"    outputs={self.outputs},"] if self.outputs else []
        lines += [f"    {one}," for one in self.more]
        lines += ["    cases=[", *dict.fromkeys(f"        {dict(sizes)!r}," for sizes in self.cases)]
        if self.optional:
            lines.append(f"        Case({dict(self.cases[-1])!r}, without={tuple(self.optional)!r}),")
        lines.append("    ],")
        if self.bench:
            lines += ["    bench=[", *(f"        {_timed(*one)}," for one in self.bench), "    ],"]
        spec = "\n".join([*lines, ")"])
        return f"{docstring(self.doc)}\n\nimport torch\n{uses(spec)}\n\n{spec}\n\n\n{self.body.strip()}\n"


def docstring(text: str) -> str:
    """A text as the docstring of a file, whatever stands in it."""
    plain = text.replace("\\", "\\\\").replace('"""', "'''").strip()
    return f'"""{plain}{" " if plain.endswith(chr(34)) else ""}"""'


def largest(bench: Sequence[tuple[Sizes, float]], most: int) -> list[tuple[Sizes, float]]:
    """At most so many of the timed cases, spread over their order; the weights of those left out go to the next."""
    if len(bench) <= most:
        return list(bench)
    kept: list[tuple[Sizes, float]] = []
    for number in range(most):
        part = bench[number * len(bench) // most : (number + 1) * len(bench) // most]
        kept.append((part[-1][0], sum(weight for _, weight in part)))
    return kept


def plural(count: int, what: str) -> str:
    """ "1 call", "2,000 calls"."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def _timed(sizes: Sizes, weight: float) -> str:
    return repr(dict(sizes)) if weight == 1 else f"Case({dict(sizes)!r}, weight={weight:g})"


def _mapping(name: str, entries: Mapping[str, str]) -> list[str]:
    inner = [f"        {json.dumps(key)}: {text}," for key, text in entries.items()]
    return [f"    {name}={{", *inner, "    },"] if inner else [f"    {name}={{}},"]
