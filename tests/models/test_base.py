"""What both a journal and a replay know a prompt by."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from geak.models.base import Message, Speaker, prompt_text

speakers: st.SearchStrategy[Speaker] = st.sampled_from(("system", "user", "assistant"))
messages = st.lists(st.builds(Message, speakers, st.text(), st.booleans()), max_size=4)


@given(messages, messages)
def test_one_text_for_each_prompt(one: list[Message], other: list[Message]) -> None:
    assert (prompt_text(one) == prompt_text(other)) == (one == other)
    assert prompt_text(one).isascii()
    assert [Message(**message) for message in json.loads(prompt_text(one))] == one
