"""Every template as a model would get it, compared with a plain text file in `snapshots/`.

After a change that is meant, `GEAK_WRITE_SNAPSHOTS=1 pytest tests/prompts` writes them anew; read the difference.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import jinja2
import jinja2.meta
import pytest

from geak.models.base import Reply
from geak.prompts import environment
from geak.resources import data_dir
from geak.roles import drafter, generator, optimizer, reflector
from geak.roles.brief import Ask, NoAnswer
from geak_evaluator.schema.target import TARGETS
from geak_evaluator.schema.verdict import Policy
from tests.roles import scene

SNAPSHOTS = Path(__file__).parent / "snapshots"
WRITE = os.environ.get("GEAK_WRITE_SNAPSHOTS") == "1"
BETTER = scene.KERNEL.replace("BM, BN, BK = 64, 64, 32", "BM, BN, BK = 128, 128, 64")

DESTINATION = '''"""Sum of two vectors, into a given one."""
from geak_evaluator import Axis, Spec, Tensor
spec = Spec(axes={"N": Axis(1, 4096)}, inputs={"x": Tensor("N"), "y": Tensor("N")}, outputs=Tensor("N"),
            contract="destination", cases=[{"N": 7}])
'''
MODULE = '''"""A module that scales."""
from geak_evaluator import Axis, Scalar, Spec, Tensor
spec = Spec(axes={"D": Axis(1, 512)}, inputs={"x": Tensor("4, D")}, outputs=Tensor("4, D"), contract="module",
            init={"dim": Scalar("int", "D"), "shape": ("4", "D")}, entry="Scale", launches="by_value",
            cases=[{"D": 7}])
'''
GRADIENT = '''"""The square, with its gradient; count is raised in place."""
from geak_evaluator import Axis, Spec, Tensor
spec = Spec(axes={"N": Axis(1, 4096)}, inputs={"x": Tensor("N"), "count": Tensor("1", "int32")},
            outputs={"y": Tensor("N")}, contract="gradient", wrt=("x",), changes=("count",), oracle="declared",
            cases=[{"N": 7}])
'''
PEER = '''"""What the original does."""
from geak_evaluator import Axis, Spec, Tensor
spec = Spec(axes={"N": Axis(1, 4096)}, inputs={"x": Tensor("N")}, oracle="peer", peer="old.py:run", cases=[{"N": 7}])
'''
TESTS = '''"""What its tests say."""
from geak_evaluator import Spec
spec = Spec(axes={}, inputs={}, cases=[{}], oracle="tests", tests="pytest -q", project=".", files=("ops/rope.py",))
'''

LEDGER = scene.ledger()
HINT = "the rows of A are often sorted"


def _draft(**more: object) -> Callable[[Ask], Awaitable[object]]:
    return lambda ask: generator.draft(ask, scene.brief(**more), [])  # type: ignore[arg-type]


SCENES: dict[str, Callable[[Ask], Awaitable[object]]] = {
    "generator-draft": lambda ask: generator.draft(
        ask, scene.brief(original=scene.KERNEL, hint=HINT), LEDGER, siblings=["One program a tile.", "Split K."]
    ),
    "generator-repair": lambda ask: generator.repair(
        ask, scene.brief(goal="1.2x"), LEDGER, scene.past("1.2", kind="compile_error", plan="One program a tile.")
    ),
    "generator-optimise": lambda ask: generator.optimise(
        ask,
        scene.brief(goal="sol:0.9"),
        LEDGER,
        [scene.past("1.1", plan="Plain."), scene.past("1.4")],
        "Load 128 bits.",
    ),
    "optimizer-plan": lambda ask: optimizer.plan(
        ask, scene.brief(tuned=True), LEDGER, [scene.past("0"), scene.past("1.1", plan="Plain."), scene.past("1.4")]
    ),
    "reflector-measured": lambda ask: reflector.explain(ask, scene.brief(goal="faster"), scene.measured("1.4"), LEDGER),
    "optimizer-measured": lambda ask: optimizer.plan(
        ask, scene.brief(goal="1.2x"), LEDGER, [scene.measured("1.1", 0.9), scene.measured("1.4")]
    ),
    "reflector-correct": lambda ask: reflector.explain(ask, scene.brief(), scene.past("1.4"), LEDGER),
    "reflector-counters": lambda ask: reflector.explain(ask, scene.brief(), scene.counted("1.4"), LEDGER),
    "reflector-wrong-values": lambda ask: reflector.explain(
        ask, scene.brief(), scene.past("2.1", kind="wrong_values", change="Fuse the bias."), []
    ),
    "reflector-raised": lambda ask: reflector.explain(ask, scene.brief(), scene.past("2.1", kind="raised"), []),
    "reflector-out-of-bounds": lambda ask: reflector.explain(
        ask, scene.brief(), scene.past("2.1", kind="out_of_bounds"), []
    ),
    "reflector-out-of-resources": lambda ask: reflector.explain(
        ask, scene.brief(), scene.past("2.1", kind="out_of_resources"), []
    ),
    "reflector-other-target": lambda ask: reflector.explain(
        ask, scene.brief(), scene.past("2.1", kind="other_target"), []
    ),
    "reflector-hidden": lambda ask: reflector.explain(ask, scene.brief(), scene.past("2.1", kind="hidden"), []),
    "drafter-draft": lambda ask: drafter.draft_spec(ask, "softmax over rows of up to 32768, in half precision"),
    "drafter-mend": lambda ask: drafter.draft_spec(ask, "softmax", ["no case has an odd size"], "spec = 1"),
    "all-targets": _draft(targets=tuple(TARGETS), tuned=True, goal="best"),
    "destination": _draft(source=DESTINATION, name="add", policy=Policy.MIXED, targets=("gfx950",), goal="1.2x"),
    "module": _draft(source=MODULE, policy=Policy.OPEN, targets=("gfx90a",), goal="faster"),
    "gradient": _draft(source=GRADIENT, name="square", targets=("sm_80",), goal="sol:0.9"),
    "peer": _draft(source=PEER, name="run", targets=("sm_100",)),
    "tests": _draft(source=TESTS, name="rope", targets=("gfx942",)),
}
FIRST_OF_ITS_ROLE = {"generator-draft", "optimizer-plan", "reflector-correct", "drafter-draft"}


def _spoken(name: str) -> str:
    """The question, and the one after an answer that cannot be used; the fixed part once for each role."""
    model = scene.Model([Reply("I would rather\nnot."), Reply("", "refusal")])
    try:
        asyncio.run(SCENES[name](model.ask))  # type: ignore[arg-type]
    except NoAnswer:
        pass
    system, first = (message.text for message in model.asked[0][1])
    said = [first]
    if name.partition("-")[0] not in ("generator", "optimizer", "reflector", "drafter") or name in FIRST_OF_ITS_ROLE:
        said.insert(0, system)
    if len(model.asked) > 1:
        said.append(model.asked[1][1][1].text.removeprefix(first))
    return "\n==========\n".join(said)


@pytest.mark.parametrize("name", SCENES)
def test_a_prompt_reads_as_it_did(name: str) -> None:
    spoken = _spoken(name)
    file = SNAPSHOTS / f"{name}.txt"
    if WRITE:
        file.write_text(spoken)
    assert spoken == file.read_text()


def test_no_snapshot_is_left_over() -> None:
    assert {path.stem for path in SNAPSHOTS.iterdir()} == set(SCENES)


def test_every_template_is_in_a_snapshot() -> None:
    templates = {str(p.relative_to(data_dir("prompts"))) for p in data_dir("prompts").rglob("*.md*")} - {"README.md"}
    rendered = {f"targets/{target}.md" for target in TARGETS}
    told = [name.replace("-", "/", 1) + ".md.j2" for name in SCENES if "-" in name]
    waiting = ["reflector/failed.md.j2", *(t for t in templates if t.endswith(("system.md.j2", "again.md.j2")))]
    waiting += [name for name in told if name in templates]
    env = environment()
    assert env.loader is not None
    while waiting:
        name = waiting.pop()
        rendered.add(name)
        source = env.loader.get_source(env, name)[0]
        waiting += [part for part in jinja2.meta.find_referenced_templates(env.parse(source)) if part]
    assert templates == rendered


def test_every_goal_is_in_a_snapshot() -> None:
    told = {line for path in SNAPSHOTS.iterdir() for line in path.read_text().splitlines() if "The goal is " in line}
    words = ("right everywhere", "fastest kernel", "faster than", "1.2x as fast", "0.9 of the speed")
    assert len(told) == len(words)
    assert all(any(word in line for line in told) for word in words)


def test_nothing_changes_from_call_to_call() -> None:
    assert [_spoken(name) for name in SCENES] == [_spoken(name) for name in SCENES]
