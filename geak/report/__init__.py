"""A run as a page, as Markdown, as JSON, as JUnit XML: views of what its folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from geak.errors import GeakError

Format = Literal["html", "md", "json", "junit"]
NAMES: dict[Format, str] = {"html": "report.html", "md": "report.md", "json": "report.json", "junit": "junit.xml"}
"""How the file is called that is written where nobody says otherwise."""


def make(folder: Path, format: Format = "html") -> str:
    """The report of a run, or of a dataset run, as a text."""
    from geak.metrics.results import load
    from geak.record import load_run

    results = load(folder)
    if format == "junit":
        from geak.report.junit import xml

        return xml(results)
    if format == "html":
        from geak.report import html

        return html.of_kernel(load_run(folder)) if results.kind == "kernel" else html.of_dataset(results)
    if format == "md":
        from geak.report import markdown

        return markdown.of_kernel(load_run(folder)) if results.kind == "kernel" else markdown.of_dataset(results)
    from geak.metrics.summary import summarize
    from geak.report.history import document
    from geak_evaluator.schema import codec

    if results.kind == "kernel":
        return codec.dumps(document(load_run(folder))) + "\n"
    return codec.dumps({"summary": summarize(results), "outcomes": results.outcomes}) + "\n"


def write(folder: Path, format: Format = "html", out: Path | None = None) -> Path:
    """Writes the report whole or not at all, and says where: in the run's folder, where nobody says otherwise."""
    from geak.journal.store import write as write_file

    place = out or folder / NAMES[format]
    # What no text can hold (a lone surrogate of a file that is no UTF-8) is shown as a question mark.
    write_file(place, make(folder, format).encode("utf-8", "replace"))
    return place


def write_each(folder: Path) -> int:
    """The page of every kernel run of a dataset run, in its own folder; those that cannot be read are passed over."""
    from geak.batch.card import kernel_folders, read_card

    count = 0
    for _, _, place in kernel_folders(folder, read_card(folder)):
        try:
            write(place)
        except GeakError:
            continue
        count += 1
    return count
