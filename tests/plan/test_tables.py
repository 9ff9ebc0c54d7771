"""Tables of addresses, as grouped kernels have them: a plan says whose each is, and a kernel gets no further."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from geak_evaluator.children.places import Places
from geak_evaluator.judge import Judge
from geak_evaluator.schema.plan import Allocate, Argument, Copy, Fill, Launch, Plan, View
from geak_evaluator.schema.verdict import Cause
from tests.cheats.scene import accepted, refused, verdict

GROUPED = """
@triton.jit
def grouped(table, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(table).to(tl.pointer_type(tl.float32))
    y = tl.load(table + 1).to(tl.pointer_type(tl.float32))
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


def double(x):
    y = torch.empty_like(x)
    table = torch.cat([torch.tensor([one.data_ptr()]).to(x.device) for one in (x, y)])
    grouped[(triton.cdiv(x.numel(), 32),)](table, x.numel(), BLOCK=32)
    return y
"""

STRAYS: dict[str, tuple[str, str, Cause, str]] = {
    "past-its-end": ("mask=at < n)\n\n", "mask=at <= n)\n\n", Cause.OUT_OF_BOUNDS, "reached through a table"),
    "an-input": ("for one in (x, y)", "for one in (y, x)", Cause.CHANGED_INPUT, "changed its input x"),
    "nobody-s": ("one.data_ptr()", "one.data_ptr() + (1 << 40)", Cause.FOREIGN_WORK, "that Python put into a tensor"),
    "by-itself": ("tl.load(table + 1).to", "(tl.load(table) + 262144).to", Cause.OUT_OF_BOUNDS, "out of bounds"),
    "half-of-it": (
        "x = tl.load(table).to(",
        "x = (tl.load(table) + 0 * tl.load(table + 2)).to(",
        Cause.OUT_OF_BOUNDS,
        "argument 'table'",
    ),
}


def test_a_kernel_reads_and_writes_what_its_table_leads_to(judge: Judge) -> None:
    accepted(verdict(judge, GROUPED))


@pytest.mark.parametrize("name", STRAYS)
def test_and_nothing_else(judge: Judge, name: str) -> None:
    old, new, cause, words = STRAYS[name]
    assert old in GROUPED
    found = verdict(judge, GROUPED.replace(old, new))
    refused(found, cause)
    assert found.failure is not None
    assert words in found.failure.message


def test_where_tables_lead_is_followed_through_copies_and_other_tables() -> None:
    def at(storage: int) -> View:
        return View(storage, "int64", 0, (1,), (1,))

    def launch(*named: int) -> Launch:
        return Launch("k", "m", (1, 1, 1), tuple(Argument("tensor", at(one)) for one in named), {})

    steps = (
        Allocate(2, 8),
        launch(1),
        Fill(at(1), 0, at(0)),
        launch(1),
        Copy(at(1), at(2)),
        launch(2),
        Fill(at(3), 0, at(2)),
        Fill(at(2), 7),
        launch(3, 4),
        launch(4),
    )
    led = Plan(steps).led
    assert [sorted(one) for one, step in zip(led, steps, strict=True) if isinstance(step, Launch)] == [
        [],
        [0],
        [0],
        [0, 2],
        [],
    ]


def test_an_address_may_be_a_small_number() -> None:
    """A program that is not moved has its heap in the first four gigabytes."""
    places = Places([])
    low, high = (SimpleNamespace(data_ptr=lambda at=at: at, nbytes=lambda: 64) for at in (1 << 29, 1 << 40))
    places._kept += [low, high]
    found = [places.place(value) for value in (63, (1 << 29) + 8, (1 << 29) + 64, (1 << 40) + 63)]
    assert [one and (one.storage, one.offset) for one in found] == [None, (0, 8), None, (1, 63)]
