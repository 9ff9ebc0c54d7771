"""JUnit XML, as CI systems read it: a case for each task and repeat."""

from __future__ import annotations

from xml.etree import ElementTree

from geak.metrics.outcome import NOT_BEGUN, UNCONFIRMED, UNJUDGED, Outcome
from geak.metrics.results import Results
from geak.words import flat

_UNKNOWN = frozenset({NOT_BEGUN, UNCONFIRMED, UNJUDGED})
_UNDECIDED = frozenset({"unsupported", "too_big_here"})


def xml(results: Results) -> str:
    """A rejected kernel is a failure, one that nobody judged an error, what cannot be known here is skipped."""
    name = flat(results.card.dataset)
    suite = ElementTree.Element("testsuite", name=name)
    counts = dict.fromkeys(("failures", "errors", "skipped"), 0)
    for outcome in results.outcomes:
        kind = _kind(outcome)
        case = _case(suite, name, outcome.category, outcome.task, outcome.repeat if results.card.repeats > 1 else 0)
        if kind:
            counts[kind] += 1
            tag = {"failures": "failure", "errors": "error", "skipped": "skipped"}[kind]
            found = ElementTree.SubElement(case, tag, message=outcome.cause.replace("_", " "))
            if kind == "failures":
                found.set("type", outcome.cause)
                found.text = _text(outcome)
    for one in results.skipped:
        case = _case(suite, name, "", one.task, 0)
        ElementTree.SubElement(case, "skipped", message=flat(one.reason))
        counts["skipped"] += 1
    suite.set("tests", str(len(results.outcomes) + len(results.skipped)))
    for kind, count in counts.items():
        suite.set(kind, str(count))
    ElementTree.indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suite, encoding="unicode")}\n'


def _kind(outcome: Outcome) -> str:
    if outcome.accepted:
        return ""
    return "errors" if outcome.cause in _UNKNOWN else "skipped" if outcome.cause in _UNDECIDED else "failures"


def _case(suite: ElementTree.Element, dataset: str, category: str, task: str, repeat: int) -> ElementTree.Element:
    of = flat(f"{dataset}.{category}" if category else dataset)
    name = flat(task) + (f" (repeat {repeat})" if repeat else "")
    return ElementTree.SubElement(suite, "testcase", classname=of, name=name)


def _text(outcome: Outcome) -> str:
    return flat(
        f"{outcome.cause.replace('_', ' ')}; {outcome.candidates} candidates in {outcome.rounds} rounds, "
        f"{outcome.calls} calls, {outcome.tokens} tokens"
    )
