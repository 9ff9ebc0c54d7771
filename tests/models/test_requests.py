"""What is sent: cache marks, effort, temperature, headers, query, extra fields, and nothing found elsewhere."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest

from geak.errors import GeakError, MachineError, ModelError, Trouble, UsageError
from geak.models.base import Call, Effort, Message, Usage
from geak.models.config import tables_from
from geak.models.registry import open_model
from tests.models.asking import CALL, KEY, NAMES, asked, refused, surroundings, table
from tests.models.wire import Complains, Provider, Request, Says, Status

every = pytest.mark.parametrize("name", NAMES)
CLAUDE, GPT, LOCAL = NAMES


def sent(name: str, call: Call = CALL, **more: Any) -> Request:
    with Provider(Says("hm")) as provider:
        asked(table(name, provider, **more), call)
        return provider.requests[0]


def said(text: str, speaker: Any = "user", fixed: bool = False) -> Message:
    return Message(speaker, text, fixed)


def test_anthropic_is_told_where_the_fixed_part_ends() -> None:
    body = sent(CLAUDE).body
    mark = {"type": "ephemeral"}
    assert body["system"] == [{"type": "text", "text": "You write kernels.", "cache_control": mark}]
    (turn,) = body["messages"]
    assert turn["role"] == "user"
    assert turn["content"] == [
        {"type": "text", "text": "The spec.", "cache_control": mark},
        {"type": "text", "text": "Go on."},
    ]


def test_anthropic_takes_four_marks_and_the_last_count() -> None:
    call = Call(tuple(said(f"part {number}", fixed=True) for number in range(6)))
    blocks = sent(CLAUDE, call).body["messages"][0]["content"]
    assert ["cache_control" in block for block in blocks] == [False, False, True, True, True, True]


def test_anthropic_is_sent_no_empty_block() -> None:
    talk = (said("You write.", "system"), said(" \n"), said("one"), said("two", "assistant"), said("three"))
    body = sent(CLAUDE, Call(talk)).body
    assert [(turn["role"], turn["content"][0]["text"]) for turn in body["messages"]] == [
        ("user", "one"),
        ("assistant", "two"),
        ("user", "three"),
    ]


def test_openai_meets_one_cache_with_one_beginning() -> None:
    first = sent(GPT).body
    other = sent(GPT, Call((*CALL.messages[:2], said("Something else.")))).body
    third = sent(GPT, Call((said("You plan.", "system", fixed=True), *CALL.messages[1:]))).body
    assert first["prompt_cache_key"] == other["prompt_cache_key"] != third["prompt_cache_key"]
    assert "prompt_cache_key" not in sent(GPT, Call((said("Go on."),))).body
    assert first["store"] is False
    assert [item["role"] for item in first["input"]] == ["system", "user", "user"]


@pytest.mark.parametrize(
    ("effort", "thinking", "config"),
    [
        ("none", {"type": "disabled"}, None),
        ("minimal", {"type": "adaptive"}, {"effort": "low"}),
        ("xhigh", {"type": "adaptive"}, {"effort": "xhigh"}),
        (None, None, None),
    ],
)
def test_effort_in_anthropics_words(effort: Effort | None, thinking: Any, config: Any) -> None:
    body = sent(CLAUDE, Call(CALL.messages, effort=effort)).body
    assert (body.get("thinking"), body.get("output_config")) == (thinking, config)


def test_effort_in_openais_words() -> None:
    call = Call(CALL.messages, effort="minimal")
    assert sent(GPT, call).body["reasoning"] == {"effort": "minimal"}
    assert sent(LOCAL, call).body["reasoning_effort"] == "minimal"
    assert "reasoning" not in sent(GPT).body
    assert "reasoning_effort" not in sent(LOCAL).body


@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "effort", "taken"),
    [
        ("anthropic:claude-opus-4-6", None, True),
        ("anthropic:claude-3-5-haiku-latest", None, True),
        ("anthropic:claude-opus-4-1-20250805", "none", True),
        ("anthropic:claude-opus-4-6", "high", False),
        ("anthropic:claude-opus-4-7", None, False),
        ("anthropic:claude-sonnet-5", "none", False),
        ("anthropic:claude-mythos-preview", None, False),
        ("openai:gpt-4.1", None, True),
        ("openai:gpt-5-chat-latest", None, True),
        ("openai:gpt-5.1", "none", True),
        ("openai:gpt-5.1", "low", False),
        ("openai:gpt-5-mini", "none", False),
        ("openai:gpt-6-sol", None, False),
        ("openai:o3", None, False),
        ("openai-compatible:qwen", "high", True),
    ],
)
def test_a_temperature_is_sent_where_it_is_taken_and_its_loss_is_told(
    name: str, effort: Effort | None, taken: bool
) -> None:
    with Provider(Says("hm")) as provider:
        model = open_model(name, {}, surroundings(provider))
        before = model.note
        asked(model, Call(CALL.messages, temperature=0.7, effort=effort))
        assert (provider.requests[0].body.get("temperature") == 0.7) == taken
    assert ("temperature" in provider.requests[0].body) == taken
    assert model.note == (before if taken else f"{name} takes no temperature here; 0.7 was left out")


@every
def test_what_a_reply_may_hold_is_the_smaller_of_both(name: str) -> None:
    field = {CLAUDE: "max_tokens", GPT: "max_output_tokens", LOCAL: "max_tokens"}[name]
    assert sent(name, max_tokens=500).body[field] == 500
    assert sent(name, max_tokens=99_000).body[field] == 16_000


@every
def test_headers_query_and_more_of_the_body(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"X-Team": "kernels", "X-Pass": "pre-${PASS}"}
    toml = {"headers": headers, "query": {"tier": "${TIER}"}, "extra_body": {"service_tier": "flex", "top_k": 3}}
    kind, _, model = name.partition(":")
    tables = tables_from({"models": {"mine": {"kind": kind, "model": model, **toml}}})
    with Provider(Says("hm")) as provider:
        asked(open_model("mine", tables, surroundings(provider) | {"PASS": "open-sesame", "TIER": "gold"}))
        request = provider.requests[0]
    assert (request.headers["x-team"], request.headers["x-pass"]) == ("kernels", "pre-open-sesame")
    assert request.query == {"tier": "gold"}
    assert (request.body["service_tier"], request.body["top_k"]) == ("flex", 3)


@every
@pytest.mark.parametrize("custom", [True, False])
def test_only_what_was_resolved_is_used(
    name: str, custom: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in (
        *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY"),
        *("OPENAI_ORG_ID", "OPENAI_PROJECT_ID"),
    ):
        monkeypatch.setenv(variable, "of-somebody-else")
    for variable in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("ANTHROPIC_CUSTOM_HEADERS", "OPENAI_CUSTOM_HEADERS") if custom else ():
        monkeypatch.setenv(variable, "X-Ambient: of-somebody-else\nAuthorization: Bearer of-somebody-else")
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
    with Provider(Says("hm"), Says("hm")) as provider:
        asked(open_model(name, {}, surroundings(provider)))
        own = {"ANTHROPIC_CUSTOM_HEADERS": "X-Own: ours", "OPENAI_CUSTOM_HEADERS": "X-Own: ours"}
        asked(open_model(name, {}, surroundings(provider) | own))
        first, second = provider.requests
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert "of-somebody-else" not in str(first.headers)
    assert second.headers["x-own"] == "ours"


def test_the_organisation_is_told_to_openai_alone() -> None:
    more = {"OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj-1"}
    with Provider(Says("a"), Says("b")) as provider:
        asked(open_model(GPT, {}, surroundings(provider) | more))
        asked(open_model(LOCAL, {}, surroundings(provider) | more))
        first, second = provider.requests
    assert (first.headers["openai-organization"], first.headers["openai-project"]) == ("org-1", "proj-1")
    assert "openai-organization" not in second.headers


def test_a_local_server_needs_no_key_and_is_sent_none() -> None:
    with Provider(Says("hm")) as provider:
        asked(open_model(LOCAL, {}, {"OPENAI_COMPATIBLE_BASE_URL": provider.v1, "OPENAI_API_KEY": KEY}))
        assert "authorization" not in provider.requests[0].headers


@pytest.mark.parametrize("name", [CLAUDE, GPT])
def test_headers_that_say_who_asks_keep_the_key_at_home(name: str) -> None:
    headers = sent(name, headers={"X-Api-Key": "the-gateways-own"}).headers
    assert headers["x-api-key"] == "the-gateways-own"
    assert KEY not in str(headers)
    own = sent(name, headers={"Authorization": "Bearer the-gateways-own"}).headers
    assert own["authorization"] == "Bearer the-gateways-own"


def test_azure() -> None:
    with Provider(Says("hm"), Says("hm")) as provider:
        toml = {
            "kind": "openai",
            "model": "gpt-6-sol",
            "client": "azure",
            "base_url": provider.url,
            "api_version": "v9",
        }
        tables = tables_from({"models": {"mine": toml}})
        model = open_model("mine", tables, {"AZURE_OPENAI_API_KEY": KEY})
        assert (model.paid, model.price) == (True, None)
        assert asked(model).text == "hm"
        asked(open_model("mine", tables, {"AZURE_OPENAI_AD_TOKEN": KEY}))
        first, second = provider.requests
    assert (first.path, first.query) == ("/openai/responses", {"api-version": "v9"})
    assert first.headers["api-key"] == KEY
    assert second.headers["authorization"] == f"Bearer {KEY}"
    assert "api-key" not in second.headers


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ({"kind": "openai", "client": "azure", "resource": "r"}, "needs api_version, .*, or set OPENAI_API_VERSION"),
        ({"kind": "openai", "client": "azure", "api_version": "v9"}, "needs resource, the name of its resource"),
        ({"kind": "anthropic", "client": "bedrock"}, "needs region, .*, or set AWS_REGION"),
        ({"kind": "anthropic", "client": "vertex"}, "needs region, .*, or set CLOUD_ML_REGION"),
    ],
)
def test_what_a_cloud_needs(toml: dict[str, Any], sentence: str) -> None:
    tables = tables_from({"models": {"mine": {"model": "m", **toml}}})
    with pytest.raises(UsageError, match=sentence):
        open_model("mine", tables, {"AZURE_OPENAI_API_KEY": KEY})


@pytest.mark.parametrize(("client", "package"), [("bedrock", "boto3"), ("vertex", "google.auth")])
def test_a_cloud_whose_package_is_not_here(client: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package.partition(".")[0], None)
    tables = tables_from({"models": {"mine": {"kind": "anthropic", "model": "m", "client": client, "region": "r"}}})
    with pytest.raises(MachineError, match=rf"needs the package {package}; pip install 'anthropic\[{client}\]'"):
        open_model("mine", tables, {})


_GOOGLE = """
class _Credentials:
    token, expired = "of-google", False
    def refresh(self, request): pass
def default(scopes): return _Credentials(), "from-google"
"""


def test_vertex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = tmp_path / "google" / "auth" / "transport"
    transport.mkdir(parents=True)
    (tmp_path / "google" / "__init__.py").touch()
    (tmp_path / "google" / "auth" / "__init__.py").write_text(_GOOGLE)
    (transport / "__init__.py").touch()
    (transport / "requests.py").write_text("class Request: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    toml = {"kind": "anthropic", "model": "claude-opus-5", "client": "vertex", "region": "eu", "project": "ours"}
    try:
        with Provider(Says("hm"), Status(404, "")) as provider:
            tables = tables_from({"models": {"mine": {**toml, "base_url": provider.v1}}})
            model = open_model("mine", tables, {"ANTHROPIC_API_KEY": KEY})
            assert model.price is not None
            assert asked(model).text == "hm"
            why = refused(open_model("mine", tables, {}))
            request = provider.requests[0]
    finally:
        for module in [name for name in sys.modules if name == "google" or name.startswith("google.")]:
            del sys.modules[module]
    path = "/v1/projects/ours/locations/eu/publishers/anthropic/models/claude-opus-5:streamRawPredict"
    assert request.path == path
    assert request.headers["authorization"] == "Bearer of-google"
    assert "anthropic on vertex knows no model" in str(why)


def test_bedrock_opens_with_what_was_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "boto3.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    toml = {"kind": "anthropic", "model": "anthropic.claude-opus-4-1-20250805-v1:0", "client": "bedrock"}
    tables = tables_from({"models": {"mine": toml}})
    try:
        for environment in (
            {"AWS_BEARER_TOKEN_BEDROCK": KEY},
            {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
        ):
            model = open_model("mine", tables, {"AWS_REGION": "eu-west-1", **environment})
            assert model.price is not None
            assert model.price.source.startswith("genai-prices")
    finally:
        sys.modules.pop("boto3", None)


BEDROCK = {"kind": "anthropic", "model": "eu.anthropic.claude-opus-5", "client": "bedrock", "region": "eu-west-1"}


@pytest.mark.parametrize(
    ("environment", "signed"),
    [
        ({"AWS_BEARER_TOKEN_BEDROCK": KEY}, f"Bearer {KEY}"),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": KEY}, "AWS4-HMAC-SHA256 Credential=a/"),
    ],
)
def test_bedrock_is_asked_in_its_own_frames(environment: dict[str, str], signed: str) -> None:
    pytest.importorskip("boto3", reason="boto3 is not installed: pip install 'anthropic[bedrock]'")
    throttled = Complains("throttlingException", "too many of them")
    with Provider(Says("hm", usage=Usage(input=5, output=3)), throttled, Status(403, {"message": "no"})) as provider:
        tables = tables_from({"models": {"mine": {**BEDROCK, "base_url": provider.url}}})
        reply = asked(open_model("mine", tables, environment))
        assert (reply.text, reply.usage.input, reply.usage.output) == ("hm", 5, 3)
        request = provider.requests[0]
        assert request.path == "/model/eu.anthropic.claude-opus-5/invoke-with-response-stream"
        assert request.headers["authorization"].startswith(signed)
        assert request.body["anthropic_version"]
        assert "model" not in request.body
        limited = refused(open_model("mine", tables, environment))
        denied = refused(open_model("mine", tables, environment))
    assert "too many of them" in str(limited)
    assert "no" in str(denied)
    assert KEY not in f"{limited}{denied}"


def test_a_ca_bundle_that_is_none(tmp_path: Path) -> None:
    with Provider() as provider:
        with pytest.raises(UsageError, match=r"ca_bundle .*nowhere.*: no such file or directory"):
            table(CLAUDE, provider, ca_bundle=str(tmp_path / "nowhere"))
        (tmp_path / "text").write_text("hello")
        with pytest.raises(UsageError, match="holds no certificate that can be read"):
            table(CLAUDE, provider, ca_bundle=str(tmp_path / "text"))


def test_a_ca_bundle_is_used() -> None:
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is None or not os.path.isfile(bundle):
        pytest.skip("this machine has no bundle of its own")
    assert sent(CLAUDE, ca_bundle=bundle).body["model"] == "claude-opus-5"


@every
def test_a_proxy_is_what_is_asked(name: str) -> None:
    with Provider(Says("hm")) as provider:
        kind, _, model = name.partition(":")
        toml = {"kind": kind, "model": model, "base_url": "http://model.invalid/v1", "proxy": provider.url}
        asked(open_model("mine", tables_from({"models": {"mine": toml}}), surroundings(provider)))
        assert provider.requests[0].headers["host"] == "model.invalid"


def test_a_prompt_that_would_be_dearer_than_its_price_is_not_sent() -> None:
    long = Call((said("word " * 200_000),))
    with Provider(Says("hm")) as provider:
        why = refused(open_model(GPT, {}, surroundings(provider)), long)
        assert provider.requests == []
        asked(table(GPT, provider, price={"input": 4, "output": 15}), long)
    assert why.trouble is Trouble.REQUEST
    assert "above 272000 openai:gpt-6-sol costs more than its price says" in str(why)


@pytest.mark.parametrize("name", [CLAUDE, GPT])
def test_a_missing_key_ends_with_what_can_be_done_without_one(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        open_model(name, {}, {"PATH": "/bin"})
    assert caught.value.trouble is Trouble.KEY
    assert "_API_KEY is not set" in str(caught.value)
    for way in ("scripted:FILE", "command:PROGRAM", "openai-compatible:NAME"):
        assert way in str(caught.value)


def test_a_key_that_cannot_be_one() -> None:
    with pytest.raises(ModelError, match="ANTHROPIC_API_KEY holds characters that no key has") as caught:
        open_model(CLAUDE, {}, {"ANTHROPIC_API_KEY": "sk-ant-schlüssel"})
    assert "schl" not in str(caught.value)


def test_a_compatible_server_without_an_address() -> None:
    with pytest.raises(GeakError, match=r"set OPENAI_COMPATIBLE_BASE_URL .*http://localhost:8000/v1"):
        open_model(LOCAL, {}, {})
