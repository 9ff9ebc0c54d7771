"""`[models.NAME]`: what may stand there, and a sentence for everything else."""

from __future__ import annotations

from typing import Any

import pytest
import tomllib

from geak.errors import UsageError
from geak.models.base import Price
from geak.models.config import ModelSettings, expand, tables_from

WHOLE = """
[models.fast]
kind = "anthropic"
model = "claude-haiku-4-5"
base_url = "https://gateway.example/v1"
headers = { X-Team = "kernels", Authorization = "Bearer ${GATEWAY}" }
query = { tier = "gold" }
ca_bundle = "/etc/ours.pem"
proxy = "http://proxy.example:3128"
timeout = 90
max_tokens = 8000
extra_body = { service_tier = "auto", nested = { a = [1, 2] } }
price = { input = 1, output = 5.5, cached = 0.1 }
concurrency = 3
api_key_env = "TEAM_KEY"

[models.agent]
kind = "command"
model = "agent --print"
env = ["AGENT_HOME"]
timeout = 0.5
"""


def read(**table: Any) -> ModelSettings:
    return tables_from({"models": {"mine": {"kind": "anthropic", "model": "m", **table}}})["mine"]


def test_a_whole_table() -> None:
    tables = tables_from(tomllib.loads(WHOLE))
    assert tables["fast"] == ModelSettings(
        kind="anthropic",
        model="claude-haiku-4-5",
        base_url="https://gateway.example/v1",
        headers={"X-Team": "kernels", "Authorization": "Bearer ${GATEWAY}"},
        query={"tier": "gold"},
        ca_bundle="/etc/ours.pem",
        proxy="http://proxy.example:3128",
        timeout=90.0,
        max_tokens=8000,
        extra_body={"service_tier": "auto", "nested": {"a": [1, 2]}},
        price=Price(1.0, 5.5, cached=0.1, cache_written=1.0, source="geak.toml"),
        concurrency=3,
        api_key_env="TEAM_KEY",
    )
    assert tables["agent"] == ModelSettings("command", "agent --print", timeout=0.5, env=("AGENT_HOME",))


def test_none_at_all() -> None:
    assert tables_from({}) == {}


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"modle": "x"}, "[models.mine] has no key 'modle'; did you mean model?"),
        ({"kind": "antropic"}, "[models.mine]: there is no kind 'antropic'; did you mean anthropic?"),
        ({"kind": 3}, "[models.mine] needs kind: one of anthropic, openai"),
        ({"model": ""}, "[models.mine] needs model"),
        ({"model": 5}, "[models.mine]: model should be a text, and is a number"),
        ({"timeout": "long"}, "[models.mine]: timeout should be a number of seconds above 0, and is a text"),
        ({"timeout": 0}, "timeout should be a number of seconds above 0"),
        ({"timeout": True}, "timeout should be a number of seconds above 0, and is true or false"),
        ({"max_tokens": 1.5}, "max_tokens should be a whole number of tokens, 1 or more"),
        ({"concurrency": 0}, "concurrency should be a whole number of calls at a time, 1 or more"),
        ({"headers": "X: y"}, "headers should be a table of texts, and is a text"),
        ({"headers": {"X": 1}}, "headers.X should be a text, and is a number"),
        ({"headers": {"X": "${not it}"}}, "headers.X: a variable is written as ${NAME}"),
        ({"query": {"q": ["a"]}}, "query.q should be a text, and is a list"),
        ({"extra_body": 1}, "extra_body should be a table, and is a number"),
        ({"base_url": "localhost:8000"}, "base_url should begin with http:// or https://"),
        ({"proxy": "socks"}, "proxy should begin with http:// or https://"),
        ({"price": 3}, "price should be a table of dollars"),
        ({"price": {"input": 3}}, "price needs input and output"),
        ({"price": {"input": 3, "output": -1}}, "price.output should be dollars for a million tokens, 0 or more"),
        ({"price": {"input": 3, "output": 1, "cache": 1}}, "price has no key 'cache'; did you mean cached?"),
        ({"client": "azur"}, "there is no client 'azur'; did you mean azure?"),
        ({"client": "azure"}, "client azure goes with the kind openai"),
        ({"client": "bedrock", "kind": "openai"}, "client bedrock goes with the kind anthropic"),
        ({"env": ["A"]}, "env means nothing to a model of the kind 'anthropic'; leave it out"),
        ({"kind": "command", "base_url": "http://x"}, "base_url means nothing to a model of the kind 'command'"),
        ({"kind": "command", "env": "HOME"}, "env should be a list of names, and is a text"),
        ({"kind": "command", "env": ["A=b"]}, "env should name a variable of the environment"),
        ({"kind": "command", "price": {"input": 1, "output": 1}}, "its price can only be 0, or left out"),
    ],
)
def test_what_cannot_be_meant(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(**table)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ({"models": 3}, "models is no table"),
        ({"models": {"mine": 3}}, "[models.mine] is no table"),
        ({"models": {"a:b": {}}}, "a model's own name is a word without a colon"),
        ({"models": {"mine": {"model": "x"}}}, "[models.mine] needs kind"),
    ],
)
def test_tables_that_are_none(toml: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        tables_from(toml)
    assert sentence in str(caught.value)


def test_variables_are_put_in_where_they_stand() -> None:
    assert expand("a ${B}-${C} $D", {"B": "1", "C": "2"}, "here") == "a 1-2 $D"
    with pytest.raises(UsageError, match="here asks for the variable B, which is not set"):
        expand("${B}", {"B": ""}, "here")


def test_what_may_be_secret_is_not_in_the_repr() -> None:
    found = read(headers={"X": "literal-secret"}, proxy="http://u:pw-secret@p", base_url="http://u:pw-secret@b")
    assert "secret" not in repr(found)
