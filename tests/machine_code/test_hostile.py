"""Texts that were made to break the compiler: each costs one child, and answers with a word from a closed list."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest

from geak_evaluator.machine_code.compile import LIMITS, Compiled, Compiler
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import MIB
from geak_evaluator.schema import codec
from geak_evaluator.schema.machine_code import Handed, Lowered, Why

from .test_compiler import OPTIONS, TEXT, one

SMALL = replace(LIMITS, wall_s=30.0, memory=512 * MIB)


@pytest.fixture(scope="module")
def small(box: Sandbox) -> Compiler:
    return Compiler(box, limits=SMALL)


def compiled(compiler: Compiler, text: str) -> Compiled:
    (found,) = compiler.figures_of(one(text))
    return found


def inline(assembly: str, constraints: str = "=v,v") -> str:
    """The text with inline assembly in it."""
    operation = (
        f'%x = tt.elementwise_inline_asm "{assembly}\\0Av_mov_b32 $0, 0" '
        f'{{constraints = "{constraints}", packed_element = 1 : i32, pure = false}} '
        "%r : tensor<256xi32> -> tensor<256xi32>"
    )
    return TEXT.replace("%x = arith.addi %r, %r : tensor<256xi32>", operation)


HOSTILE = {
    "garbage": "\x00\x01 no IR {{{ \x7f",
    "nothing": "",
    "lone surrogate": TEXT + "\ud800",
    "no function": "module {}",
    "deep regions": "module {" * 100_000,
    "deep attributes": "module attributes {a = " + "[" * 900_000,
    "deep types": "module { tt.func public @k(%a: " + "tensor<1x" * 50_000 + "f32) }",
    "two kernels": TEXT.replace("module {", "module { tt.func public @other() { tt.return }", 1),
    "include": '#include "/etc/passwd"\n' + TEXT,
    "name that is a path": TEXT.replace("@fill", '@"../../../../tmp/evil"'),
    "long name": TEXT.replace("@fill", "@" + "a" * 100_000),
    "includes a file": inline('.include \\"/etc/passwd\\"'),
    "assembles a file that it may not read": inline('.incbin \\"/etc/shadow\\"'),
    "assembles without end": inline(".fill 1000000000, 8, 1"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_gives_a_bounded_error(small: Compiler, name: str) -> None:
    started = time.monotonic()
    found = compiled(small, HOSTILE[name])
    assert time.monotonic() - started < SMALL.wall_s + 5
    assert found.failure is not None
    assert found.figures is None
    assert found.failure.why in (Why.INVALID, Why.REJECTED, Why.CRASHED, Why.OUT_OF_MEMORY, Why.TIMEOUT)
    assert found.failure.message
    assert len(codec.dumps(found.failure)) < 20_000
    assert "/tmp/geak-" not in found.failure.message
    assert "root:" not in found.failure.message
    assert compiled(small, TEXT).figures is not None  # the next child knows nothing of it


def test_the_compiler_says_what_it_did_not_understand(small: Compiler) -> None:
    failure = compiled(small, TEXT.replace("tt.store", "tt.sstore")).failure
    assert failure is not None
    assert failure.why is Why.INVALID
    assert "tt.sstore" in failure.message


@pytest.mark.parametrize("constraints", ["=f,f", "=l,l", "=v,h"])
def test_what_llvm_only_prints_is_an_error_too(small: Compiler, constraints: str) -> None:
    """Of registers that another vendor has; some versions of Triton go on with code that leaves all of it out."""
    found = compiled(small, inline("", constraints))
    assert found.figures is None
    assert found.failure is not None
    assert found.failure.why is Why.REJECTED
    assert re.match("LLVM: .* constraint '[flh]'", found.failure.message)


def test_fifty_megabytes_start_no_child(small: Compiler) -> None:
    failure = compiled(small, "module {" + " " * (50 << 20) + "}").failure
    assert failure is not None
    assert failure.why is Why.TOO_LARGE
    with pytest.raises(codec.WireError, match="over the limit"):
        codec.loads(codec.dumps(one(" " * (50 << 20))))


def test_locations_are_words(small: Compiler) -> None:
    """A text may say where it came from; nothing looks there, and it is another text."""
    plain = compiled(small, TEXT)
    for location in ('loc("../../../../etc/passwd":1:1)', 'loc("/proc/self/mem":1:1)', f'loc("{"a" * 5000}":1:1)'):
        body = TEXT.replace("tensor<256x!tt.ptr<i32>>\n", "tensor<256x!tt.ptr<i32>> loc(#loc)\n")
        body = body.replace("  }\n", "  } loc(#loc)\n").replace("tt.return\n", "tt.return loc(#loc)\n")
        found = compiled(small, f"#loc = {location}\n{body}")
        assert found.figures == plain.figures
        assert "passwd" not in found.assembly
        assert "/proc" not in found.assembly


def test_what_a_text_says_of_resources_is_not_taken_for_true(small: Compiler) -> None:
    lying = TEXT.replace("module {", 'module attributes {"ttg.shared" = 1 : i32, "ttg.num-warps" = 1 : i32} {', 1)
    found = compiled(small, lying)
    plain = compiled(small, TEXT)
    assert plain.figures is not None
    assert plain.figures.num_warps == 4
    if found.figures is not None:
        assert (found.figures.num_warps, found.figures.shared_bytes) == (4, plain.figures.shared_bytes)
        assert found.figures.code_bytes == plain.figures.code_bytes
    else:
        assert found.failure is not None
        assert found.failure.why in (Why.REJECTED, Why.CRASHED)


def test_a_file_that_the_child_may_read_does_not_come_out(small: Compiler) -> None:
    """Its bytes are in the binary, which nobody keeps."""
    found = compiled(small, inline('.incbin \\"/proc/version\\"'))
    for text in (found.assembly, codec.dumps(found.figures), found.failure.message if found.failure else ""):
        assert "Linux version" not in text


def test_a_hostile_text_does_not_disturb_its_neighbours(small: Compiler) -> None:
    texts = (TEXT, "module {" * 100_000, TEXT.replace("@fill", "@last"))
    found = small.figures_of(Handed(texts, tuple(Lowered("k", "gfx942", OPTIONS, n) for n in range(3))))
    assert [one.figures.kernel if one.figures else one.failure and one.failure.why for one in found] == [
        "fill",
        Why.CRASHED,
        "last",
    ]
