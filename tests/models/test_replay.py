"""Replies that a journal holds, found again by their prompts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from geak.errors import ModelError, RunError, Trouble
from geak.journal.events import Announced, Begun, Conditions, Failed, Received
from geak.journal.store import EVENTS, Journal
from geak.models.base import Call, Message, Model, Role, Usage, prompt_text
from geak.models.registry import open_model

SPENT = Usage(input=5, output=3, cached=2)


def prompt(text: str) -> tuple[Message, ...]:
    return (Message("system", "ö \udcff", fixed=True), Message("user", text))


def record(folder: Path, *calls: tuple[str, Role, str, str | None]) -> str:
    """A run in which candidates asked, each with its role and prompt, and what was replied, if anything."""
    with Journal.create(folder) as journal:
        conditions = Conditions("s", "s.py", "0" * 64, "entry", models={})
        journal.append(Begun(1, "run", conditions, "0.1"))
        for number, (candidate, role, text, _) in enumerate(calls):
            kept = journal.keep(prompt_text(prompt(text)))
            journal.append(Announced(number, candidate, role, "some:model", kept, 9, 0.1))
        for number, (_, _, _, said) in enumerate(calls):
            if said is None:
                journal.append(Failed(number, "cut", "it broke off"))
            else:
                blob = journal.keep(said)
                journal.append(Received(number, blob, "length", SPENT, 0.1, "some-model", 1.0))
    return f"replay:{folder}"


def ask(model: Model, text: str, role: Role = "generator", lineage: int = 1) -> str:
    reply = asyncio.run(model.ask(Call(prompt(text), role=role, lineage=lineage)))
    assert (reply.finish, reply.usage, reply.model) == ("length", SPENT, "some-model")
    return reply.text


def test_a_prompt_finds_its_reply(tmp_path: Path) -> None:
    name = record(
        tmp_path / "run",
        ("1.1", "generator", "write", "kernel ö\udcff"),
        ("1.1", "reflector", "write", "lesson"),
        ("1.2", "generator", "again", None),
        ("1.2", "generator", "again", "second try"),
    )
    model = open_model(name, {}, {})
    assert ask(model, "again") == "second try"
    assert ask(model, "write", "reflector") == "lesson"
    assert ask(model, "write") == "kernel ö\udcff"
    assert (model.paid, model.note) == (False, f"replies recorded in {tmp_path / 'run'}: no model is asked")
    assert model.price is not None
    assert model.price.of(SPENT) == 0


def test_several_replies_to_one_prompt_go_to_their_lineages_in_order(tmp_path: Path) -> None:
    calls = [(f"{lineage}.{turn}", "write", f"{lineage}.{turn}") for lineage in (1, 2) for turn in (1, 2)]
    name = record(tmp_path / "run", *((candidate, "generator", text, said) for candidate, text, said in calls))
    model = open_model(name, {}, {})
    assert [ask(model, "write", lineage=lineage) for lineage in (2, 1, 2, 1)] == ["2.1", "1.1", "2.2", "1.2"]
    with pytest.raises(ModelError, match="holds no further reply to this prompt of the generator"):
        ask(model, "write")


def test_a_lineage_without_its_own_takes_the_next(tmp_path: Path) -> None:
    model = open_model(record(tmp_path / "run", ("1.1", "generator", "write", "the one")), {}, {})
    assert ask(model, "write", lineage=5) == "the one"


def test_another_prompt_is_told(tmp_path: Path) -> None:
    model = open_model(record(tmp_path / "run", ("1.1", "generator", "write", "x")), {}, {})
    for text, role in (("something else", "generator"), ("write", "optimizer")):
        with pytest.raises(ModelError, match="the run that is replayed asked otherwise") as caught:
            ask(model, text, role)  # type: ignore[arg-type]
        assert caught.value.trouble is Trouble.REQUEST


def test_a_last_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    name = record(tmp_path / "run", ("1.1", "generator", "write", "x"))
    with (tmp_path / "run" / EVENTS).open("a") as journal:
        journal.write('{"event": "recei')
    assert ask(open_model(name, {}, {}), "write") == "x"


@pytest.mark.parametrize("line", ["nonsense", "[1]", '{"event": "received", "call": 99}', '{"at": "now"}'])
def test_a_line_that_cannot_be_read(line: str, tmp_path: Path) -> None:
    name = record(tmp_path / "run", ("1.1", "generator", "write", "x"))
    with (tmp_path / "run" / EVENTS).open("a") as journal:
        journal.write(f"{line}\n")
    with pytest.raises(RunError, match=r"events\.jsonl, line 4 cannot be read"):
        open_model(name, {}, {})


def test_a_reply_that_was_changed_or_lost(tmp_path: Path) -> None:
    name = record(tmp_path / "run", ("1.1", "generator", "write", "the reply"))
    (blob,) = (b for b in (tmp_path / "run" / "blobs").iterdir() if b.read_text() == "the reply")
    blob.write_text("another")
    with pytest.raises(RunError, match="is not what was written"):
        ask(open_model(name, {}, {}), "write")
    blob.unlink()
    with pytest.raises(RunError, match="cannot be read: no such file"):
        ask(open_model(name, {}, {}), "write")
