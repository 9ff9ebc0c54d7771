"""Every starter kernel, broken in ways that are easily made: each is refused, and the diagnosis names the fault."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pytest

from geak.specs import shipped
from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema.verdict import Status
from tests.starter.variants import VARIANTS
from tests.starter.variants.variant import Variant

LEAST = 6
UNNAMED = re.compile(r"(wrong at|got|expected).*")
"""Of a diagnosis that says no more than where an answer is wrong, and what stands there."""
MOST_UNNAMED = 39
"""Some of them have too few elements at their first size for a reason to be sure, and are named in some draws only."""
ALL = [(name, variant) for name, some in VARIANTS.items() for variant in some]


@cache
def source(name: str) -> str:
    return (shipped() / "kernels" / f"{name}.py").read_text()


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Sandbox() as box:
        yield Judge(box, limits=Limits(wall_s=60))


def test_every_kernel_is_broken_in_several_ways() -> None:
    assert set(VARIANTS) == {path.stem for path in shipped().glob("*.py")}
    for name, some in VARIANTS.items():
        assert len({variant.fault for variant in some}) == len(some) >= LEAST, name
        assert sum(variant.quick for variant in some) == 2, name


def test_a_variant_differs_in_one_place() -> None:
    for name, variant in ALL:
        assert source(name).count(variant.old) == 1, (name, variant.fault)
        assert variant.old != variant.new, (name, variant.fault)
        assert variant.says, (name, variant.fault)


def test_nearly_every_diagnosis_names_more_than_the_place() -> None:
    ways = [(f"{name}: {variant.fault}", variant.says.split("|")) for name, variant in ALL]
    unnamed = [fault for fault, some in ways if any(map(UNNAMED.fullmatch, some))]
    assert len(unnamed) <= MOST_UNNAMED, f"{len(unnamed)} of {len(ALL)}: {'; '.join(unnamed)}"


def _marked(name: str, variant: Variant) -> object:
    marks = [] if variant.quick else [pytest.mark.slow]
    if variant.needs:
        marks.append(pytest.mark.skip(reason=f"needs {variant.needs}"))
    return pytest.param(name, variant, marks=marks, id=f"{name}-{variant.fault}")


@pytest.mark.parametrize(("name", "variant"), [_marked(*item) for item in ALL])
def test_a_variant_is_refused_for_its_fault(judge: Judge, name: str, variant: Variant) -> None:
    broken = source(name).replace(variant.old, variant.new)
    verdict = judge.evaluate(SpecFile.read(shipped() / f"{name}.py"), broken.encode())
    failure = verdict.failure
    assert failure is not None, verdict.line()
    assert not failure.hidden, "only a hidden case shows it"
    assert verdict.status is Status.REJECTED
    assert failure.cause in (variant.cause, *variant.also), verdict.line()
    assert re.search(variant.says, failure.message), verdict.line()
