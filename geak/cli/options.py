"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

WeakSandbox = Annotated[
    bool,
    typer.Option(
        "--allow-weak-sandbox",
        help="Go on where the sandbox cannot confine foreign code as it should (docs/security.md).",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]
Targets = Annotated[
    list[str],
    typer.Option(
        "--target",
        "-t",
        help="A GPU, by architecture or product: gfx942, MI300X, sm_90, H100, ... The first is proved on; "
        "repeat it for more.",
    ),
]
JudgeCommand = Annotated[
    str,
    typer.Option("--judge", envvar="GEAK_JUDGE", help="How to start the judge, if not on this machine's Python."),
]
