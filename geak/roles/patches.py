"""Edits as models write them: a unified diff, or blocks to search for and replace; placed by content alone."""

from __future__ import annotations

from dataclasses import dataclass, field

_MOST_EDITS = 100


@dataclass
class _Edit:
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)


def applied(text: str, earlier: str) -> str:
    """The earlier source with every edit of a text made; empty where there is none, or one fits nowhere."""
    edits = _replacements(text) or _hunks(text)
    lines = earlier.split("\n")
    if not edits or len(edits) > _MOST_EDITS:
        return ""
    at = 0
    for edit in edits:
        place = _find(lines, edit.old, at)
        if place < 0:
            return ""
        lines[place : place + len(edit.old)] = edit.new
        at = place + len(edit.new)
    return "\n".join(lines)


def _find(lines: list[str], old: list[str], at: int) -> int:
    """Where these lines stand: after the edit before if they do, spaces at their ends of no account."""
    old = [line.rstrip() for line in old]
    if not any(old):
        return -1
    bare = [line.rstrip() for line in lines]
    places = [n for n in range(len(bare) - len(old) + 1) if bare[n] == old[0] and bare[n : n + len(old)] == old]
    return next((n for n in places if n >= at), places[0] if places else -1)


def _replacements(text: str) -> list[_Edit]:
    edits: list[_Edit] = []
    part: list[str] | None = None
    for line in text.split("\n"):
        if line.startswith("<<<<<<<"):
            edits.append(_Edit())
            part = edits[-1].old
        elif line.startswith("=======") and part is not None and part is edits[-1].old:
            part = edits[-1].new
        elif line.startswith(">>>>>>>"):
            part = None
        elif part is not None:
            part.append(line)
    return edits if part is None else []


def _hunks(text: str) -> list[_Edit]:
    edits: list[_Edit] = []
    inside = False
    for line in text.split("\n"):
        if line.startswith("@@"):
            inside = True
            edits.append(_Edit())
        elif inside and (not line or line[0] in " +-"):
            if not line.startswith("+"):
                edits[-1].old.append(line[1:])
            if not line.startswith("-"):
                edits[-1].new.append(line[1:])
        elif not line.startswith("\\"):
            inside = False
    for edit in edits:  # a blank line after the last hunk is none of its context
        while edit.old and edit.new and not edit.old[-1] and not edit.new[-1]:
            edit.old.pop()
            edit.new.pop()
    return [edit for edit in edits if edit.old]
