"""One file that needs no other: templates, style and script are put into it, and nothing else may run or be fetched."""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geak.metrics.results import Results
from geak.metrics.summary import summarize
from geak.record import Run
from geak.version import __version__
from geak.words import flat

if TYPE_CHECKING:
    import jinja2

_TEMPLATES = Path(__file__).parent / "templates"


def of_kernel(run: Run) -> str:
    """The page of one kernel run."""
    from geak.report.kernel import page
    from geak.report.tree import tree

    return _render("kernel.html.j2", run.folder, page=page(run), tree=tree(run.population))


def of_dataset(results: Results) -> str:
    """The page of a dataset run."""
    from geak.report.dataset import page

    return _render("dataset.html.j2", results.folder, page=page(results, summarize(results)))


def _render(name: str, folder: Path, **values: Any) -> str:
    from markupsafe import Markup

    style, script = (_asset(asset) for asset in ("style.css", "script.js"))
    # Even text that escaped its escaping could not run or fetch anything: the page's own two texts are all it allows.
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    return (
        _environment()
        .get_template(name)
        .render(
            **values,
            policy=policy,
            style=Markup(style),
            script=Markup(script),
            version=__version__,
            folder=flat(str(folder)),
        )
    )


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=10,
    )


def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
