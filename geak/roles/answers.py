"""Finding in an answer what was asked for, however it is wrapped; what is found is Python, or fields of text.

Nothing here believes an answer: what is found goes to the judge.
"""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from geak.roles import patches
from geak.roles.brief import NoAnswer
from geak.roles.objects import labelled, objects
from geak.roles.quoting import inline

_LONGEST = 1 << 20
_LONGEST_SEARCHED = 1 << 16
_MOST_BLOCKS = 12
_MOST_FENCES = 12
_MOST_STARTS = 6
_MOST_CUTS = 12

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)$")
_THOUGHT_ENDS = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.I)
_THOUGHT_BEGINS = re.compile(r"<(?:think|thinking|thought|reasoning)>", re.I)
_CODE_BEGINS = re.compile(r"(?:import |from \w|@\w|def |class |\"\"\"|'''|#)")
_PROSE_ENDS = re.compile(r"[ \t]*(?:`{3}|~{3})|<{7}|@@|--- |import \w|from \w+ import|@\w|def |\"{3}")

Fit = Callable[[ast.Module], str]
"""Why a module is not what was asked for; empty where it is."""


def kernel(text: str, entry: str, earlier: str = "") -> str:
    """The source of a kernel file that defines `entry`; edits are made to `earlier`."""

    def fit(tree: ast.Module) -> str:
        names = [name for node in tree.body for name in _defined(node)]
        if not entry or entry in names:
            return ""
        return f"its code does not define {entry}" + (f", only {inline(', '.join(names), 120)}" if names else "")

    return _source(text, fit, earlier)


def spec(text: str, earlier: str = "") -> str:
    """The source of a spec file."""

    def fit(tree: ast.Module) -> str:
        names = {name for node in tree.body for name in _defined(node)}
        missing = [] if "spec" in names else ["spec"]
        missing += [] if names & {"reference", "Reference"} else ["reference"]
        return f"its code does not define {' and '.join(missing)}" if missing else ""

    return _source(text, fit, earlier)


def plan(text: str, most: int = 400) -> str:
    """What an answer says before its code."""
    view = _views(text)[0]
    if view.lstrip().startswith(("{", "```json")):
        said = [fields[key] for fields in objects(view) for key in ("plan", "thought", "strategy") if fields.get(key)]
        return inline(said[0], most) if said else ""
    lines = itertools.takewhile(lambda line: not _PROSE_ENDS.match(line), view.split("\n"))
    return inline(re.sub(r"^\W*(?:plan\W+)?(?=\w)", "", "\n".join(lines), flags=re.I), most)


def object(text: str, fields: Sequence[str]) -> dict[str, str]:
    """The named fields of a JSON object, or of lines such as "cause: ..."; others that it has besides."""
    if len(text) > _LONGEST:
        raise NoAnswer(f"it has {len(text)} characters")
    best: dict[str, str] = {}
    for view in _views(text):
        for found in (*objects(view), labelled(view, fields)):
            if all(found.get(name) for name in fields):
                return found
            best = max(best, found, key=lambda one: sum(bool(one.get(name)) for name in fields))
    missing = ", ".join(name for name in fields if not best.get(name))
    raise NoAnswer(f"it has no {missing}" if best else f"it holds no JSON object with {', '.join(fields)}")


def unfinished(text: str) -> bool:
    """Whether it ends inside of a block, of a thought or of an object: the rest was cut."""
    begun = [match.end() for match in _THOUGHT_BEGINS.finditer(text)]
    ended = [match.end() for match in _THOUGHT_ENDS.finditer(text)]
    if begun and (not ended or ended[-1] < begun[-1]):
        return True
    view = _views(text)[0]
    blocks = _blocks(view)
    if blocks:
        return not blocks[-1].closed
    return view.lstrip().startswith("{") and not view.rstrip().endswith("}")


# -- sources --


def _source(text: str, fit: Fit, earlier: str) -> str:
    if len(text) > _LONGEST:
        raise NoAnswer(f"it has {len(text)} characters")
    why, unchanged = (False, "it holds no code"), ""
    for candidate in itertools.chain.from_iterable(_candidates(view, earlier) for view in _views(text)):
        tree = _parsed(candidate)
        objection = str(tree) if isinstance(tree, _NoPython) else fit(tree)
        if not objection and candidate.strip() != earlier.strip():
            return candidate
        unchanged = unchanged or ("" if objection else candidate)
        about_kernel = "@triton.jit" in candidate  # of several blocks, what is wrong with the kernel's is worth saying
        if objection and (about_kernel > why[0] or why[1] == "it holds no code"):
            why = (about_kernel, objection)
    if unchanged:  # the caller knows what to say of it
        return unchanged
    raise NoAnswer(why[1])


def _candidates(view: str, earlier: str) -> Iterator[str]:
    """Whatever could be meant, the likeliest first: whole files, edits, strings of an object, text without a fence."""
    blocks = _blocks(view)
    for number in reversed(range(len(blocks))):
        yield _joined([block.body for block in blocks], number)
    if earlier:
        for part in (*(block.body for block in blocks), view):
            yield from filter(None, [patches.applied(part, earlier)])
    if len(view) <= _LONGEST_SEARCHED:
        yield from _spans(view)
    for part in (*(block.body for block in blocks), view):
        for found in objects(part):
            for value in found.values():
                if "\n" in value:
                    yield from (block.body for block in _blocks(value))
                    yield _tidy(value)
    if not blocks and len(view) <= _LONGEST_SEARCHED:
        yield from _bare(view)


def _views(text: str) -> list[str]:
    """The text after the last thought, and all of it: a thought that never ends may hold the answer."""
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    ends = [match.end() for match in _THOUGHT_ENDS.finditer(text)]
    whole = _THOUGHT_BEGINS.sub("", _THOUGHT_ENDS.sub("\n", text))
    return [text[ends[-1] :], whole] if ends else [whole]


@dataclass(frozen=True)
class _Block:
    body: str
    closed: bool


def _blocks(view: str) -> list[_Block]:
    """Fenced blocks as Markdown reads them; the last may have no end."""
    found: list[_Block] = []
    opened: re.Match[str] | None = None
    lines: list[str] = []
    for line in view.split("\n"):
        match = _FENCE.match(line)
        if opened is None:
            opened, lines = match, []
        elif match and not match["info"].strip() and match["fence"].startswith(opened["fence"]):
            found.append(_Block(_tidy("\n".join(lines)), closed=True))
            opened = None
        else:
            lines.append(line)
    if opened is not None:
        found.append(_Block(_tidy("\n".join(lines)), closed=False))
    return found[-_MOST_BLOCKS:]


def _spans(view: str) -> Iterator[str]:
    """What lies between any two fences: for code that has fences in its own strings, or blocks that were not closed."""
    lines = view.split("\n")
    marks = [number for number, line in enumerate(lines) if _FENCE.match(line)][:_MOST_FENCES]
    for first, last in itertools.combinations([*marks, len(lines)], 2):
        if last - first > 1:
            yield _tidy("\n".join(lines[first + 1 : last]))


def _joined(bodies: list[str], number: int) -> str:
    """A block, after those before it that define what it uses and does not define itself."""
    tree = _parsed(bodies[number])
    if isinstance(tree, _NoPython):
        return bodies[number]
    own = {name for node in tree.body for name in _defined(node)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - own
    helpers = []
    for body in bodies[:number]:
        other = _parsed(body)
        names = set() if isinstance(other, _NoPython) else {name for node in other.body for name in _defined(node)}
        if names & used and not names & own:
            helpers.append(body)
    return "\n".join([*helpers, bodies[number]])


def _bare(view: str) -> Iterator[str]:
    """Code among prose: from a line that may begin it, as far as it parses."""
    lines = view.split("\n")
    starts = [number for number, line in enumerate(lines) if _CODE_BEGINS.match(line)]
    for start in starts[:_MOST_STARTS]:
        end = len(lines)
        for _ in range(_MOST_CUTS):
            tree = _parsed("\n".join(lines[start:end]))
            if isinstance(tree, ast.Module):
                last = max((node.end_lineno or 0 for node in tree.body if not _is_prose(node)), default=0)
                yield _tidy("\n".join(lines[start : start + last]))
                break
            end = start + min(tree.line - 1, end - start - 1)
            if end <= start:
                break


def _is_prose(node: ast.stmt) -> bool:
    """A sentence may parse: `That is all`, `Note: done`."""
    bare = isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call | ast.Constant)
    return bare or (isinstance(node, ast.AnnAssign) and node.value is None)


@dataclass(frozen=True)
class _NoPython:
    line: int = 1
    why: str = ""

    def __str__(self) -> str:
        return f"its code is not Python, line {self.line}" + (f": {self.why}" if self.why else "")


def _parsed(source: str) -> ast.Module | _NoPython:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        return _NoPython(error.lineno or 1, inline(error.msg, 120))
    except (ValueError, RecursionError, MemoryError):
        return _NoPython()


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return [node.target.id]
    return []


def _tidy(source: str) -> str:
    source = source.strip("\n")
    return (textwrap.dedent(source) if source[:1].isspace() else source).rstrip() + "\n"
