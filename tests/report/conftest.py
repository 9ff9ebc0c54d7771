"""One kernel run and one dataset run on the stage, made once; and a browser, where the machine has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from geak.api import generate
from tests.cli.conftest import geak as geak
from tests.loop.stage import kernel, options, spec
from tests.report import browser
from tests.report.datasets import dataset

_TAKES_OVER = "document.title='owned'"
HOSTILE = f'</pre></script><script>{_TAKES_OVER}</script><img src=x onerror="{_TAKES_OVER}">{{{{7*7}}}}'
"""What must be shown as text wherever it stands."""


@pytest.fixture(scope="session")
def kernel_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two lineages of three; hostile words in a source, and so in prompts and replies."""
    place = tmp_path_factory.mktemp("kernel")
    words = ("verdict: rejected", HOSTILE)
    kernels = [kernel(1, *words), kernel(2, "verdict: undecided"), kernel(3, "width: 64")]  # to each lineage in turn
    generate(spec(place), **options(place, kernels, goal="best", samples=2, rounds=3))
    return place / "run"


@pytest.fixture(scope="session")
def dataset_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tasks twice: one is solved both times, one once, one never; one was not begun; and one is soft."""
    wrong, right = "verdict: rejected", "verdict: accepted"
    tasks = {
        "softmax": [[kernel(1, right)], [kernel(1, wrong), kernel(2, right)]],
        "level1/19_ReLU": [[kernel(1, right)], [kernel(1, wrong), kernel(2, wrong)]],
        "<i>tags</i>": [[kernel(1, wrong), kernel(2, wrong)], [kernel(1, "final: rejected"), kernel(2, wrong)]],
        "later": [[], []],
        "easy": [[kernel(1, right)], [kernel(1, right)]],
    }
    about = {"softmax": {"category": "norms"}, "level1/19_ReLU": {"category": "moves"}}
    return dataset(tmp_path_factory.mktemp("dataset"), tasks, about=about, soft=["easy"])


@pytest.fixture(scope="session")
def chromium() -> Iterator[browser.Browser]:
    """A browser; where this machine has none, that is said and the test is skipped."""
    program = browser.found()
    if program is None:
        pytest.skip("no Chromium or Chrome here: apt-get install chromium, or set GEAK_BROWSER")
    with browser.Browser(program) as started:
        yield started
