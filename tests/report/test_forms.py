"""A report as each form of file: what it says, what it must not become, and how large it may be."""

from __future__ import annotations

import html
import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import geak
from geak.batch.card import Chosen, dataset_hash, kernel_folder, read_card, write_card
from geak.errors import UsageError
from geak.journal.events import Judged, Moved, Written
from geak.journal.store import Journal
from geak.metrics.results import load
from geak.metrics.summary import summarize, write_summary
from geak.report import NAMES, Format, make, write, write_each
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.timing import Interval, State, Timing
from geak_evaluator.schema.verdict import Status, Tier
from tests.journal.samples import begun, developed, verdict
from tests.report.conftest import HOSTILE

TEXT = HOSTILE


class Page(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("format", NAMES)
@pytest.mark.parametrize("kind", ["kernel_run", "dataset_run"])
def test_it_is_written_beside_the_run(
    kind: str, format: Format, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = request.getfixturevalue(kind)
    assert write(folder, format) == folder / NAMES[format]
    elsewhere = write(folder, format, tmp_path / "mine")
    assert elsewhere.read_text() == make(folder, format) == (folder / NAMES[format]).read_text()


def test_the_answer_comes_first(kernel_run: Path, dataset_run: Path) -> None:
    one, many = (Page(make(folder)).text for folder in (kernel_run, dataset_run))
    assert "A kernel was accepted: candidate 1.3" in one
    order = [make(kernel_run).index(text) for text in ("<h1>A kernel was", "<h2>Figures", "<h2>Lineage", "<h2>How it")]
    assert order == sorted(order)
    assert "3 of 8 runs ended with an accepted kernel: 37.5 %" in many
    assert "Apart from that, policy pure, soft tasks: 2 of 2 accepted." in many
    assert "2 runs not begun, counted as failed." in many
    assert "not measured" in many


def test_every_number_says_where_it_is_from(kernel_run: Path) -> None:
    marks = [attrs.get("class") for tag, attrs in Page(make(kernel_run)).tags if tag == "b"]
    assert {"how compiled", "how measured", "how estimated"} <= set(marks)


def test_a_page_asks_for_nothing(kernel_run: Path, dataset_run: Path) -> None:
    for folder in (kernel_run, dataset_run):
        page = Page(make(folder))
        assert not [a for tag, a in page.tags if "src" in a or tag in ("link", "iframe", "object", "img", "base")]
        assert "http:" not in make(folder).replace("http-equiv", "")
        (policy,) = [a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a]
        assert policy is not None
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert not [a for _, a in page.tags if "style" in a or any(name.startswith("on") for name in a)]


def test_markdown_cannot_be_taken_over(tmp_path: Path) -> None:
    bad = "![x](http://evil/) <b> | `code`\n# heading"
    wrong = verdict(Status.REJECTED)
    hostile = replace(wrong, cases=(replace(wrong.cases[0], message=bad),))
    with Journal.create(tmp_path / "run") as journal:
        for event in (begun(), *developed("1.1", 0)[:-4]):
            journal.append(event)
        source = journal.keep("```\n# not the end\n```")
        journal.append(Written("1.1", source))
        journal.append(Judged("1.1", Tier.FULL, hostile))
    text = make(tmp_path / "run", "md")
    assert "\\!\\[x\\](http://evil/) \\<b\\> \\| \\`code\\` \\# heading" in text
    assert "````python\n```\n# not the end\n```\n````" in text


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\udc80", "\u202e", "\ufffe"])
def test_no_character_breaks_a_file(tmp_path: Path, char: str) -> None:
    text = f"a{char}b"
    with Journal.create(tmp_path / "run") as journal:
        wrong = verdict(Status.REJECTED)
        hostile = replace(wrong, log=text, cases=(replace(wrong.cases[0], message=text),))
        for event in (begun(spec=text), *developed("1.1", 0)[:1]):
            journal.append(event)
        journal.append(Written("1.1", journal.keep(text)))
        journal.append(Judged("1.1", Tier.FULL, hostile))
    for format in NAMES:
        file = write(tmp_path / "run", format)
        data = file.read_bytes().decode("utf-8")
        if format != "json":
            assert char not in data
        if format == "junit":
            ElementTree.fromstring(data)


def test_json_holds_the_summary_and_each_outcome(dataset_run: Path, kernel_run: Path) -> None:
    found = json.loads(make(dataset_run, "json"))
    assert len(found["outcomes"]) == 10
    (group, soft) = found["summary"]["groups"]
    assert (group["tasks"], group["accepted"], soft["soft"]) == (4, 3, True)
    assert group["causes"] == {"wrong_values": 3, "not_begun": 2}
    assert json.loads(make(kernel_run, "json"))["best"] == "1.3"
    write_summary(dataset_run)
    assert json.loads((dataset_run / "summary.json").read_text()) == found["summary"]


def test_junit_is_what_ci_reads(dataset_run: Path) -> None:
    suite = ElementTree.fromstring(make(dataset_run, "junit"))
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "10",
        "failures": "3",
        "errors": "2",
        "skipped": "0",
    }
    cases = {case.get("name"): case for case in suite}
    assert list(cases["softmax (repeat 1)"]) == []
    assert cases["softmax (repeat 1)"].get("classname") == "staged.norms"
    (failure,) = cases["<i>tags</i> (repeat 1)"]
    assert (failure.tag, failure.get("message")) == ("failure", "wrong values")
    assert cases["later (repeat 1)"][0].tag == "error"


def timed(ratio: float, **more: Any) -> Timing:
    """One case beside eager torch."""
    shown = (Case({"N": 64}), "AMD Instinct MI300X", "gfx942", "eager")
    ends = Interval(ratio * 0.95, ratio * 1.05)
    measured = Timing(*shown, candidate_us=20.0 / ratio, baseline_us=20.0, ratio=ratio, interval=ends, sol_us=6.0)
    return replace(measured, **more)


def measured_run(folder: Path, full: tuple[Timing, ...], final: tuple[Timing, ...] = ()) -> None:
    """A run whose one candidate is accepted, and timed so by the two tiers."""
    with Journal.create(folder) as journal:
        for event in (begun(), *developed("1.1", 0)[:3]):
            journal.append(event)
        journal.append(Written("1.1", journal.keep("source")))
        journal.append(Judged("1.1", Tier.FULL, replace(verdict(), timings=full)))
        journal.append(Judged("1.1", Tier.FINAL, replace(verdict(), tier=Tier.FINAL, timings=final)))


def test_a_measured_run_says_its_speed(tmp_path: Path) -> None:
    measured_run(tmp_path / "run", (timed(2.0),))
    text = Page(make(tmp_path / "run")).text
    assert "2.00x" in text
    assert "1.90 to 2.10 over eager torch, AMD Instinct MI300X" in text
    assert "Not measured" not in text
    (found,) = load(tmp_path / "run").outcomes
    assert found.speed is not None
    assert found.speed.ratios == {"eager": pytest.approx(2.0)}
    assert "fast_1 over eager" in str([m.title for g in summarize(load(tmp_path / "run")).groups for m in g.metrics])


def test_where_the_final_tier_timed_it_only_its_word_counts(tmp_path: Path) -> None:
    """A figure that it found too noisy is not replaced by the loop's lucky one."""
    noisy = timed(2.0, state=State.NOISY)
    measured_run(tmp_path / "slower", (timed(2.0),), (timed(1.6),))
    measured_run(tmp_path / "noisy", (timed(2.0),), (noisy,))
    assert "1.52 to 1.68 over eager torch" in Page(make(tmp_path / "slower")).text
    text = Page(make(tmp_path / "noisy")).text
    assert "no figure of it may be quoted" in text
    assert "1.90 to 2.10 over eager torch" not in text
    (found,) = load(tmp_path / "noisy").outcomes
    assert found.speed is None


def test_five_hundred_kernels_are_one_page_that_a_browser_takes(dataset_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    runs = sorted((dataset_run / "kernels").glob("*/1"))
    names = [f"level{n % 3}/{n}_some_kernel_of_a_benchmark" for n in range(500)]
    for n, name in enumerate(names):
        home = kernel_folder(folder, name, 1)
        home.mkdir(parents=True)
        shutil.copy(runs[n % len(runs)] / "events.jsonl", home)
    tasks = tuple(Chosen(name, "0", category=f"level {n % 3}") for n, name in enumerate(names))
    card = replace(read_card(dataset_run), tasks=tasks, dataset_sha256=dataset_hash(tasks), repeats=1)
    write_card(folder, card)
    page = make(folder)
    assert len(page.encode()) < 200_000
    assert page.count("<tr>") > 500


def test_a_long_run_is_one_page_and_says_what_it_left_out(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "run") as journal:
        journal.append(begun())
        for n in range(1, 41):
            reply = journal.keep(f"{n} " + "word " * 30_000)
            for event in developed(f"{n}.1", 2 * n):
                journal.append(replace(event, reply=reply) if hasattr(event, "reply") else event)
    page = make(tmp_path / "run")
    assert len(page.encode()) < 5_000_000
    assert "left out to keep this page small" in page
    assert "word word" in page


def test_every_kernel_of_a_set_has_its_page(dataset_run: Path) -> None:
    assert write_each(dataset_run) == 8
    links = [
        a["href"] for tag, a in Page(make(dataset_run)).tags if tag == "a" and "report.html" in (a.get("href") or "")
    ]
    assert len(links) == 8


def test_a_journal_that_cannot_be_read_counts_as_failed_and_is_named(dataset_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(dataset_run, folder)
    (folder / "kernels" / "softmax" / "1" / "events.jsonl").write_text('{"event":"nonsense"}\n')
    results = load(folder)
    assert [o.cause for o in results.outcomes if o.task == "softmax"] == ["not_judged", ""]
    assert "softmax, repeat 1, counts as failed" in results.notes[0]
    assert "softmax, repeat 1, counts as failed" in html.unescape(make(folder))


def test_tasks_that_could_not_be_run_are_in_no_metric(dataset_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(dataset_run, folder)
    (folder / "skipped.jsonl").write_text('{"task": "later", "why": "it needs a GPU"}\n')
    results = load(folder)
    assert [(one.task, one.reason) for one in results.skipped] == [("later", "it needs a GPU")]
    assert summarize(results).groups[0].tasks == 3
    assert "it needs a GPU" in make(folder)


def test_what_is_no_run_is_told(tmp_path: Path, dataset_run: Path) -> None:
    with pytest.raises(UsageError, match="holds neither a run nor a dataset run"):
        make(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(UsageError, match=r"dataset\.json cannot be read"):
        make(tmp_path)


def test_a_run_under_way_can_be_reported(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "run") as journal:
        for event in (begun(), Moved(developed("1.1", 0)[0].move)):  # type: ignore[union-attr]
            journal.append(event)
        assert "Under way: no kernel has been accepted yet" in make(tmp_path / "run")
    assert isinstance(geak.load_run(tmp_path / "run"), geak.Run)
