"""Tokens where nobody counts them: by one rule, from the lengths of the texts."""

from __future__ import annotations

from geak.models.base import Call, Usage

_CHARACTERS = 3
"""A token for every three characters: code is denser than prose."""


def counted(call: Call, text: str) -> Usage:
    """What a call and its reply come to by that rule."""
    asked = sum(len(message.text) for message in call.messages)
    return Usage(input=-(-asked // _CHARACTERS), output=-(-len(text) // _CHARACTERS))
