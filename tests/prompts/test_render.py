"""The templates' machinery: strict, with a user's own in front, and clear about what a template asks for in vain."""

from __future__ import annotations

from pathlib import Path

import pytest

from geak.errors import UsageError
from geak.prompts import render


def test_a_users_template_comes_first_and_may_include_what_ships(tmp_path: Path) -> None:
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer/again.md.j2").write_text("Mine.\n{% include 'parts/data.md.j2' %}")
    mine = render("optimizer/again.md.j2", folder=tmp_path)
    assert mine.startswith("Mine.\nWhat stands in")
    assert render("parts/data.md.j2", folder=tmp_path) == render("parts/data.md.j2")


def test_an_unknown_variable_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine.md.j2").write_text("one\n{{ taget }}\n")
    with pytest.raises(UsageError) as caught:
        render("mine.md.j2", folder=tmp_path, target="gfx942", inline=len)
    assert str(caught.value) == f"{tmp_path}/mine.md.j2, line 2: 'taget' is undefined; it is given target"
    assert caught.value.exit_code == 2


def test_an_unknown_variable_is_found_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "part.md").write_text("\n\n{{ brief.colour }}")
    (tmp_path / "mine.md.j2").write_text("{% include 'part.md' %}")
    with pytest.raises(UsageError, match=r"part\.md, line 3: .*has no attribute 'colour'; it is given brief$"):
        render("mine.md.j2", folder=tmp_path, brief=object())


def test_a_template_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no prompt template generator/darft\.md\.j2; see"):
        render("generator/darft.md.j2")


def test_a_template_that_does_not_parse(tmp_path: Path) -> None:
    (tmp_path / "mine.md.j2").write_text("fine\n{% if x %}")
    with pytest.raises(UsageError, match=r"mine\.md\.j2, line 2: no Jinja2 template: Unexpected end"):
        render("mine.md.j2", folder=tmp_path)


def test_a_template_that_takes_what_it_is_given_for_something_else(tmp_path: Path) -> None:
    (tmp_path / "mine.md.j2").write_text("{{ x + 1 }}")
    with pytest.raises(UsageError, match=r"mine\.md\.j2, line 1: can only concatenate"):
        render("mine.md.j2", folder=tmp_path, x="text")


def test_values_are_never_templates() -> None:
    plain = {"fenced": lambda text, *_: text, "inline": lambda text, _: text}
    shown = render("optimizer/again.md.j2", why="{{ 7 * 7 }}", answer="{% if %}", **plain)
    assert "{{ 7 * 7 }}" in shown
    assert "{% if %}" in shown


def test_a_template_that_comes_to_be_later_counts(tmp_path: Path) -> None:
    assert "Mine" not in render("parts/data.md.j2", folder=tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/data.md.j2").write_text("Mine.")
    assert render("parts/data.md.j2", folder=tmp_path) == "Mine.\n"
