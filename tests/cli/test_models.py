"""`geak models` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from geak.cli import models
from geak.errors import GeakError
from tests.models.wire import Provider, Says, Status, error

KEY = "sk-ant-api03-very-secret-0123456789"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "OPENAI_COMPATIBLE_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(models.app, arguments)


def fails(*arguments: str) -> tuple[str, GeakError]:
    result = run(*arguments)
    assert isinstance(result.exception, GeakError), result.output
    return result.output, result.exception


def test_it_lists_what_is_ready_and_what_is_missing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "geak.toml").write_text('[models.fast]\nkind = "anthropic"\nmodel = "claude-opus-5"\n')
    before = run().output
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    after = run().output
    assert run("list").output == after
    assert "anthropic:NAME           not ready  ANTHROPIC_API_KEY is not set" in before
    assert "anthropic:NAME           ready      ANTHROPIC_API_KEY is set" in after
    assert "fast                     not ready  anthropic:claude-opus-5; ANTHROPIC_API_KEY is not set" in before
    assert "anthropic:claude-opus-5; $5 in, $25 out for a million tokens (genai-prices" in after
    assert KEY not in after


def test_the_same_as_json(here: Path) -> None:
    (here / "geak.toml").write_text('[models.own]\nkind = "command"\nmodel = "cat"\n')
    for arguments in (["--json"], ["list", "--json"]):
        found = {one["name"]: one for one in json.loads(run(*arguments).output)["models"]}
        assert found["openai:NAME"]["ready"] is False
        assert found["own"]["why"] == "what cat costs is not known to geak"


def test_a_tiny_call_shows_what_was_sent_and_what_came_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with Provider(Says("ready"), Says("ready")) as provider:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", provider.url)
        page = run("test", "anthropic:claude-opus-5")
        data: dict[str, Any] = json.loads(run("test", "anthropic:claude-opus-5", "--json").output)
        assert provider.requests[0].body["max_tokens"] == 256
        url = provider.url
    assert page.exit_code == 0
    assert f"sent       POST {url}/v1/messages" in page.output
    assert "           authorization: [hidden]" in page.output
    assert "came back  ready" in page.output
    assert "tokens     11 in, 7 out" in page.output
    assert "cost       $0.000230" in page.output
    assert data["reply"]["text"] == "ready"
    assert data["usd"] == pytest.approx(0.00023)
    assert data["sent"][0]["body"]["messages"][0]["content"][0]["text"].startswith("Answer with one word")
    assert KEY not in page.output + json.dumps(data)


def test_a_call_that_fails_shows_what_was_sent_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    refusal = Status(401, error("invalid_api_key", f"wrong: {KEY}"))
    with Provider(refusal, refusal) as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.v1)
        page, why = fails("test", "openai:gpt-6-sol")
        data = run("test", "openai:gpt-6-sol", "--json")
    assert why.exit_code == data.exit_code == 5
    assert "sent       POST" in page
    assert "does not accept the key in OPENAI_API_KEY (401): wrong: [hidden]" in str(why)
    assert json.loads(data.output)["error"]["trouble"] == "key"
    assert KEY not in page + str(why) + data.output


def test_a_program(here: Path) -> None:
    page = run("test", "command:cat").output
    assert "ran        cat" in page
    assert "came back  Answer with one word" in page
    assert "tokens     not counted" in page
    assert "cost       unknown" in page
    assert "note       what cat costs is not known to geak" in page


def test_a_script(here: Path) -> None:
    (here / "script.toml").write_text('[[reply]]\nrole = "generator"\ntext = "from the file"\n')
    page = run("test", "scripted:script.toml").output
    assert "came back  from the file" in page
    assert "cost       nothing" in page
    assert "note       scripted replies from script.toml: no model is asked" in page


@pytest.mark.parametrize(
    ("toml", "arguments", "sentence"),
    [
        ("[models", ["list"], "geak.toml is no TOML"),
        ("[models.x]\nknd = 1", ["list"], "[models.x] has no key 'knd'; did you mean kind?"),
        ("", ["test", "nosuch"], "there is no model 'nosuch' in geak.toml"),
        ("", ["test", "anthropic:claude-opus-5"], "ANTHROPIC_API_KEY is not set"),
    ],
)
def test_what_cannot_be_done(toml: str, arguments: list[str], sentence: str, here: Path) -> None:
    (here / "geak.toml").write_text(toml)
    _, why = fails(*arguments)
    assert sentence in str(why)
