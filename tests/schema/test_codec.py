import json
import math
import typing
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geak_evaluator.sandbox.policy import Level, Limits, Policy
from geak_evaluator.schema import (
    codec,
    device,
    energy,
    exchange,
    findings,
    layout,
    machine_code,
    plan,
    profile,
    spec,
    verdict,
    wire,
)
from geak_evaluator.schema.codec import WireError
from geak_evaluator.schema.spec import Axis, Case, Description, Fill, Scalar, Spec, Tensor, Tolerance

GPU = device.Gpu("amd", "GPU-1", nodes=("/dev/kfd",))
DURATION = profile.Metric("duration", 1.5, "us", "ncu")
SLOT = layout.Slot("x", "bf16", (2, 3), (4, 1), 256)
FULL = Spec(
    axes={"M": Axis(1, 8192, multiple_of=2), "D": Axis(choices=(64, 128))},
    inputs={
        "x": Tensor("M, D", "T", fill="normal(0, 3)", strides="D + 8, 1", optional=True),
        "eps": Scalar("float", 1e-5),
        "n": Scalar("int", "M // 2"),
        "causal": Scalar("bool", choices=(False, True)),
    },
    outputs={"y": (Tensor("M", "T"), {"z": (Tensor(""), Tensor("D", "int64"))}), "w": Tensor("M")},
    cases=[{"M": 2, "D": 64}, Case({"M": 4, "D": 128, "T": "fp16"}, weight=2.5, without=("x",))],
    bench=[{"M": 8192, "D": 64}],
    dtypes={"T": ("fp16", "bf16")},
    where="M % 2 == 0",
    wrt="x",
    changes=("x",),
    contract="destination",
    oracle="exact",
    ties="any",
    tolerance={"fp16": 4, "*": math.inf},
    entry="go",
    project="..",
    files=("a/b.py",),
)
VIEW = plan.View(0, "fp16", 3, (2, 3), (3, 1))
PLAN = plan.Plan(
    (
        plan.Allocate(1, 64),
        plan.Fill(VIEW, 0.5),
        plan.Copy(VIEW, VIEW),
        plan.Launch(
            "k", "", (1, 2, 3), (plan.Argument("tensor", VIEW), plan.Argument("number", number=True)), {"w": 4}
        ),
        plan.Library("aten.mm.default", (plan.Argument("tensor", VIEW),), {"dtype": plan.Argument("format")}, (VIEW,)),
    ),
    (plan.Output("0", VIEW),),
    ("aten.add",),
    ("item",),
    branches=(plan.Branch("", 3, True),),
    names=(plan.Named("ops.exp", "LIMIT", "number", 2.5, constant=True),),
)
LOWERED = machine_code.Lowered("k", "gfx942", {"num_warps": 4, "enable_fp_fusion": True}, 0)
LOOP = machine_code.Loop(machine_code.Counts(1), 3, 0, 4, 2, 32768, 1024, 384.5, {"matrix": 32.0, "shared": 16.5})
FIGURES = machine_code.Figures(
    *("gfx942", "k", 4, 2, 1024, 0, 7.5, 8, ("registers",), 900, machine_code.Counts(1, loads={"128": 2})),
    vgprs=64,
    loops=(LOOP,),
)

MESSAGES = [
    FULL,
    Spec(axes={}, inputs={}, cases=[]),
    Description("f", "A title.\n\nMore – ünïcödé.", FULL, ("x", "eps"), makes_inputs=True, sha256="ab"),
    Fill("uniform", ("-1", "N")),
    Tolerance({"fp32": 0.5}),
    SLOT,
    exchange.CaseRequest({"M": 3, "T": "fp16", "s": 0.5, "b": True}, (SLOT,), 7, fills={"x": "ones"}, examine=True),
    exchange.CaseRequest({}, (SLOT,), 7, edit=exchange.Edit("only", ("x",), axes=(0,), stop=3), shapes={"0": (3, 4)}),
    exchange.CaseReply((exchange.Expected("0", "fp16", SLOT),), (SLOT,), (SLOT,), ("aten.add",), ("0",)),
    exchange.RunRequest((SLOT,), ("x", "s"), {"s": 1, "t": 1.0, "u": True}, None),
    exchange.RunRequest(
        (), (), outputs=(), destination=(SLOT,), init={"dim": exchange.Argument.plain([3, 4])}, wrt=("x",)
    ),
    Spec({}, {}, (), contract="module", init={"k": Scalar("int", 3), "a": ("C // 2", 1), "b": ["C"], "c": ()}),
    exchange.RunReply((SLOT,), 3),
    exchange.Trouble("raised", "no\x1b[31m \ud800 \udcff", 3, "trace"),
    exchange.Call((SLOT,), (exchange.Argument("tuple", items=(exchange.Argument("tensor", slot=0),)),)),
    exchange.Returned((SLOT,), exchange.Argument("dict", items=(exchange.Argument("none"),), keys=("k",)), launches=1),
    exchange.Tested(0, 3),
    exchange.Replay(PLAN, (SLOT,), (SLOT,), "gfx942", lower=True),
    exchange.Replayed(exchange.Trouble("raised", "m"), machine_code.Handed(("t",), (LOWERED,)), ("a race",)),
    machine_code.CompileRequest("gfx942", "text", {"num_warps": 4, "enable_fp_fusion": True, "schedule_hint": "none"}),
    machine_code.CompileReply(FIGURES, machine_code.Failure(machine_code.Why.OUT_OF_RESOURCES, "m"), "s_endpgm"),
    findings.Findings("f", (findings.Finding("vacuous-zeros", "error", "m", "mend", "M=3"),), 4),
    verdict.Mismatch("0", (1, 2), math.nan, -math.inf, 3, 9, "everything"),
    verdict.Verdict(
        "f",
        verdict.Status.REJECTED,
        "interpreter",
        "gfx942",
        "float64",
        "isolated",
        (verdict.CaseResult(Case({"M": 3}), verdict.Cause.WRONG_VALUES, "m", 3, math.inf),),
        asked=4,
        code=(verdict.Code("gfx942", (FIGURES,)), verdict.Code("sm_80", cause=verdict.Cause.UNSUPPORTED, message="m")),
        library=("aten.mm.default",),
        share=0.5,
    ),
    wire.Hello(
        1, "3.11", {}, "base", gpus=(device.Gpu("amd", "GPU-1", nodes=("/dev/kfd",)),), software={"rocm": "7.1"}
    ),
    profile.Profile(
        "f",
        Case({"M": 3}),
        "gfx942",
        launches=(
            profile.Counters("k", 0, (profile.Metric("duration", 1.5, "us", "ncu"),), (profile.Absent("lanes", "n"),)),
        ),
        energy=energy.Energy(0.02, 0.05, 70_000, 4.0, "a counter"),
    ),
    wire.Hello(1, "3.11", {"torch": "2"}, "isolated", ("leak",), (), ("/dev/kfd",), ("gfx942",), {"triton": "no"}),
    wire.Request(1, "lint", "/tmp/a.py", "spec = \udc80"),
    wire.Response(1, {"any": [1, 2.5, None, "x"]}),
    wire.Response(2, problem=wire.Problem("spec", "no")),
    Limits(wall_s=2.0),
    Policy("/tmp/x", ("/usr",), limits=Limits(cpu_s=1)),
]


def same(a, b):
    return a == b or repr(a) == repr(b)  # nan is not equal to itself


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_a_round_trip_changes_nothing(message):
    text = codec.dumps(message)
    assert "\n" not in text
    assert text.isascii()
    assert same(codec.from_json(type(message), codec.loads(text)), message)


def test_every_shared_word_has_a_round_trip():
    words = {
        item
        for module in (exchange, findings, layout, machine_code, plan, spec, verdict, wire)
        for item in vars(module).values()
        if hasattr(item, "__dataclass_fields__") and item.__module__ == module.__name__
    }

    def within(message):
        parts = message.values() if isinstance(message, dict) else message if isinstance(message, tuple) else ()
        parts = [*parts, *(getattr(message, name) for name in getattr(message, "__dataclass_fields__", ()))]
        return {type(message)}.union(*map(within, parts))

    assert words - within(tuple(MESSAGES)) == set()


def test_defaults_are_left_out():
    assert codec.to_json(Case({"M": 3})) == {"sizes": {"M": 3}}
    assert codec.to_json(Case({"M": 3}, weight=2.0)) == {"sizes": {"M": 3}, "weight": 2.0}
    assert codec.to_json(wire.Response(1)) == {"id": 1}


def test_infinity_and_nan_are_strings():
    assert codec.dumps([math.inf, -math.inf, math.nan, 1.5]) == '["inf","-inf","nan",1.5]'
    assert codec.from_json(Case, {"sizes": {}, "weight": "inf"}).weight == math.inf


def test_enums_are_their_values():
    assert codec.to_json({"level": Level.BASE, "cause": (verdict.Cause.DIED,)}) == {"level": "base", "cause": ["died"]}


@dataclass(frozen=True)
class Sample:
    count: int
    share: float = 0.0
    on: bool = False
    text: str = ""
    mode: Literal["a", "b"] = "a"
    level: Level = Level.BASE
    pair: tuple[int, str] = (0, "")
    many: tuple[int, ...] = ()
    table: dict[str, int] = field(default_factory=dict)
    either: int | str | None = None
    inner: Case | None = None
    anything: Any = None


GOOD = {"count": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"^\$: expected Sample, got list$"),
        (None, r"^\$: expected Sample, got NoneType$"),
        ({}, r"^\$: Sample needs count$"),
        ({"count": 1, "colour": 2, "size": 3}, r"^\$: Sample has no 'colour', 'size'$"),
        ({"count": "1"}, r"^\$\.count: expected int, got str$"),
        ({"count": True}, r"^\$\.count: expected int, got bool$"),
        ({"count": 1.0}, r"^\$\.count: expected int, got float$"),
        ({"count": None}, r"^\$\.count: expected int, got NoneType$"),
        (GOOD | {"share": True}, r"^\$\.share: expected float, got bool$"),
        (GOOD | {"share": "0.5"}, r"^\$\.share: expected float, got str$"),
        (GOOD | {"share": 10**400}, r"^\$\.share: a number of 401 digits is too large$"),
        (GOOD | {"on": 1}, r"^\$\.on: expected bool, got int$"),
        (GOOD | {"text": 3}, r"^\$\.text: expected str, got int$"),
        (GOOD | {"mode": "c"}, r"^\$\.mode: 'c' is none of \['a', 'b'\]$"),
        (GOOD | {"mode": []}, r"^\$\.mode: \[\] is none of"),
        (GOOD | {"level": "no"}, r"^\$\.level: 'no' is none of \['isolated', 'confined', 'base'\]$"),
        (GOOD | {"level": {}}, r"^\$\.level: {} is none of"),
        (GOOD | {"pair": [1]}, r"^\$\.pair: expected tuple, got list$"),
        (GOOD | {"pair": ["a", 1]}, r"^\$\.pair\[0\]: expected int, got str$"),
        (GOOD | {"many": {"0": 1}}, r"^\$\.many: expected tuple, got dict$"),
        (GOOD | {"many": [1, 2, "3"]}, r"^\$\.many\[2\]: expected int, got str$"),
        (GOOD | {"table": []}, r"^\$\.table: expected dict, got list$"),
        (GOOD | {"table": {"a": 1, "b": "2"}}, r"^\$\.table\.b: expected int, got str$"),
        (GOOD | {"either": 1.5}, r"^\$\.either: expected int or str or None, got float$"),
        (GOOD | {"either": True}, r"^\$\.either: expected int or str or None, got bool$"),
        (GOOD | {"inner": 3}, r"^\$\.inner: expected Case or None, got int$"),
        (GOOD | {"inner": {"sizes": {}, "weights": 1}}, r"^\$\.inner: Case has no 'weights'$"),
        (GOOD | {"inner": {"sizes": {"M": None}}}, r"^\$\.inner\.sizes\.M: expected int or float or bool or str, got"),
        (GOOD | {"inner": {"sizes": {}, "weight": -1}}, r"^\$\.inner: a case's weight must be above 0"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(data, message):
    with pytest.raises(WireError, match=message):
        codec.from_json(Sample, data)


def test_a_whole_number_serves_where_a_float_is_meant():
    assert codec.from_json(Sample, {"count": 1, "share": 2}).share == 2.0
    assert codec.from_json(Sample, {"count": 1, "anything": [{"x": None}]}).anything == [{"x": None}]


@pytest.mark.parametrize(
    "text", ["", "{", "nonsense", "[1,]", '{"a":1}{"b":2}', "\0", "[" * 100_000, '{"a":' * 100_000, "9" * 5000]
)
def test_what_is_no_json(text):
    with pytest.raises(WireError, match=r"^not JSON"):
        codec.loads(text)


def test_a_message_is_bounded_before_it_is_parsed():
    with pytest.raises(WireError, match="a message of 41 bytes is over the limit of 40"):
        codec.loads("[" * 41, limit=40)
    assert codec.loads("[1]", limit=3) == [1]
    with pytest.raises(WireError, match="over the limit of 16777216"):
        codec.loads(b" " * ((1 << 24) + 1))


@pytest.mark.parametrize("deep", ['"outputs":' + "[" * 900 + "]" * 900, '"outputs":' + '{"a":' * 900 + "0" + "}" * 900])
def test_a_deep_tree_is_refused(deep):
    with pytest.raises(WireError, match=r"nested too deeply|not JSON"):
        codec.from_json(Spec, codec.loads('{"axes":{},"inputs":{},"cases":[],' + deep + "}"))


def test_a_tree_is_read_to_its_leaves():
    data = {"axes": {}, "inputs": {}, "cases": [], "outputs": [[{"a": {"shape": ["M"], "colour": 1}}]]}
    with pytest.raises(WireError, match=r"^\$\.outputs\[0\]\[0\]\.a"):
        codec.from_json(Spec, data)


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)


def _like(kind):
    """JSON of about the right form, with something else at every turn."""
    hints = typing.get_type_hints(kind)
    return st.dictionaries(
        st.sampled_from([*hints, "colour"]), st.one_of(_JSON, st.lists(_JSON, max_size=3)), max_size=5
    )


@settings(max_examples=300, deadline=2000)
@given(
    st.sampled_from([type(m) for m in MESSAGES]).flatmap(lambda k: st.tuples(st.just(k), st.one_of(_like(k), _JSON)))
)
def test_any_json_is_a_message_or_a_refusal(pair):
    kind, data = pair
    try:
        codec.from_json(kind, data)
    except WireError:
        pass


def _spoiled(data, draw):
    """One place of a good message replaced."""
    if isinstance(data, dict) and data and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(data)))
        return data | {key: _spoiled(data[key], draw)}
    if isinstance(data, list) and data and draw(st.integers(0, 3)):
        index = draw(st.integers(0, len(data) - 1))
        return [*data[:index], _spoiled(data[index], draw), *data[index + 1 :]]
    return draw(_JSON)


@settings(max_examples=300, deadline=2000)
@given(st.data())
def test_a_spoiled_message_is_a_message_or_a_refusal(data):
    message = data.draw(st.sampled_from(MESSAGES))
    spoiled = _spoiled(json.loads(codec.dumps(message)), data.draw)
    try:
        codec.from_json(type(message), spoiled)
    except WireError:
        pass
