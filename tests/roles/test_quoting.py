"""Foreign text in a prompt: bounded, clean, and never out of its block."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geak.roles.quoting import capped, clean, fenced, inline, without_paths

NASTY = st.text(st.sampled_from("`~ \n\t\r\x00\x1b[]m/\\\"'ab.\u202e\u2028\ud800\x85"), max_size=200)
FENCES = st.lists(st.sampled_from(["```", "````", "`", "~~~", "\n", "text", " "]), max_size=20).map("".join)
ANY = st.one_of(
    FENCES, st.text(max_size=300), NASTY, st.binary(max_size=200).map(lambda b: b.decode("utf-8", "surrogateescape"))
)


@given(ANY, st.sampled_from(["text", "python"]))
def test_nothing_closes_its_block(text: str, kind: str) -> None:
    first, *inside, last = fenced(text, kind).split("\n")
    fence = first.removesuffix(kind)
    assert set(fence) == {"`"}
    assert last == fence
    assert not any(fence in line for line in inside)


@given(ANY)
def test_what_is_shown_can_be_shown(text: str) -> None:
    for shown in (clean(text), fenced(text), inline(text)):
        shown.encode()
        kinds = {unicodedata.category(c) for c in shown if c not in "\n\t"}
        assert not kinds & {"Cc", "Cs", "Zl", "Zp"}
        assert "\u202e" not in shown


@given(ANY, st.integers(60, 400))
def test_a_text_has_a_length(text: str, most: int) -> None:
    assert len(capped(text * 9, most)) <= most
    assert len(inline(text * 9, most)) <= most
    frame = 2 * max([3, *(len(run) + 1 for run in re.findall("`+", text * 9))]) + len("text\n\n")
    assert len(fenced(text * 9, most=most)) <= most + frame


def test_head_and_tail_are_kept() -> None:
    text = capped("first " + "x" * 9000 + " last", 500)
    assert text.startswith("first")
    assert text.endswith("last")
    assert "9011 characters" in text
    assert fenced("first " + "x" * 9000 + " last", most=500).endswith(" last\n```")


@given(ANY)
def test_a_few_words_are_one_line_without_backticks(text: str) -> None:
    assert not set("\n`") & set(inline(text))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('File "/home/jo/work/k.py", line 3', 'File "k.py", line 3'),
        ('File "/home/jo doe/my work/k.py", line 3', 'File "k.py", line 3'),
        ("no such file: /tmp/geak-x1/k.py", "no such file: k.py"),
        ("at:/var/lib/x/y.so: no", "at:y.so: no"),
        ("in ~/.cache/geak/x and /root/.triton/", "in x and ~"),
        ("it is /home/jo", "it is ~"),
        ("'/Users/jo' is a folder", "'~' is a folder"),
        (r"C:\Users\jo\k.py", "k.py"),
        ("https://triton-lang.org/main/index.html", "https://triton-lang.org/main/index.html"),
        ("x // 4 / y, 3/4, a/b/c", "x // 4 / y, 3/4, a/b/c"),
    ],
)
def test_paths_become_names(said: str, shown: str) -> None:
    assert without_paths(said) == shown


def test_code_keeps_what_looks_like_a_path() -> None:
    assert "'/a/b/c'" in fenced("x = '/a/b/c'", "python")
    assert "/a/b" not in fenced("x = '/a/b/c'")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x1b\\text", "text"),
        ("a\r\nb\rc\x0bd\u2028e", "a\nb\nc\nd\ne"),
        ("nul\x00 bell\x07 del\x7f", "nul bell del"),
        ("right\u202eleft \u200bgap", "rightleft gap"),
        ("half \ud83d", "half \ufffd"),
        ("π ≤ 4 日本", "π ≤ 4 日本"),
    ],
)
def test_marks_that_are_no_text_are_gone(said: str, shown: str) -> None:
    assert clean(said) == shown
