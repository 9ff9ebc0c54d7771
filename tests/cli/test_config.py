"""`geak config show`, and settings as every command meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geak.models.config import KEYS
from geak.settings import TABLE

TOML = """
samples = 4
target = ["MI300X", "h100"]

[models.local]
kind = "openai-compatible"
model = "qwen"
base_url = "https://me:s3cret-a@127.0.0.1:8000/v1?code=s3cret-b"
max_tokens = 4096
proxy = "http://me:s3cret-c@127.0.0.1:3128"
api_key_env = "OWN_KEY"

[models.local.headers]
Authorization = "Bearer ${MY_KEY}"
X-Plain = "s3cret-d"

[models.local.extra_body]
top_k = 3
access_token = "s3cret-e"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with settings in it and none in the environment."""
    for setting in TABLE.values():
        monkeypatch.delenv(setting.variable, raising=False)
    for name in [*(name for names in KEYS.values() for name in names), "MY_KEY", "OWN_KEY"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "geak.toml").write_text(TOML)
    (tmp_path / ".env").write_text("MY_KEY=s3cret-f\nGEAK_ROUNDS=7\n")
    return tmp_path


def rows(out: str) -> dict[str, tuple[str, str]]:
    """Each setting's value and source."""
    return {line[:19].strip(): (line[20:64].strip(), line[65:].strip()) for line in out.splitlines()}


def test_each_value_is_shown_with_its_source(geak, folder, monkeypatch):
    monkeypatch.delenv("GEAK_JUDGE", raising=False)
    monkeypatch.setenv("GEAK_USD", "0.5")
    found = geak("config", "show")
    assert (found.code, found.err) == (0, "")
    shown = rows(found.out)
    assert set(TABLE) <= set(shown)
    assert shown["samples"] == ("4", "samples in geak.toml")
    assert shown["rounds"] == ("7", "GEAK_ROUNDS in .env")
    assert shown["usd"] == ("0.5", "GEAK_USD")
    assert shown["target"] == ("gfx942, sm_90", "target in geak.toml")
    assert shown["policy"] == ("pure, or the task's own", "default")
    assert shown["judge"] == ("here", "default")


def test_what_is_without_a_limit_says_none(geak, folder, monkeypatch):
    monkeypatch.setenv("GEAK_USD", "none")
    assert rows(geak("config", "show").out)["usd"] == ("none", "GEAK_USD")


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["page", "json"])
def test_no_key_is_shown_but_whether_it_is_set(geak, folder, words, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret-g")
    found = geak("config", "show", *words)
    assert found.code == 0
    assert "s3cret" not in found.out + found.err
    assert "${MY_KEY}" in found.out
    assert "127.0.0.1:8000/v1" in found.out
    if words:
        keys = json.loads(found.out)["keys"]
    else:
        keys = {line.split()[0]: line.split(None, 1)[1] for line in found.out.splitlines() if "_KEY" in line[:20]}
    assert {name for name, state in keys.items() if state == "set"} == {"OPENAI_API_KEY", "MY_KEY"}
    assert {name for name, state in keys.items() if state == "not set"} >= {"ANTHROPIC_API_KEY", "OWN_KEY"}


def test_as_json_it_is_one_document(geak, folder):
    found = geak("config", "show", "--json")
    document = json.loads(found.out)
    assert found.out.count("\n") == 1
    assert set(document["settings"]) == set(TABLE)
    assert document["settings"]["samples"] == {"value": 4, "source": "samples in geak.toml"}
    assert document["settings"]["usd"] == {"value": 2.0, "source": "default"}
    assert document["models"]["local"]["max_tokens"] == 4096
    assert document["models"]["local"]["extra_body"] == {"top_k": 3, "access_token": "set, not shown"}


def test_a_table_of_a_model_that_cannot_be_meant_is_told(geak, folder):
    (folder / "geak.toml").write_text("[models.local]\nkind = 'command'\nmodel = 'cat'\nbase_ulr = 'x'\n")
    found = geak("config", "show")
    assert (found.code, found.out) == (2, "")
    assert found.err == "error: [models.local] has no key 'base_ulr'; did you mean base_url?\n"


COMMANDS = [("config", "show"), ("eval", "softmax", "kernel.py"), ("specs", "show", "softmax"), ("doctor",)]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_settings_that_cannot_be_meant_are_one_sentence_everywhere(geak, folder, words):
    (folder / "geak.toml").write_text("sampels = 4")
    found = geak(*words)
    assert (found.code, found.out) == (2, "")
    assert found.err == "error: geak.toml: there is no setting 'sampels'; did you mean samples?\n"
    found = geak(*words, "--json")
    assert found.code == 2
    assert json.loads(found.out)["error"] == {
        "message": "geak.toml: there is no setting 'sampels'; did you mean samples?",
        "exit_code": 2,
    }


def test_a_command_that_cannot_be_meant_is_a_document_too(geak, folder):
    found = geak("config", "shw", "--json")
    assert found.code == 2
    assert json.loads(found.out)["error"]["exit_code"] == 2
    assert "No such command 'shw'" in found.err


def test_a_document_that_was_printed_is_not_followed_by_another(geak, folder, fake_judge):
    (folder / "geak.toml").unlink()
    (folder / "broken.py").write_text("spec = 3")
    found = geak("specs", "list", "broken.py", "--json")
    assert found.code == 2
    assert "problem" in json.loads(found.out)["specs"][0]


def test_the_judge_of_geak_toml_is_the_judge(geak, folder, monkeypatch):
    monkeypatch.delenv("GEAK_JUDGE", raising=False)
    (folder / "geak.toml").write_text('judge = "no-such-program"')
    found = geak("specs", "show", "softmax")
    assert found.code == 3
    assert found.err.startswith("error: the judge could not be started: no-such-program")
