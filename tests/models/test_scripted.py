"""Replies from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from geak.errors import Trouble, UsageError
from geak.models.base import Call, Message, Role, Usage
from geak.models.registry import open_model
from tests.models.asking import asked, refused

SCRIPT = """
[[reply]]
role = "generator"
text = '''
first \\n kept as it is
'''

[[reply]]
role = "reflector"
lineage = 2
text = "of the second"

[[reply]]
role = "generator"
text = "second"
finish = "length"
tokens = { input = 900, output = 400, reasoning = 100 }
"""


def call(role: Role = "generator", turn: int = 0, lineage: int = 1) -> Call:
    return Call((Message("user", "x" * 31),), role=role, turn=turn, lineage=lineage)


@pytest.fixture
def name(tmp_path: Path) -> str:
    (tmp_path / "script.toml").write_text(SCRIPT)
    return f"scripted:{tmp_path / 'script.toml'}"


def test_each_role_has_its_turns(name: str) -> None:
    model = open_model(name, {}, {})
    assert asked(model, call()).text == "first \\n kept as it is\n"
    second = asked(model, call(turn=1))
    assert (second.text, second.finish) == ("second", "length")
    assert second.usage == Usage(input=900, output=400, reasoning=100)
    assert asked(model, call(turn=1, lineage=7)) == second
    assert asked(model, call("reflector", lineage=2)).text == "of the second"


def test_tokens_by_the_lengths_where_the_file_says_none(name: str) -> None:
    assert asked(open_model(name, {}, {}), call("reflector", lineage=2)).usage == Usage(input=11, output=5)


@pytest.mark.parametrize(
    ("question", "whose"),
    [
        (call(turn=2), "has no reply number 3 for the generator"),
        (call("optimizer"), "has no reply number 1 for the optimizer"),
        (call("reflector", lineage=1), "has no reply number 1 for the reflector of lineage 1"),
    ],
)
def test_a_script_that_is_over(name: str, question: Call, whose: str) -> None:
    why = refused(open_model(name, {}, {}), question)
    assert why.trouble is Trouble.REQUEST
    assert str(why) == f"the script {name.partition(':')[2]} {whose}"


def test_it_says_that_no_model_is_asked(name: str) -> None:
    model = open_model(name, {}, {})
    assert not model.paid
    assert model.price is not None
    assert model.price.of(Usage(10**6, 10**6, 10**6, 10**6)) == 0
    assert model.note == f"scripted replies from {name.partition(':')[2]}: no model is asked"


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("[[reply]", "is not TOML"),
        ("replies = 3", "should hold tables [[reply]] and nothing else"),
        ("reply = 3", "should hold tables [[reply]] and nothing else"),
        ("[[reply]]\nrole = 'generator'", "reply 1 needs text"),
        ("[[reply]]\ntext = 'x'", "reply 1 needs role; there are generator, reflector"),
        ("[[reply]]\ntext = 'x'\nrole = 'generater'", "reply 1: 'generater' is no role; did you mean generator?"),
        ("[[reply]]\ntext = 'x'\nrole = 3", "reply 1: 3 is no role; there are generator"),
        ("[[reply]]\ntext = 'x'\nrole = 'drafter'\nfinish = 'end'", "reply 1: 'end' is no finish"),
        ("[[reply]]\ntxt = 'x'", "reply 1 has no key 'txt'; did you mean text?"),
        ("[[reply]]\ntext = 'x'\nrole = 'drafter'\nlineage = 0", "lineage should be a number, 1 or more"),
        ("[[reply]]\ntext = 'x'\nrole = 'drafter'\ntokens = 9", "tokens should be a table"),
        ("[[reply]]\ntext = 'x'\nrole = 'drafter'\ntokens = { out = 9 }", "has no key 'out'; did you mean output?"),
        ("[[reply]]\ntext = 'x'\nrole = 'drafter'\ntokens = { output = -1 }", "tokens.output should be a whole number"),
    ],
)
def test_scripts_that_cannot_be_meant(script: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(script)
    with pytest.raises(UsageError) as caught:
        open_model(f"scripted:{tmp_path / 'bad.toml'}", {}, {})
    assert sentence in str(caught.value)
    assert str(tmp_path / "bad.toml") in str(caught.value)
