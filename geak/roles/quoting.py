"""Foreign text on its way into a prompt: whoever wrote it, it is data, and cannot pass for anything else."""

from __future__ import annotations

import re
import unicodedata

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?"  # a title, a link
    r"|[\x1b]\[[0-?]*[ -/]*[@-~]?|\x9b[0-?]*[ -/]*[@-~]?"  # colours, the cursor
    r"|\x1b[ -/]*[0-~]?"
)
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_HIDDEN = frozenset("\u200b\u2060\ufeff\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks without a width, and those that turn the direction of reading: what is read must be what stands there."""

_HOME = re.compile(r"(?<![\w/.~-])/(?:home|Users)/[^/\s'\":,;)]+")
_QUOTED_PATH = re.compile(r"(?P<quote>[\"'])(?:~|[A-Za-z]:)?[/\\][^\"'\n]*[/\\](?P<name>[^\"'/\\\n]+)(?P=quote)")
_PATH = re.compile(r"(?<![\w/.~\\-])(?:~|[A-Za-z]:)?[/\\](?:[\w.+@~-]+[/\\])+(?P<name>[\w.+@~-]*)")

_LEAST = 40


def clean(text: str) -> str:
    """Without escape sequences, control characters, hidden marks and halves of characters."""
    text = _BREAKS.sub("\n", _ESCAPES.sub("", text))
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(map(_plain, text))


def _plain(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Cs":
        return "\ufffd"
    hidden = (kind == "Cc" and character not in "\n\t") or character in _HIDDEN
    return "" if hidden else character


def without_paths(text: str) -> str:
    """Absolute paths as the names of their files: where something lies is nobody's business."""
    text = _QUOTED_PATH.sub(_quoted_name, text)
    return _PATH.sub(lambda match: match["name"] or "~", _HOME.sub("~", text))


def _quoted_name(match: re.Match[str]) -> str:
    quote = match["quote"]
    name = "~" if _HOME.fullmatch(match[0].strip(quote)) else match["name"]
    return f"{quote}{name}{quote}"


def capped(text: str, most: int) -> str:
    """The text, or its head and its tail with a line between them that says how much was left out."""
    if len(text) <= most:
        return text
    said = f"\n[... {len(text)} characters, cut here ...]\n"
    rest = max(most - len(said), 0)
    if rest < _LEAST:
        return text[:most]
    return text[: rest - rest // 3] + said + text[len(text) - rest // 3 :]


def fenced(text: str, kind: str = "text", most: int = 4000) -> str:
    """A block that nothing inside can close; with `kind` "text" also without paths."""
    text = clean(capped(text, 4 * most))
    text = capped(without_paths(text) if kind == "text" else text, most).strip("\n")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{kind}\n{text}\n{fence}"


def inline(text: str, most: int = 200) -> str:
    """A few words for the middle of a line: one line, without backticks."""
    words = " ".join(without_paths(clean(text[: 8 * most])).replace("`", "'").split())
    return words if len(words) <= most else words[: most - 3].rstrip() + "..."
