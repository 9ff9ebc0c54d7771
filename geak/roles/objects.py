"""JSON as models write it: with raw newlines, single quotes, quotes inside of quotes, commas too many."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

_MOST_STARTS = 4
_MOST_VALUES = 64
_LONGEST_LITERAL = 1 << 16

_KEY = re.compile(r"""["'](\w+)["']\s*:\s*(\"{3}(?!")|'{3}(?!')|"|')""")
_VALUE_ENDS = re.compile(r"""\s*(?:,\s*(?:["']\w+["']\s*:|\}|\Z)|\}|\Z)""")
_TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")


def objects(text: str) -> Iterator[dict[str, str]]:
    """Each reading of a text as an object with values of text, the strictest first."""
    last = text.rfind("}") + 1
    starts = [match.start() for match in re.finditer(r"\{\s*[\"']", text)][:_MOST_STARTS]
    for start in starts:
        for read in (_strict, _without_commas, _literal):
            found = read(text[start:last])
            if found:
                yield found
                break
    if starts:
        yield from filter(None, [_loose(text[starts[0] :])])


def labelled(text: str, fields: Sequence[str]) -> dict[str, str]:
    """Lines such as "cause: ..." or "- **Cause:** ..."."""
    found = {}
    for name in fields:
        match = re.search(rf"^[ \t\-*_#>]*{re.escape(name)}[*_]*\s*:[*_]*[ \t]*(\S.*)$", text, re.I | re.M)
        if match:
            found[name] = match[1].strip().strip("*_\"',")
    return found


def _strict(text: str) -> dict[str, str]:
    try:
        return _texts(json.JSONDecoder(strict=False).raw_decode(text)[0])
    except (ValueError, RecursionError):
        return {}


def _without_commas(text: str) -> dict[str, str]:
    return _strict(_TRAILING_COMMA.sub("", text))


def _literal(text: str) -> dict[str, str]:
    """A Python dict."""
    if len(text) > _LONGEST_LITERAL:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _texts(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return {}


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {str(key): _text(one) for key, one in value.items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return "\n".join(map(_text, value))
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_text(one)}" for key, one in value.items())
    return "" if value is None else str(value)


def _loose(text: str) -> dict[str, str]:
    """Keys and strings one after another; a string ends at the quote after which another key or the end comes."""
    found: dict[str, str] = {}
    at = 0
    while len(found) < _MOST_VALUES and (key := _KEY.search(text, at)):
        quote, start = key[2], key.end()
        end = _end_of_value(text, start, quote)
        found.setdefault(key[1], _unescaped(text[start:end]))
        at = end + len(quote)
    return found


def _end_of_value(text: str, start: int, quote: str) -> int:
    at = text.find(quote, start)
    while at >= 0:
        before = at
        while before > start and text[before - 1] == "\\":
            before -= 1
        if (at - before) % 2 == 0 and _VALUE_ENDS.match(text, at + len(quote)):
            return at
        at = text.find(quote, at + 1)
    return len(text)


def _unescaped(value: str) -> str:
    """As JSON would have it, or with what was escaped for no reason as it stands."""
    if "\n" not in value:
        try:
            return str(json.loads('"' + re.sub(r'(?<!\\)"', r"\"", value) + '"', strict=False))
        except ValueError:
            value = value.replace("\\n", "\n").replace("\\t", "\t")
    return value.replace('\\"', '"').replace("\\'", "'")
