"""Writing configurations into a kernel file: numbers in their places, lists anew, options where there were none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from geak_evaluator.schema.tuning import Ranking
from geak_evaluator.tune.knobs import AMD_OPTIONS, OPTIONS, Absent, Listed, Literal, Space, Tabled, Values
from geak_evaluator.tune.syntax import Span

PICKS = 3
"""How many of the best are proved for each target, and how many a list in the source gets of each."""


def final(space: Space, best: Values, rankings: Sequence[Ranking]) -> bytes:
    """The file to hand out: a list gets the best few of every target, a table each target's own best."""
    few = [best, *(one.values for ranking in rankings for one in ranking.configurations if one.proved)][: 2 * PICKS + 1]
    lists = {number: [one for n, one in enumerate(few) if one not in few[:n]] for number in range(len(space.lists))}
    rows: dict[int, dict[str, Values]] = {number: {} for number in range(len(space.tables))}
    for number, table in enumerate(space.tables):
        for ranking in rankings:
            own = table.rows(ranking.target)
            for entry in own:
                known = space.by_name(entry.values)
                stays = len(own) > 1 and any(one.values.items() >= known.items() for one in ranking.feasible)
                proved = [one.values for one in ranking.configurations if one.proved]
                if not stays and proved:
                    rows[number].setdefault(entry.label, proved[0])
    return handed(space, best, lists, rows)


def written(space: Space, values: Values, target: str) -> bytes:
    """The file with one configuration in every place where a target could find one."""
    rows = {number: {entry.label: values for entry in table.rows(target)} for number, table in enumerate(space.tables)}
    return handed(space, values, {number: [values] for number in range(len(space.lists))}, rows)


def handed(
    space: Space,
    values: Values,
    lists: Mapping[int, Sequence[Values]],
    rows: Mapping[int, Mapping[str, Values]],
) -> bytes:
    """The file with these values, these configurations in its lists, and these in the rows of its tables."""
    edits: dict[Span, str] = {}
    options: dict[int, dict[str, int]] = {}
    commas: dict[int, bool] = {}
    for name, knob in space.knobs.items():
        place = knob.place
        if isinstance(place, Literal) and values[name] != knob.value:
            edits |= {span: str(values[name]) for span in place.spans}
        elif isinstance(place, Absent) and values[name]:
            for at, comma in place.at:
                options.setdefault(at, {})[knob.name] = values[name]
                commas[at] = comma
    for at, said in options.items():
        edits[Span(at, at)] = ", " * commas[at] + ", ".join(_keywords(said))
    for number, configurations in lists.items():
        one = space.lists[number]
        made = [_of(space, configuration, Listed(number)) for configuration in configurations]
        if made != list(one.entries):
            edits[one.span] = _list(one.maker, made)
    for number, labelled in rows.items():
        for entry in space.tables[number].entries:
            wanted = _of(space, labelled.get(entry.label, {}), Tabled(number))
            edits |= {
                span: str(wanted[name])
                for name, span in entry.spans.items()
                if wanted.get(name, entry.values[name]) != entry.values[name]
            }
    data = space.source.data
    for span in sorted(edits, reverse=True):
        data = data[: span.start] + edits[span].encode() + data[span.end :]
    return data


def _of(space: Space, values: Values, place: Listed | Tabled) -> Values:
    """What a configuration says of one list or table, by the names that it uses."""
    return {knob.name: values[name] for name, knob in space.knobs.items() if knob.place == place and name in values}


def _keywords(options: Mapping[str, int]) -> list[str]:
    ordinary = [f"{name}={value}" for name, value in options.items() if name not in AMD_OPTIONS]
    own = {name: value for name, value in options.items() if name in AMD_OPTIONS}
    return [*ordinary, f"**({_dict(own)} if torch.version.hip else {{}})"] if own else ordinary


def _list(maker: str, configurations: Sequence[Values]) -> str:
    lines = []
    for values in configurations:
        constants = {n: v for n, v in values.items() if n not in OPTIONS and n not in AMD_OPTIONS}
        own = {n: v for n, v in values.items() if n in AMD_OPTIONS and v}
        text = _dict(constants)
        if own:  # CUDA refuses a configuration that names them
            text = f"{text[:-1]}{', ' * bool(constants)}**({_dict(own)} if torch.version.hip else {{}})}}"
        said = [f"{name}={values[name]}" for name in OPTIONS if values.get(name)]
        lines.append(f"        {maker}({', '.join([text, *said])}),\n")
    return f"[\n{''.join(lines)}    ]"


def _dict(values: Mapping[str, int]) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"
