"""The judge's side: what is looked up, what is compiled again, what is not believed."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geak_evaluator.machine_code.cache import Cache
from geak_evaluator.machine_code.compile import LIMITS, Compiled, Compiler
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.errors import SandboxError
from geak_evaluator.schema import codec
from geak_evaluator.schema import machine_code as words
from geak_evaluator.schema.machine_code import Handed, Lowered, Why

OPTIONS: dict[str, words.Option] = {"num_warps": 4, "num_stages": 2, "num_ctas": 1, "enable_fp_fusion": True}

TEXT = """module {
  tt.func public @fill(%p: !tt.ptr<i32>) {
    %r = tt.make_range {end = 256 : i32, start = 0 : i32} : tensor<256xi32>
    %s = tt.splat %p : !tt.ptr<i32> -> tensor<256x!tt.ptr<i32>>
    %a = tt.addptr %s, %r : tensor<256x!tt.ptr<i32>>, tensor<256xi32>
    %x = arith.addi %r, %r : tensor<256xi32>
    tt.store %a, %x : tensor<256x!tt.ptr<i32>>
    tt.return
  }
}
"""


class Counted:
    """A sandbox that counts the children it is asked for."""

    def __init__(self, box: Sandbox) -> None:
        self._box, self.spawned = box, 0
        self.instead: dict[str, str] = {}

    def spawn(self, role: str, job: Any = None, **options: Any) -> Any:
        self.spawned += 1
        return self._box.spawn(self.instead.get(role, role), job, **options)


@pytest.fixture
def counted(box: Sandbox) -> Counted:
    return Counted(box)


def compiler_in(counted: Counted, folder: Path | None = None, **options: Any) -> Compiler:
    return Compiler(counted, Cache(folder) if folder else None, **options)  # type: ignore[arg-type]


def one(text: str = TEXT, target: str = "gfx942", **options: words.Option) -> Handed:
    return Handed((text,), (Lowered("fill", target, {**OPTIONS, **options}, 0),))


def figures_of(compiler: Compiler, handed: Handed) -> Compiled:
    (found,) = compiler.figures_of(handed)
    return found


def test_a_second_look_starts_no_child(counted: Counted, folder: Path) -> None:
    compiler = compiler_in(counted, folder)
    first = figures_of(compiler, one())
    assert first.figures is not None
    assert counted.spawned == 2  # which compiler it is, and the text
    second = figures_of(compiler, one())
    assert counted.spawned == 2
    assert second.cached
    assert replace(second, cached=False) == first
    assert second.assembly == first.assembly != ""
    later = figures_of(compiler_in(counted, folder), one())  # another judge asks which compiler it is, and no more
    assert counted.spawned == 3
    assert later == second


def test_a_failure_is_found_again_too(counted: Counted, folder: Path) -> None:
    compiler = compiler_in(counted, folder)
    first = figures_of(compiler, one("module { nothing }"))
    second = figures_of(compiler, one("module { nothing }"))
    assert first.failure == second.failure
    assert second.cached


@pytest.mark.parametrize(
    "other",
    [
        one(TEXT.replace("addi", "muli")),
        one(target="gfx90a"),
        one(num_warps=2),
        one(enable_fp_fusion=False),
        one(waves_per_eu=2),
    ],
)
def test_a_different_question_is_asked_anew(counted: Counted, folder: Path, other: Handed) -> None:
    compiler = compiler_in(counted, folder)
    figures_of(compiler, one())
    found = figures_of(compiler, other)
    assert found.figures is not None
    assert not found.cached
    assert counted.spawned == 3


def test_another_compiler_finds_nothing(counted: Counted, folder: Path) -> None:
    figures_of(compiler_in(counted, folder), one())
    other = compiler_in(counted, folder)
    other._identity = {name: f"{is_now} but newer" for name, is_now in other._asked_who().items()}
    assert not figures_of(other, one()).cached


def test_each_text_has_a_child_of_its_own_and_equal_texts_share_it(counted: Counted) -> None:
    compiler = compiler_in(counted)
    other = TEXT.replace("@fill", "@other")
    lowered = [
        Lowered("a", "gfx942", OPTIONS, 0),
        Lowered("b", "gfx942", OPTIONS, 1),
        Lowered("c", "gfx942", OPTIONS, 2),
    ]
    found = compiler.figures_of(Handed((TEXT, other, TEXT), tuple(lowered)))
    assert [one.figures and one.figures.kernel for one in found] == ["fill", "other", "fill"]
    assert [one.kernel for one in found] == ["a", "b", "c"]
    assert counted.spawned == 3


def test_a_damaged_entry_is_compiled_again(counted: Counted, folder: Path) -> None:
    compiler = compiler_in(counted, folder)
    first = figures_of(compiler, one())
    (path,) = (path for path in folder.glob("??/*") if path.is_file())
    os.truncate(path, 100)
    again = figures_of(compiler, one())
    assert (again, again.cached) == (first, False)


def test_an_entry_that_is_no_answer_is_compiled_again(counted: Counted, folder: Path) -> None:
    compiler = compiler_in(counted, folder)
    first = figures_of(compiler, one())
    (path,) = (path for path in folder.glob("??/*") if path.is_file())
    Cache(folder).put(path.name, b'{"figures": {"vgprs": "many"}}')
    assert figures_of(compiler, one()) == first


@pytest.mark.parametrize(
    ("handed", "why"),
    [
        (Handed((TEXT,), (Lowered("k", "gfx942", {"extern_libs": "/etc/passwd"}, 0),)), Why.UNSUPPORTED),
        (Handed((TEXT,), (Lowered("k", "gfx942", {"num_warps": True}, 0),)), Why.UNSUPPORTED),
        (Handed((TEXT,), (Lowered("k", "gfx942", {"num_warps": -4}, 0),)), Why.UNSUPPORTED),
        (Handed((TEXT,), (Lowered("k", "gfx942", {"llvm_fn_attrs": "x" * 1000}, 0),)), Why.UNSUPPORTED),
        (Handed((TEXT,), (Lowered("k", "sm_75", OPTIONS, 0),)), Why.UNSUPPORTED),
        (Handed((TEXT,), (Lowered("k", "../gfx942", OPTIONS, 0),)), Why.UNSUPPORTED),
        (Handed((TEXT,), (Lowered("k", "gfx942", OPTIONS, 1),)), Why.INVALID),
        (Handed((TEXT,), (Lowered("k", "gfx942", OPTIONS, -1),)), Why.INVALID),
        (Handed((" " * (words.MAX_TEXT + 1),), (Lowered("k", "gfx942", OPTIONS, 0),)), Why.TOO_LARGE),
    ],
)
def test_what_is_nothing_to_compile_starts_no_child(counted: Counted, handed: Handed, why: Why) -> None:
    failure = figures_of(compiler_in(counted), handed).failure
    assert failure is not None
    assert failure.why is why
    assert counted.spawned == 0


def test_only_so_many_kernels_are_taken(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geak_evaluator.machine_code.compile.MAX_KERNELS", 1)
    found = compiler_in(counted).figures_of(Handed((TEXT,), (Lowered("k", "gfx942", OPTIONS, 0),) * 3))
    assert [one.failure and one.failure.why for one in found] == [None, Why.TOO_LARGE, Why.TOO_LARGE]


def test_num_warps_that_no_program_can_have(counted: Counted) -> None:
    compiler = compiler_in(counted)
    assert _why(figures_of(compiler, one(num_warps=3))) is Why.REJECTED
    found = figures_of(compiler, one(num_warps=32))  # 2048 threads
    assert _why(found) is Why.OUT_OF_RESOURCES
    assert found.failure is not None
    assert "threads" in found.failure.message


def _why(found: Compiled) -> Why | None:
    return found.failure.why if found.failure else None


def reply(change: Callable[[dict[str, Any]], None]) -> str:
    """What a child that was taken over could say of the text."""
    figures = words.Figures("gfx942", "fill", 4, 2, 0, 0, 8.0, 8, ("waves",), 10, words.Counts())
    good = {"figures": {**codec.to_json(figures), "counts": {}}}
    change(good)
    return json.dumps(good)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (reply(lambda r: None), None),
        ("not json", Why.CRASHED),
        ("{}", Why.CRASHED),
        (reply(lambda r: r["figures"].update(target="sm_90")), Why.CRASHED),
        (reply(lambda r: r["figures"].update(code_bytes=-1)), Why.CRASHED),
        (reply(lambda r: r["figures"].update(code_bytes=10**30)), Why.CRASHED),
        (reply(lambda r: r["figures"].update(occupancy="nan")), Why.CRASHED),
        (reply(lambda r: r["figures"].update(kernel="k" * 300)), Why.CRASHED),
        (reply(lambda r: r["figures"].update(limited_by=["<script>"])), Why.CRASHED),
        (reply(lambda r: r["figures"].update(extra=1)), Why.CRASHED),
        (reply(lambda r: r["figures"]["counts"].update(loads={str(n): 1 for n in range(300)})), Why.CRASHED),
        (reply(lambda r: r.update(failure={"why": "rejected", "message": "and figures"})), Why.CRASHED),
    ],
)
def test_a_child_that_was_taken_over_is_not_believed_beyond_its_own_text(
    counted: Counted, said: str, why: Why | None
) -> None:
    compiler = compiler_in(counted)
    compiler._identity = compiler._asked_who()
    counted.instead["geak_evaluator.children.compiler"] = "geak_evaluator.children.script"
    # The script child runs what it is given; the request itself is JSON, and so a Python expression.
    source = f"module = 0; answer = {said.encode()!r}"
    compiler = _asking(compiler, source)
    assert _why(figures_of(compiler, one())) is why


def _asking(compiler: Compiler, source: str) -> Compiler:
    """The same compiler, whose children run a script instead."""
    box = compiler._box

    class Asked:
        def spawn(self, role: str, job: Any = None, **options: Any) -> Any:
            child = box.spawn(role, job, **options)
            ask = child.ask
            child.ask = lambda body=b"", **rest: ask(source.encode(), **rest)  # type: ignore[method-assign]
            return child

    compiler._box = Asked()  # type: ignore[assignment]
    return compiler


def test_a_machine_without_the_compiler_says_so(counted: Counted) -> None:
    counted.instead["geak_evaluator.children.compiler"] = "geak_evaluator.children.script"
    with pytest.raises(SandboxError, match="which it is"):
        figures_of(_asking(compiler_in(counted), "raise ImportError('no triton')"), one())


def test_time_runs_out(counted: Counted, folder: Path) -> None:
    compiler = compiler_in(counted, folder)
    compiler._identity = compiler._asked_who()
    compiler._limits = replace(LIMITS, wall_s=0.02)
    assert _why(figures_of(compiler, one())) is Why.TIMEOUT
    compiler._limits = LIMITS
    found = figures_of(compiler, one())  # which was this machine's doing, and is not filed
    assert found.figures is not None
    assert not found.cached


POISONER = """
import json, os, pathlib
import torch, triton, triton.language as tl
from geak_evaluator import device
from geak_evaluator.machine_code import frontend
from geak_evaluator.schema import codec

path = pathlib.Path("kernel.py")
path.write_text('''
import triton, triton.language as tl
@triton.jit
def double(x_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n)
    tl.store(x_ptr + at, x + x, mask=at < n)
''')
space = {}
import importlib.util
spec = importlib.util.spec_from_file_location("kernel", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
launches = []
with device.activate("gfx942", on_launch=launches.append, execute=False):
    module.double[(4,)](torch.zeros(1024), 1024, BLOCK=256)
if job["poison"]:
    tried = []
    for folder, _, files in os.walk(os.environ["TRITON_CACHE_DIR"]):
        for file in files:
            text = pathlib.Path(folder, file).read_bytes()
            pathlib.Path(folder, file).write_bytes(text.replace(b"vgpr_count:", b"vgpr_count: 1 #") or b"x")
    for target in (job["cache"], *(os.path.join(job["cache"], name) for name in job["names"])):
        for attempt in (os.listdir, lambda p: open(p, "rb").read(), lambda p: open(p + "/x", "wb")):
            try:
                attempt(target)
                tried.append(target)
            except OSError:
                pass
    assert not tried, tried
answer = codec.dumps(frontend.lower(launches, ("gfx942", "sm_90"))).encode()
"""


def test_what_a_candidate_writes_into_caches_changes_nothing(box: Sandbox, folder: Path) -> None:
    """Its own cache holds what it likes, and the judge's cannot be reached: the figures are those of the text."""
    cache = Cache(folder)
    cache.put("ab" * 32, b"there before")
    names = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    found = {}
    for poison in (False, True):
        job = {"poison": poison, "cache": str(folder), "names": names}
        with box.spawn("geak_evaluator.children.script", job, limits=replace(LIMITS, reply_bytes=1 << 20)) as child:
            said = child.ask(textwrap.dedent(POISONER).encode())
            assert said.ok, (said, child.log)
        handed = codec.from_json(Handed, codec.loads(said.body))
        found[poison] = Compiler(box, None if poison else cache).figures_of(handed)
    assert found[True] == found[False]
    assert [one.figures and one.figures.kernel for one in found[True]] == ["double", "double"]
    amd = found[True][0].figures
    assert amd is not None
    assert amd.vgprs != 1
    assert cache.get("ab" * 32) == b"there before"
