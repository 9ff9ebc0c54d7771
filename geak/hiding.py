"""What must be neither kept nor shown, nor handed to a child: which variables are secret, and texts without them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

HIDDEN = "[hidden]"
_SHORTEST = 8
"""Characters; what is shorter would be found everywhere."""
_NAMED = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)


def is_secret(variable: str) -> bool:
    """Whether a variable of this name holds what nobody else should see."""
    return _NAMED.search(variable) is not None


def is_secret_header(name: str) -> bool:
    """Whether a header of this name carries a key: Authorization, X-Api-Key, Cookie."""
    return is_secret(name) or re.search(r"auth|cookie|signature", name, re.IGNORECASE) is not None


def worth_hiding(values: Iterable[str]) -> frozenset[str]:
    """Those that are long enough to be a secret; a number is a count, as in GEAK_MAX_TOKENS."""
    return frozenset(value for value in values if len(value) >= _SHORTEST and not value.isdecimal())


def in_address(url: str) -> set[str]:
    """The password and the values that an address carries."""
    parts = urlsplit(url)
    return {parts.password or "", *(value for _, value in parse_qsl(parts.query))}


def without(text: str, secrets: Iterable[str]) -> str:
    """A text in which none of these is left; of two that begin alike the longer goes first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text
