"""Keys and the values of headers are in no sentence, no repr and nothing that is shown of a request."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest

from geak.errors import ModelError, UsageError
from geak.models.base import Model
from geak.models.config import secrets, tables_from
from geak.models.endpoint import Remote, shown
from geak.models.registry import open_model
from tests.models.asking import CALL, KEY, NAMES, asked, refused, surroundings
from tests.models.wire import Complains, Provider, Says, Status, error

every = pytest.mark.parametrize("name", NAMES)
PASS = "open-sesame-and-more"
SIGN = "signed-by-somebody"
ECHO = f"wrong key {KEY} or {KEY[:9]}****{KEY[-4:]}, header {PASS}, {SIGN}, Bearer {PASS}x, \x1b[31mred\x07"


def opened(name: str, provider: Provider, sent: list[Any] | None = None) -> Model:
    kind, _, model = name.partition(":")
    toml = {"kind": kind, "model": model, "headers": {"X-Pass": "${PASS}"}, "query": {"sig": "${SIGN}"}}
    environment = surroundings(provider) | {"PASS": PASS, "SIGN": SIGN}
    watch = None if sent is None else sent.append
    return open_model("mine", tables_from({"models": {"mine": toml}}), environment, watch=watch)


def clean(text: str) -> bool:
    return all(secret not in text for secret in (KEY, KEY[:9], PASS, SIGN, "\x1b", "\x07"))


@every
@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 429, 500])
def test_an_error_may_repeat_the_key_and_the_sentence_does_not(name: str, code: int) -> None:
    with Provider(Status(code, error("some_error", ECHO))) as provider:
        why = refused(opened(name, provider))
    assert "[hidden]" in str(why)
    assert clean(str(why))
    assert clean("".join(traceback.format_exception(why)))


@every
def test_so_it_is_in_the_middle_of_a_stream(name: str) -> None:
    with Provider(Complains("some_error", ECHO, after="so far")) as provider:
        why = refused(opened(name, provider))
    assert "[hidden]" in str(why)
    assert clean(str(why))


@every
def test_nothing_that_is_printed_of_a_model_holds_them(name: str) -> None:
    with Provider() as provider:
        model = opened(name, provider)
    assert isinstance(model, Remote)
    assert "mine" in repr(model)
    for thing in (model, model.endpoint, model.endpoint.settings, vars(model)):
        assert clean(repr(thing))


@every
def test_what_was_sent_is_shown_without_them(name: str) -> None:
    sent: list[Any] = []
    with Provider(Says("hm")) as provider:
        asked(opened(name, provider, sent))
    (one,) = sent
    assert clean(json.dumps(one))
    headers = {header.lower(): value for header, value in one["headers"].items()}
    assert headers["x-pass"] == headers["authorization"] == "[hidden]"
    assert headers["content-type"] == "application/json"
    assert one["url"].endswith("?sig=[hidden]")
    assert one["body"]["model"] == name.partition(":")[2]
    assert CALL.messages[2].text in json.dumps(one["body"])


def test_an_address_is_shown_without_names_and_values() -> None:
    url = "https://who:word@host:8/v1?key=value&api-version=v9"
    assert shown(url) == "https://host:8/v1?key=[hidden]&api-version=v9"


def test_a_variable_that_is_not_set_is_named() -> None:
    toml = {"kind": "anthropic", "model": "m", "headers": {"X-Pass": "${PASS} ${NOT_THERE}"}}
    with pytest.raises(UsageError, match=r"\[models.mine\] headers.X-Pass asks for the variable NOT_THERE") as caught:
        open_model("mine", tables_from({"models": {"mine": toml}}), {"PASS": PASS})
    assert clean(str(caught.value))


@pytest.mark.parametrize("value", ["two\nlines", "schlüssel"])
def test_a_header_that_cannot_be_sent(value: str) -> None:
    toml = {"kind": "anthropic", "model": "m", "headers": {"X-Pass": "${PASS}"}}
    with pytest.raises(UsageError, match=r"headers\.X-Pass holds characters that a header cannot carry") as caught:
        open_model("mine", tables_from({"models": {"mine": toml}}), {"PASS": value, "ANTHROPIC_API_KEY": KEY})
    assert value not in str(caught.value)


def test_a_key_in_place_of_its_variable_is_not_repeated() -> None:
    with pytest.raises(UsageError, match="api_key_env should name a variable") as caught:
        tables_from({"models": {"mine": {"kind": "openai", "model": "m", "api_key_env": KEY}}})
    assert clean(str(caught.value))


def test_a_key_under_a_name_of_its_own() -> None:
    toml = {"kind": "openai", "model": "gpt-6-sol", "api_key_env": "WORK_KEY"}
    tables = tables_from({"models": {"mine": toml}})
    with Provider(Says("hm")) as provider:
        environment = surroundings(provider) | {"WORK_KEY": "sk-of-work-12345"}
        asked(open_model("mine", tables, environment))
        assert provider.requests[0].headers["authorization"] == "Bearer sk-of-work-12345"
        with pytest.raises(ModelError, match="WORK_KEY is not set"):
            open_model("mine", tables, surroundings(provider))


def test_a_header_that_is_written_out_is_hidden_in_replies_by_its_name() -> None:
    headers = {"Authorization": "Bearer written-out-1", "X-Api-Key": "written-out-2", "X-Team": "compilers"}
    tables = tables_from({"models": {"mine": {"kind": "openai", "model": "m", "headers": headers}}})
    found = secrets(tables.values(), {})
    assert found == {"written-out-1", "written-out-2"}
