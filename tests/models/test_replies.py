"""What a provider says, through the real SDKs: replies, their ends, and each way not to answer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from geak.errors import ModelError, Trouble
from geak.models.base import Usage
from geak.models.config import ModelSettings
from geak.models.endpoint import Endpoint, Remote
from geak.models.registry import open_model
from tests.models.asking import CALL, KEY, NAMES, asked, refused, surroundings, table
from tests.models.wire import Behaviour, Breaks, Complains, Drops, Holds, Provider, Says, Status, error, nobody

every = pytest.mark.parametrize("name", NAMES)


def trouble(name: str, behaviour: Behaviour) -> ModelError:
    with Provider(behaviour) as provider:
        return refused(open_model(name, {}, surroundings(provider)))


@every
def test_a_reply_is_its_text_and_not_what_was_thought(name: str) -> None:
    with Provider(Says("```python\nprint('ö')\n```")) as provider:
        reply = asked(open_model(name, {}, surroundings(provider)))
    assert reply.text == "```python\nprint('ö')\n```"
    assert reply.finish == "stop"
    assert reply.model == f"{name.partition(':')[2]}-20260101"


@every
def test_tokens_mean_the_same_whoever_counts_them(name: str) -> None:
    usage = Usage(input=100, output=50, cached=4000, cache_written=900, reasoning=20)
    with Provider(Says("hm", usage=usage)) as provider:
        assert asked(open_model(name, {}, surroundings(provider))).usage == usage


def test_a_server_that_does_not_count_is_counted_for() -> None:
    with Provider(Says("x" * 30, counts=False)) as provider:
        reply = asked(open_model("openai-compatible:qwen", {}, surroundings(provider)))
    assert reply.usage == Usage(input=-(-sum(len(m.text) for m in CALL.messages) // 3), output=10)


@every
@pytest.mark.parametrize("finish", ["length", "refusal"])
def test_how_a_reply_ended(name: str, finish: str) -> None:
    with Provider(Says("I will not", finish=finish)) as provider:  # type: ignore[arg-type]
        reply = asked(open_model(name, {}, surroundings(provider)))
    assert (reply.text, reply.finish) == ("I will not", finish)


@every
def test_an_empty_reply_is_a_reply(name: str) -> None:
    with Provider(Says("")) as provider:
        reply = asked(open_model(name, {}, surroundings(provider)))
    assert (reply.text, reply.finish, reply.usage.output) == ("", "stop", 7)


@every
@pytest.mark.parametrize("how", ["cut", "ends"])
def test_a_stream_that_ends_in_the_middle(name: str, how: str) -> None:
    why = trouble(name, Breaks(how))
    assert why.trouble is Trouble.CUT
    assert why.charged
    assert "ended in the middle; what had come is lost and may have to be paid for" in str(why)


@every
def test_json_that_breaks_off_in_the_stream(name: str) -> None:
    why = trouble(name, Breaks("garbled"))
    assert why.trouble is Trouble.CUT
    assert why.charged
    assert "held something that cannot be read" in str(why)


@every
def test_a_connection_that_is_closed_before_a_word(name: str) -> None:
    why = trouble(name, Drops())
    assert why.trouble is Trouble.CUT
    assert why.charged
    assert "closed the connection before its reply" in str(why)


@every
def test_an_error_in_a_stream_is_paid_for_only_if_a_reply_had_begun(name: str) -> None:
    first = trouble(name, Complains("overloaded_error"))
    later = trouble(name, Complains("overloaded_error", after="so far"))
    assert (first.trouble, first.charged) == (Trouble.BUSY, False)
    assert (later.trouble, later.charged) == (Trouble.BUSY, True)
    assert "has too much to do just now (529): so it is; try again later" in str(later)


def test_an_empty_account_in_the_middle_of_a_stream() -> None:
    assert trouble("openai:gpt-6-sol", Complains("insufficient_quota", after="x")).trouble is Trouble.BALANCE


STATUSES = [
    (401, "authentication_error", "no such key", Trouble.KEY, "does not accept the key in"),
    (402, "billing_error", "pay first", Trouble.BALANCE, "has nothing left to spend"),
    (400, "invalid_request_error", "Your credit balance is too low", Trouble.BALANCE, "has nothing left to spend"),
    (429, "insufficient_quota", "over quota", Trouble.BALANCE, "has nothing left to spend"),
    (403, "permission_error", "not yours", Trouble.KEY, "ask for access"),
    (404, "not_found_error", "model: x", Trouble.UNKNOWN_MODEL, "knows no model"),
    (400, "model_not_found", "no such model", Trouble.UNKNOWN_MODEL, "knows no model"),
    (413, "request_too_large", "too big", Trouble.REQUEST, "the prompt is too long for"),
    (400, "invalid_request_error", "prompt is too long: 9 > 8", Trouble.REQUEST, "the prompt is too long for"),
    (400, "invalid_request_error", "no effort", Trouble.REQUEST, "does not take the request as it is (400): no effort"),
    (422, "invalid_request_error", "no effort", Trouble.REQUEST, "does not take the request as it is (422): no effort"),
    (408, "timeout", "too slow", Trouble.TIMEOUT, "gave up waiting"),
    (409, "conflict", "try again", Trouble.BUSY, "has a fault of its own (409)"),
    (429, "rate_limit_error", "slow down", Trouble.LIMIT, "asks to wait (429): slow down"),
    (500, "api_error", "oops", Trouble.BUSY, "has a fault of its own (500): oops; try again later"),
    (503, "api_error", "away", Trouble.BUSY, "has a fault of its own (503)"),
    (529, "overloaded_error", "Overloaded", Trouble.BUSY, "has too much to do just now (529)"),
]


@every
@pytest.mark.parametrize(("code", "kind", "said", "expected", "sentence"), STATUSES)
def test_each_refusal_has_its_sentence(
    name: str, code: int, kind: str, said: str, expected: Trouble, sentence: str
) -> None:
    why = trouble(name, Status(code, error(kind, said)))
    assert why.trouble is expected
    assert not why.charged
    assert sentence in str(why)
    assert "\n" not in str(why)
    assert not str(why).endswith(".")


@every
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry-after": "7"}, 7.0), ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5), ({"retry-after": "x"}, None)],
)
def test_how_long_a_provider_asks_to_wait(name: str, headers: dict[str, str], seconds: float | None) -> None:
    why = trouble(name, Status(429, error("rate_limit_error", "slow"), headers))
    assert why.retry_after == seconds
    assert ("asks to wait for 7 s" in str(why)) == (seconds == 7)


def test_a_date_to_wait_for() -> None:
    past = {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert trouble(NAMES[0], Status(503, "", past)).retry_after == 0.0


@every
def test_what_stands_between_may_answer_with_a_page(name: str) -> None:
    why = trouble(name, Status(502, "<html><h1>Bad Gateway</h1></html>", {"content-type": "text/html"}))
    assert why.trouble is Trouble.BUSY
    assert "<" not in str(why)


@every
def test_an_address_where_no_model_is(name: str) -> None:
    why = trouble(name, Status(200, "<html>welcome</html>", {"content-type": "text/html"}))
    assert why.trouble is Trouble.REQUEST
    assert "sent text/html and not a model's reply; check base_url" in str(why)


@every
def test_a_redirect_is_told_and_not_followed(name: str) -> None:
    with Provider(Status(307, "", {"location": "https://who:word@else.where/v1?key=value"}), Says("no")) as provider:
        why = refused(open_model(name, {}, surroundings(provider)))
        assert len(provider.requests) == 1
    assert why.trouble is Trouble.REQUEST
    assert "https://else.where/v1?key=[hidden]" in str(why)


@every
def test_nobody_there(name: str) -> None:
    url = nobody()
    kind, _, model = name.partition(":")
    tables = {"mine": ModelSettings(kind=kind, model=model, base_url=url)}  # type: ignore[arg-type]
    why = refused(open_model("mine", tables, {"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY}))
    assert (why.trouble, why.charged) == (Trouble.CONNECTION, False)
    assert f"could not be reached at {url}: connection refused; check the network" in str(why)


@every
@pytest.mark.parametrize("behaviour", [Holds(), Breaks("silent"), Breaks("pings")])
def test_a_hang_past_the_time_out(name: str, behaviour: Behaviour) -> None:
    with Provider(behaviour) as provider:
        why = refused(table(name, provider, timeout=0.7))
    assert (why.trouble, why.charged) == (Trouble.TIMEOUT, True)
    assert "0.7 s; a table [models.NAME] in geak.toml can give it a longer timeout" in str(why)


@every
def test_silence_is_bounded_apart_from_the_whole(name: str) -> None:
    class Impatient(Endpoint):
        seconds = 600.0
        silence = 0.2

    with Provider(Breaks("silent")) as provider:
        model = table(name, provider)
        assert isinstance(model, Remote)
        fields = {field: getattr(model.endpoint, field) for field in Endpoint.__dataclass_fields__}
        why = refused(type(model)(Impatient(**fields), None, 1))
    assert why.trouble is Trouble.TIMEOUT
    assert "said nothing for 0.2 s" in str(why)


def test_what_is_long_may_be_silent_for_longer() -> None:
    one = Endpoint("x", "x", ModelSettings("anthropic", "x"), {})
    assert (one.seconds, one.silence) == (1200, 300)
    assert replace(one, settings=ModelSettings("anthropic", "x", timeout=4000)).silence == 1000
    assert replace(one, settings=ModelSettings("anthropic", "x", timeout=20)).silence == 20


@every
def test_several_calls_at_a_time_over_one_model(name: str) -> None:
    async def all_at_once(provider: Provider) -> list[str]:
        model = open_model(name, {}, surroundings(provider))
        try:
            return [reply.text for reply in await asyncio.gather(*(model.ask(CALL) for _ in range(20)))]
        finally:
            await model.close()

    with Provider(lambda request: Says("yes")) as provider:
        assert asyncio.run(all_at_once(provider)) == ["yes"] * 20
        assert len(provider.requests) == 20


@every
def test_a_call_that_is_given_up_leaves_nothing_open(name: str) -> None:
    async def give_up(provider: Provider) -> None:
        model = open_model(name, {}, surroundings(provider))
        call = asyncio.create_task(model.ask(CALL))
        while not provider.requests:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await model.close()

    with Provider(Breaks("silent")) as provider:
        asyncio.run(give_up(provider))


@every
def test_half_a_character_in_a_prompt_costs_no_call(name: str) -> None:
    from geak.models.base import Call, Message

    with Provider(Says("hm")) as provider:
        asked(open_model(name, {}, surroundings(provider)), Call((Message("user", "a\udcffb"),)))
        assert "a?b" in json.dumps(provider.requests[0].body)
