"""The page in a real browser: foreign text is text, nothing is fetched, keys suffice, a phone can read it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from geak.report import write, write_each
from tests.report.browser import Browser
from tests.report.conftest import HOSTILE


@pytest.fixture(scope="module")
def pages(kernel_run: Path, dataset_run: Path) -> dict[str, Path]:
    write_each(dataset_run)
    return {"kernel": write(kernel_run), "dataset": write(dataset_run)}


def test_foreign_text_is_shown_as_text(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["kernel"])
    assert chromium.run("document.title").startswith("double: ")
    assert chromium.run("document.querySelectorAll('img').length") == 0
    assert chromium.run("document.scripts.length") == 1
    shown = chromium.run("document.body.textContent")
    assert shown.count(HOSTILE) >= 4  # a prompt, a reply, a source, a difference
    assert chromium.complaints() == []


def test_that_text_would_have_been_a_script(chromium: Browser, tmp_path: Path) -> None:
    """What the test above looks for can be found: put into a page as it is, the text takes the page over."""
    page = tmp_path / "careless.html"
    page.write_text(f"<title>mine</title><pre>{HOSTILE}</pre>")
    chromium.open(page)
    assert chromium.run("document.title") == "owned"
    assert chromium.run("document.querySelectorAll('img').length") == 1


def test_where_escaping_fails_the_policy_holds(chromium: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    careless = pages["kernel"].read_text().replace("<h1>", f"<h1>{HOSTILE}", 1)
    page = tmp_path / "careless.html"
    page.write_text(careless)
    chromium.open(page)
    assert chromium.run("document.title") != "owned"
    assert any("Content Security Policy" in words for words in chromium.complaints())


@pytest.mark.parametrize("name", ["kernel", "dataset"])
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (390, False), (390, True)])
def test_it_needs_nothing_and_fits(
    chromium: Browser, pages: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    chromium.open(pages[name], width=width, dark=dark)
    assert chromium.requests() == [pages[name].resolve().as_uri()]
    assert chromium.complaints() == []
    assert chromium.run("document.documentElement.scrollWidth") <= width  # nothing has to be scrolled sideways
    cut = "[...document.querySelectorAll('svg.chart text')].map(t => [t.getBBox(), t.ownerSVGElement.viewBox.baseVal])"
    cut += ".filter(([b, all]) => b.x < 0 || b.x + b.width > all.width || b.y < 0 || b.y + b.height > all.height)"
    assert chromium.run(f"{cut}.length") == 0  # no label of a chart is cut off
    colours = chromium.run("getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, re.findall(r"\d+", colours))) > 380
    assert light is not dark


def test_links_lead_somewhere(chromium: Browser, pages: dict[str, Path]) -> None:
    for name, page in pages.items():
        chromium.open(page)
        lost = "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => decodeURIComponent(a.getAttribute('href')"
        assert chromium.run(f"{lost}.slice(1))).filter(id => !document.getElementById(id))") == [], name
        out = chromium.run("[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))")
        files = [link for link in out if not link.startswith("#")]
        assert all((page.parent / unquote(link)).is_file() for link in files)
        assert bool(files) is (name == "dataset")


def test_a_table_is_sorted_by_keys_alone(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["dataset"])
    column = "[...document.querySelector('#all-tasks').tBodies[0].rows].map(r => +r.cells[{}].dataset.v)"
    index = chromium.run(
        "[...document.querySelectorAll('#all-tasks th')].findIndex(th => th.innerText.includes('tokens'))"
    )
    chromium.run(f"document.querySelectorAll('#all-tasks th button')[{index - 1}].focus()")
    chromium.press("Tab")
    chromium.press("Enter")
    rising = chromium.run(column.format(index))
    assert rising == sorted(rising)
    assert chromium.run("document.activeElement.closest('th').ariaSort") == "ascending"
    chromium.press("Enter")
    assert chromium.run(column.format(index)) == sorted(rising, reverse=True)
    assert len(set(rising)) > 2


def test_a_filter_leaves_the_rows_that_hold_its_words(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["dataset"])
    chromium.run("document.querySelector('[data-filter]').focus()")
    chromium.type("relu rejected")
    shown = chromium.run(
        "[...document.querySelectorAll('#all-tasks tbody tr')].filter(r => !r.hidden).map(r => r.innerText)"
    )
    assert len(shown) == 1
    assert "level1/19_ReLU" in shown[0]
    assert chromium.run("document.querySelector('#told').textContent") == "1 of 10"


def test_a_candidate_is_opened_from_the_drawing(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["kernel"])
    assert chromium.run("document.getElementById('c1.1').open") is False
    chromium.run("document.querySelector('.tree a').focus()")
    chromium.press("Enter")
    assert chromium.run("new Promise(r => setTimeout(() => r(document.getElementById('c1.1').open)))") is True
