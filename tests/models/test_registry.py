"""Names of models: what each opens, and what is said of one that does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from geak.errors import GeakError, UsageError
from geak.models.config import ModelSettings, tables_from
from geak.models.registry import open_model
from geak.models.standing import standings

KEYS = {"ANTHROPIC_API_KEY": "sk-ant-0123456789", "OPENAI_API_KEY": "sk-0123456789", "PATH": "/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("antropic:x", "there is no kind of model 'antropic'; did you mean anthropic?"),
        ("anthropic:", "anthropic: does not say what is asked; anthropic:NAME is wanted"),
        ("claude-opus-5", "did you mean anthropic:claude-opus-5?"),
        ("gpt-6-sol", "did you mean openai:gpt-6-sol?"),
        ("fats", "there is no model 'fats' in geak.toml; did you mean fast?"),
        ("", "there is no kind of model ''"),
        ("command:", "command: does not say what is asked; command:PROGRAM ARGS is wanted"),
        ("command:no-such-program-here", "there is no program 'no-such-program-here' on the PATH"),
        ("command:'half", "command:'half: no closing quotation"),
        ("scripted:/no/such/file", "the script /no/such/file: no such file or directory"),
        ("replay:/no/such/run", "/no/such/run holds no run: there is no events.jsonl in it"),
    ],
)
def test_names_that_open_nothing(name: str, sentence: str) -> None:
    tables = {"fast": ModelSettings("anthropic", "claude-opus-5")}
    with pytest.raises(UsageError) as caught:
        open_model(name, tables, KEYS)
    assert sentence in str(caught.value)


def test_without_tables_the_kinds_are_named() -> None:
    with pytest.raises(UsageError, match="anthropic:NAME or openai:NAME or"):
        open_model("fast", {}, {})


@pytest.mark.parametrize(
    ("name", "environment", "paid", "known"),
    [
        ("anthropic:claude-opus-5", KEYS, True, True),
        ("anthropic:claude-of-tomorrow", KEYS, True, False),
        ("openai:gpt-6-sol", KEYS, True, True),
        ("anthropic:claude-opus-5", KEYS | {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, True, True),
        ("openai-compatible:qwen", {"OPENAI_COMPATIBLE_BASE_URL": "http://localhost:8000/v1"}, False, True),
        ("openai-compatible:qwen", {"OPENAI_COMPATIBLE_BASE_URL": "http://[::1]:8000/v1"}, False, True),
        ("openai-compatible:qwen", {"OPENAI_COMPATIBLE_BASE_URL": "http://10.0.0.7:8000/v1"}, True, False),
        ("openai-compatible:qwen", {"OPENAI_COMPATIBLE_BASE_URL": "http://localhost.evil.example/v1"}, True, False),
        ("command:cat", KEYS, False, False),
    ],
)
def test_what_costs_money(name: str, environment: dict[str, str], paid: bool, known: bool) -> None:
    model = open_model(name, {}, environment)
    assert (model.paid, model.price is not None) == (paid, known)
    assert model.name == name


def test_a_server_of_somebody_who_is_known_has_its_price() -> None:
    environment = {"OPENAI_COMPATIBLE_BASE_URL": "https://openrouter.ai/api/v1"}
    model = open_model("openai-compatible:anthropic/claude-opus-5", {}, environment)
    assert model.paid
    assert model.price is not None
    assert (model.price.input, model.price.output) == (5.0, 25.0)


def test_a_table_says_more_than_its_name() -> None:
    price = {"input": 0, "output": 0}
    toml = {"models": {"mine": {"kind": "anthropic", "model": "m", "price": price, "concurrency": 3}}}
    model = open_model("mine", tables_from(toml), KEYS)
    assert (model.name, model.paid, model.concurrency) == ("mine", False, 3)


@pytest.mark.parametrize("variable", ["ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OPENAI_COMPATIBLE_BASE_URL"])
def test_an_address_that_is_none(variable: str) -> None:
    name = {"A": "anthropic:m", "OPENAI_B": "openai:m"}.get(variable[:1] if variable[0] == "A" else variable[:8], "")
    with pytest.raises(UsageError, match=f"{variable} should begin with http"):
        open_model(name or "openai-compatible:m", {}, KEYS | {variable: "localhost:8000"})


def test_what_stands_ready(tmp_path: Path) -> None:
    tables = tables_from(
        {
            "models": {
                "good": {"kind": "openai", "model": "gpt-6-sol"},
                "bad": {"kind": "anthropic", "model": "m", "api_key_env": "NOT_SET"},
                "odd": {"kind": "scripted", "model": str(tmp_path / "none.toml")},
            }
        }
    )
    found = {standing.name: standing for standing in standings(tables, {"OPENAI_API_KEY": "sk-0123456789"})}
    assert not found["anthropic:NAME"].ready
    assert found["anthropic:NAME"].why == "ANTHROPIC_API_KEY is not set"
    assert found["openai:NAME"].ready
    assert not found["openai-compatible:NAME"].ready
    assert found["scripted:FILE"].ready
    assert found["good"].ready
    assert found["good"].paid
    assert found["good"].price is not None
    assert not found["bad"].ready
    assert "NOT_SET is not set" in found["bad"].why
    assert "no such file" in found["odd"].why
    assert all("sk-0" not in str(standing) for standing in found.values())


def test_every_error_is_one_for_people() -> None:
    for name in ("anthropic:x", "openai:x", "openai-compatible:x", "x", "command:", ":"):
        with pytest.raises(GeakError):
            open_model(name, {}, {})
