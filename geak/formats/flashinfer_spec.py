"""A flashinfer-bench definition as a spec: axes with domains, integers that mean something, smaller constants."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from geak.drafting.source import parsed
from geak.formats.base import Scale
from geak.formats.writing import Sizes, Written, largest
from geak_evaluator.schema import expr

if TYPE_CHECKING:
    from geak.formats.flashinfer import Definition

INTEGERS = frozenset(
    {
        *("qo_indptr", "kv_indptr", "kv_indices", "kv_last_page_len", "cu_seqlens", "positions", "sparse_indices"),
        *("initial_state_indices", "state_batch_indices"),
    }
)
"""Integer inputs whose values have a meaning that is known here."""

_TIMED = 8
_TIMES = 4  # what the axes of a case that are no constants come to, about
_NARROW, _LEAST = 16, 2  # the smallest constant, and the fewest heads, that a spec is scaled to
_CHOSEN = 64  # how many are picked out of many, at the most
_HEADS = re.compile(r".*(heads|groups).*")
_SEGMENTS = ("qo_indptr", "kv_indptr", "cu_seqlens")

# What an axis may be where no workload says so: in three cases, timed, and at the most.
_USUAL: tuple[tuple[str, tuple[int, int, int, int, int]], ...] = (
    (r"total_q", (3, 5, 13, 2048, 32768)),
    (r"total_kv", (4, 17, 40, 4096, 65536)),
    (r"total_seq_len", (2, 9, 21, 2048, 32768)),
    (r"num_kv_indices", (3, 9, 17, 4096, 65536)),
    (r"num_pages", (5, 11, 23, 8192, 65536)),
    (r"pool_size|state_cache_size", (2, 4, 7, 512, 8192)),
    (r"max_seq_len", (3, 40, 64, 8192, 131072)),
    (r"num_seqs", (1, 2, 3, 16, 512)),
    (r".*heads", (1, 2, 5, 32, 128)),
    (r"seq_len", (2, 3, 5, 64, 8192)),
    (r"batch_size|len_.*", (2, 3, 4, 64, 1024)),
    (r".*", (1, 7, 33, 2048, 16384)),
)


def written(made: Definition, formats: Mapping[str, str], scale: Scale, origin: str) -> str:
    """The whole spec file."""
    lengths = dict(_lengths(made))
    small = scaled(made, scale.elements)
    constants = {name: value for name, value in made.axes.items() if value is not None}
    free = [name for name, value in made.axes.items() if value is None and name not in lengths]
    left_out = _changed(made)
    inputs = {n: _input(made, n, formats, lengths) for n in made.inputs if n not in left_out}
    outputs = [_tensor(o, formats[n], lengths) for n, o in made.outputs.items()]
    where = list(_relations(made, lengths))
    bench = _bench(made, free, constants, where)
    axes = {n: _constant(small[n], value) for n, value in constants.items()}
    cases = [c for i in range(3) if _holds(where, c := {**small, **{n: _small(n, i, small) for n in free}})]
    axes |= {n: f"Axis(1, {_most(made, n, bench, cases)})" for n in free}
    structured = [n for n in made.inputs if n in INTEGERS and made.inputs[n].get("shape")]
    sized = set().union(*(i.get("shape") or () for i in made.inputs.values()))
    handed = not all(set(o.get("shape") or ()) <= sized | constants.keys() for o in made.outputs.values())
    more = ['contract="destination"'] if handed else []
    more += ['launches="by_value"'] if structured else []
    more += ['entry="run"']
    return Written(
        doc=_doc(made, constants, left_out, origin),
        axes=axes,
        inputs=inputs,
        cases=cases,
        body="\n\n\n".join(filter(None, (_make_inputs(made, lengths), reference(made, left_out)))),
        where=where,
        outputs=_outputs(made, outputs, handed=handed),
        bench=bench,
        optional=[n for n in inputs if "optional=True" in inputs[n]],
        more=more,
    ).text


def scaled(made: Definition, elements: int) -> dict[str, int]:
    """The constants, halved together until a tensor of them has about so many elements; heads keep their ratios."""
    sizes = {name: value for name, value in made.axes.items() if value is not None}
    for name in sizes.keys() & {"topk", "top_k"}:
        while sizes[name] % 2 == 0 and sizes[name] > _CHOSEN:
            sizes[name] //= 2
    every = [i.get("shape") or () for i in (*made.inputs.values(), *made.outputs.values())]
    shapes = [([a for a in shape if a in sizes], 1 if set(shape) <= sizes.keys() else _TIMES) for shape in every]
    heads = [n for n, v in sizes.items() if _HEADS.fullmatch(n) and v > 1]
    while True:
        large = [shape for shape, times in shapes if times * math.prod(sizes[a] for a in shape) > elements]
        names = {a for shape in large for a in shape}
        alone = [a for a in names - set(heads) if sizes[a] % 2 == 0 and sizes[a] // 2 >= _NARROW]
        together = names & set(heads) and all(sizes[h] % 2 == 0 and sizes[h] // 2 >= _LEAST for h in heads)
        if together and (not alone or max(sizes[a] for a in alone) <= max(sizes[h] for h in heads) * 2):
            sizes |= {h: sizes[h] // 2 for h in heads}
        elif alone:
            sizes[max(alone, key=lambda a: (sizes[a], a))] //= 2
        else:
            return sizes


def reference(made: Definition, left_out: tuple[str, ...] = ()) -> str:
    """Its code, without what holds its constants to their numbers, and `reference` that calls it."""
    text = _opened(made)
    run = next(n for n in parsed(text).body if isinstance(n, ast.FunctionDef) and n.name == "run")
    given = [n for n in made.inputs if n not in left_out]
    passed = ", ".join("None" if n in left_out else n for n in made.inputs)
    returns = [n.value for n in ast.walk(run) if isinstance(n, ast.Return)]
    call = f"return run({passed})"
    if any(isinstance(v, ast.Dict) for v in returns):
        names = [repr(n) for n in made.outputs]
        call = f"result = run({passed})\n    return " + ", ".join(f"result[{n}]" for n in names)
    elif len(made.outputs) == 1 and any(isinstance(v, ast.Tuple) and len(v.elts) == 1 for v in returns):
        call += "[0]"
    return f"{text.strip()}\n\n\ndef reference({', '.join(given)}):\n    {call}"


def _opened(made: Definition) -> str:
    """Asserts about constants are taken out, and a constant that is set by its own name is read off an input."""
    constants = {v for v in made.axes.values() if v is not None}
    lines = made.reference.replace("\r\n", "\n").split("\n")
    edits: list[tuple[ast.stmt, str]] = []
    for node in ast.walk(parsed(made.reference)):
        if isinstance(node, ast.Assert):
            numbers = {n.value for n in ast.walk(node.test) if isinstance(n, ast.Constant)}
            if numbers & constants:
                edits.append((node, "pass"))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            name = node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""
            place = _place(made, name)
            if name and made.axes.get(name) == node.value.value and place and _inside(made, node):
                edits.append((node, f"{name} = {place}"))
        elif isinstance(node, ast.ImportFrom) and node.module == "__future__":
            edits.append((node, ""))
    for node, text in sorted(edits, key=lambda e: -e[0].lineno):
        start, end = node.lineno - 1, node.end_lineno or node.lineno
        lines[start:end] = [lines[start][: node.col_offset] + text]
    return "\n".join(lines)


def _inside(made: Definition, node: ast.stmt) -> bool:
    """Whether a statement stands in `run` itself, where the inputs have their names."""
    run = next((n for n in parsed(made.reference).body if isinstance(n, ast.FunctionDef) and n.name == "run"), None)
    return run is not None and any(n.lineno == node.lineno for n in run.body)


def _place(made: Definition, axis: str) -> str:
    for name, item in made.inputs.items():
        if axis in (shape := item.get("shape") or []) and not item.get("optional"):
            return f"{name}.shape[{shape.index(axis)}]"
    return ""


def _lengths(made: Definition) -> Iterator[tuple[str, str]]:
    """Axes that others give: "len_indptr" is "batch_size + 1"."""
    for constraint in made.constraints:
        match = re.fullmatch(r"(\w+) == (\w+ \+ 1)", constraint.strip())
        if match and made.axes.get(match[1], 0) is None and match[2].split()[0] in made.axes:
            yield match[1], match[2]
    segments = [s for s in _SEGMENTS if s in made.inputs]
    axes = {(made.inputs[s].get("shape") or [""])[0] for s in segments}
    if axes == {"len_indptr"} and "batch_size" in made.axes:
        yield "len_indptr", "batch_size + 1"


def _segments(made: Definition, lengths: Mapping[str, str]) -> str:
    """How many segments its offsets have, as an expression; "" where it has none."""
    for name in _SEGMENTS:
        shape = made.inputs.get(name, {}).get("shape") or []
        if len(shape) == 1:
            return lengths[shape[0]].split()[0] if shape[0] in lengths else f"{shape[0]} - 1"
    return ""


def _relations(made: Definition, lengths: Mapping[str, str]) -> Iterator[str]:
    """Relations between sizes: its own, and what the structure of its integers asks."""
    for constraint in made.constraints:
        try:
            if expr.names_in(constraint) <= made.axes.keys() - lengths.keys():
                yield constraint
        except expr.ExprError:
            continue
    segments = _segments(made, lengths)
    if segments.endswith("- 1"):
        yield f"{segments.split()[0]} >= 2"
    axes = made.axes.keys()
    ratio = [("num_qo_heads", "num_kv_heads"), ("nheads", "ngroups")]
    yield from (f"{a} % {b} == 0" for a, b in ratio if {a, b} <= axes and f"{a} % {b} == 0" not in made.constraints)
    if "total_q" in axes and segments:
        yield f"total_q >= {segments}"
    if {"total_q", "total_kv"} <= axes:
        yield "total_kv >= total_q"
    if "total_seq_len" in axes and segments:
        yield f"total_seq_len >= {segments}"
    if "num_kv_indices" in axes and segments:
        least = f"(total_q + (page_size - 1) * ({segments})) // page_size" if "total_q" in axes else segments
        yield f"num_kv_indices >= {least}"
        yield "num_pages >= num_kv_indices"
    for pool in ("pool_size", "state_cache_size"):
        if pool in axes and f"{pool} >= batch_size" not in made.constraints:
            yield f"{pool} >= batch_size"
    if "sparse_indices" in made.inputs and {"num_pages", "page_size", "topk"} <= axes:
        yield "num_pages * page_size >= topk"


def _make_inputs(made: Definition, lengths: Mapping[str, str]) -> str:
    """The integers that have a meaning, drawn so that they keep it."""
    names = {n for n in made.inputs if n in INTEGERS}
    segments = re.sub(r"\b([a-z]\w*)\b", r'case["\1"]', _segments(made, lengths))
    lines: list[str] = []
    if segments:
        lines.append(f"n = {segments}")
    if "cu_seqlens" in names:
        lines.append('made["cu_seqlens"] = starts(lengths(n, case["total_seq_len"], rng))')
    if "qo_indptr" in names:
        lines.append('q = lengths(n, case["total_q"], rng)')
        lines.append('made["qo_indptr"] = starts(q)')
    if "kv_indices" in names:
        if "qo_indptr" in names:  # a query sees itself, so that no sequence may be longer than what it looks at
            lines.append('least = -(-q // case["page_size"])')
            lines.append('pages = least + spread(n, case["num_kv_indices"] - int(least.sum()), rng)')
        else:
            lines.append('pages = lengths(n, case["num_kv_indices"], rng)')
        lines.append('made["kv_indptr"] = starts(pages)')
        lines.append('made["kv_indices"] = torch.randperm(case["num_pages"], generator=rng)[: case["num_kv_indices"]]')
        if "kv_last_page_len" in names:
            least = '(q - (pages - 1) * case["page_size"]).clamp(min=1)' if "qo_indptr" in names else "1"
            lines.append(f"least = {least}")
            lines.append('last = least + (torch.rand(n, generator=rng) * (case["page_size"] + 1 - least)).long()')
            shape = made.inputs["kv_last_page_len"].get("shape") or []
            padded = shape and shape[0] == "len_indptr"
            text = "torch.cat([last, torch.ones(1, dtype=torch.long)])" if padded else "last"
            lines.append(f'made["kv_last_page_len"] = {text}')
    elif "kv_indptr" in names:
        sizes = 'q + spread(n, case["total_kv"] - case["total_q"], rng)'
        if "qo_indptr" not in names:
            sizes = 'lengths(n, case["total_kv"], rng)'
        lines.append(f'made["kv_indptr"] = starts({sizes})')
    for name, pool in (("initial_state_indices", "pool_size"), ("state_batch_indices", "state_cache_size")):
        if name in names:
            lines.append(f'made["{name}"] = torch.randperm(case["{pool}"], generator=rng)[: case["batch_size"]]')
    if "sparse_indices" in names:
        lines += [
            'tokens, most, topk = case["num_tokens"], case["num_pages"] * case["page_size"], case["topk"]',
            "rows = [torch.randperm(most, generator=rng)[:topk] for _ in range(tokens)]",
            "made['sparse_indices'] = torch.stack(rows)",
            "kept = torch.randint(1, topk + 1, (tokens, 1), generator=rng)",
            "made['sparse_indices'][torch.arange(topk) >= kept] = -1  # the rest of a row is padding",
        ]
    if not lines:
        return ""
    helpers = _HELPERS if segments else ""
    body = "\n    ".join(["made = {}", *lines, "return made"])
    return f"{helpers}def make_inputs(case, rng):\n    {body}"


_HELPERS = '''def spread(n, total, rng):
    """So many numbers from 0 that add up to a total."""
    return torch.randint(0, n, (total,), generator=rng).bincount(minlength=n)


def lengths(n, total, rng):
    """The lengths of segments, none of them empty."""
    return 1 + spread(n, total - n, rng)


def starts(sizes):
    return torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)])


'''


def _input(made: Definition, name: str, formats: Mapping[str, str], lengths: Mapping[str, str]) -> str:
    item = made.inputs[name]
    if item.get("shape") is not None:
        text = _tensor(item, formats[name], lengths, _fill(made, name))
        return text[:-1] + ", optional=True)" if item.get("optional") else text
    given = Counter(
        w["inputs"][name]["value"]
        for w in made.workloads
        if isinstance(w["inputs"].get(name), dict) and isinstance(w["inputs"][name].get("value"), int | float)
    )
    kind = "float" if formats[name].startswith(("fp", "bf")) else "bool" if formats[name] == "bool" else "int"
    values = [v for v, _ in given.most_common(2)]
    if not values:
        values = [0.125 if "scale" in name else 1e-6 if "eps" in name else 1]
    as_text = [repr({"float": float, "int": int, "bool": bool}[kind](v)) for v in values]
    return (
        f'Scalar("{kind}", {as_text[0]})' if len(as_text) == 1 else f'Scalar("{kind}", choices=({", ".join(as_text)}))'
    )


def _fill(made: Definition, name: str) -> str:
    if name == "positions":
        return "integers(0, max_seq_len)"
    if made.op_type == "gdn" and name == "k":  # keys of length 1 in use: longer ones make the state grow step by step
        return "uniform(-0.12, 0.12)"
    if made.op_type == "mamba_ssu" and name == "A":
        return "uniform(-1, 0)"
    return ""


def _tensor(item: Mapping[str, Any], form: str, lengths: Mapping[str, str], fill: str = "") -> str:
    shape = ", ".join(lengths.get(a, a) for a in item.get("shape") or ())
    return f'Tensor("{shape}", "{form}"' + (f', fill="{fill}")' if fill else ")")


def _outputs(made: Definition, outputs: list[str], *, handed: bool) -> str:
    if handed:
        return "{" + ", ".join(f'"{n}": {text}' for n, text in zip(made.outputs, outputs, strict=True)) + "}"
    return outputs[0] if len(outputs) == 1 else f"({', '.join(outputs)})"


def _changed(made: Definition) -> tuple[str, ...]:
    """Optional inputs that the reference writes into: left out, since what they are for is another answer."""
    written = {
        n.value.id
        for n in ast.walk(parsed(made.reference))
        if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store) and isinstance(n.value, ast.Name)
    }
    return tuple(n for n, i in made.inputs.items() if i.get("optional") and n in written)


def _constant(small: int, value: int) -> str:
    return f"Axis(choices=({small}, {value}))" if small != value else f"Axis(choices=({value},))"


def _usual(name: str) -> tuple[int, int, int, int, int]:
    return next(sizes for pattern, sizes in _USUAL if re.fullmatch(pattern, name))


def _small(name: str, number: int, small: Mapping[str, int]) -> int:
    """An axis in one of the three cases; pages enough for all that is picked out of them."""
    least = -(-small.get("topk", 0) // small.get("page_size", 1)) if name == "num_pages" else 0
    return _usual(name)[number] + least


def _most(made: Definition, name: str, bench: list[tuple[Sizes, float]], cases: list[dict[str, int]]) -> int:
    """Up to where an axis goes: what its workloads ask for, else what is usual; never below the cases."""
    asked: list[int] = [w["axes"][name] for w in made.workloads if name in w["axes"]] or [_usual(name)[4]]
    return max([*asked, *(case[name] for case in cases), *(sizes[name] for sizes, _ in bench)])


def _bench(
    made: Definition, free: list[str], constants: Mapping[str, int], where: list[str]
) -> list[tuple[Sizes, float]]:
    """The workloads' sizes, the largest first, each with how often it is asked for; else a usual one."""
    seen: Counter[tuple[int, ...]] = Counter()
    for workload in made.workloads:
        if all(name in workload["axes"] for name in free):
            seen[tuple(workload["axes"][name] for name in free)] += 1
    given = sorted(seen.items(), key=lambda pair: -math.prod(pair[0]))
    timed = [({**constants, **dict(zip(free, sizes, strict=True))}, float(n)) for sizes, n in given]
    timed = [one for one in timed if _holds(where, one[0]) and min(one[0].values(), default=1) > 0]
    usual = {**constants, **{name: _usual(name)[3] for name in free}}
    return largest(timed, _TIMED) or ([(usual, 1.0)] if _holds(where, usual) else [])


def _holds(where: list[str], sizes: Mapping[str, int]) -> bool:
    return all(expr.value(relation, sizes) for relation in where)


def _doc(made: Definition, constants: Mapping[str, int], left_out: tuple[str, ...], origin: str) -> str:
    described = " ".join(made.description.split()) or made.name
    first, _, rest = described.partition(". ")
    parts = [first.rstrip(".") + ".", rest]
    parts.append("\n".join(f"{name}: {' '.join(note.split())}" for name, note in made.notes))
    if len(made.outputs) > 1:
        parts.append(f"It returns {', '.join(made.outputs)}, in this order.")
    if left_out:
        parts.append(f"{', '.join(left_out)} is always left out, and not passed.")
    fixed = ", ".join(f"{n}={v}" for n, v in constants.items())
    parts.append(f"In use: {fixed}. Smaller sizes are tried as well, to prove a kernel." if fixed else "")
    parts += ["What its reference asserts of its constants is left out.", origin]
    return "\n\n".join(filter(None, parts))
