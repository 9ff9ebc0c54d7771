"""What models wrap their answers in, and what is found in it."""

from __future__ import annotations

import ast
import contextlib
import difflib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geak.resources import data_dir
from geak.roles import answers
from geak.roles.brief import NoAnswer
from tests.roles.scene import KERNEL, SPEC

KERNELS = {path.stem: path.read_text() for path in (data_dir("datasets") / "starter" / "kernels").glob("*.py")}
ENTRIES = {"gated_mlp": "GatedMLP"}


def in_list(source: str) -> str:
    body = "".join(f"    {line}\n" if line else "\n" for line in source.splitlines())
    return f"1. The kernel:\n\n    ```python\n{body}    ```\n2. Done."


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda s: s,
    "one block": lambda s: f"Plan: one program a row.\n\n```python\n{s}```\n",
    "one block, other words": lambda s: f"Sure!\n```py title=k.py\n{s}```\nThis is fast.",
    "triton": lambda s: f"```triton\n{s}```",
    "no language": lambda s: f"```\n{s}\n```",
    "tildes": lambda s: f"~~~python\n{s}~~~\n",
    "four backticks": lambda s: f"````python\n{s}````\n",
    "windows": lambda s: f"```python\n{s}```\n".replace("\n", "\r\n"),
    "in a list": in_list,
    "unclosed": lambda s: f"Here:\n```python\n{s}",
    "usage after it": lambda s: f"```python\n{s}```\nUse it:\n```python\nimport torch\nprint(torch.ones(3))\n```",
    "output after it": lambda s: f"```python\n{s}```\nIt prints:\n```text\nok (\n```",
    "install before it": lambda s: f"```bash\npip install triton\n```\n```python\n{s}```",
    "an empty block before it": lambda s: f"```\n```\n```python\n{s}```",
    "not closed before it": lambda s: f"```bash\nls\n```python\n{s}```",
    "prose around it": lambda s: f"Here is the kernel, as asked.\n\n{s}\nIt uses masks. Enjoy!\n",
    "sentences that parse": lambda s: f"{s}\nNote: done\nThat is all\n",
    "thought": lambda s: f"<think>```python\nx = (\n```\nNo...</think>\n```python\n{s}```",
    "thought, its beginning in the prompt": lambda s: f"First {s[:80]}\n</think>\n\n```python\n{s}```",
    "thought that never ends": lambda s: f"<thinking>Well.\n```python\n{s}```",
    "thought with a draft": lambda s: f"<think>\n```python\n{s.replace('mask', 'masc')}```\n</think>\n{s}",
    "json": lambda s: json.dumps({"plan": "p", "code": s}),
    "json, indented, in a block": lambda s: f"```json\n{json.dumps({'code': s, 'plan': 'p'}, indent=2)}\n```",
    "json, prose around it": lambda s: f"Here: {json.dumps({'plan': 'it {works}', 'code': s})} Done.",
    "json, raw newlines": lambda s: json.dumps({"plan": "p", "code": s}).replace("\\n", "\n"),
    "json, nothing escaped": lambda s: '{"plan": "p", "code": "' + s + '"}',
    "json, nothing escaped, code first": lambda s: '{\n"code": "' + s + '",\n"plan": "p"\n}',
    "json, a comma too many": lambda s: f'{{"plan": "p", "code": {json.dumps(s)},}}',
    "json, lines": lambda s: json.dumps({"code": s.split("\n")}),
    "json, a block inside": lambda s: json.dumps({"code": f"```python\n{s}```"}),
    "python's dict": lambda s: repr({"plan": "it's", "code": s}),
    "triple quotes": lambda s: f"{{'plan': 'p', 'code': '''{s}'''}}",
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_kernel_comes_out_as_it_went_in(wrapping: str) -> None:
    for name, source in KERNELS.items():
        assert answers.kernel(WRAPPINGS[wrapping](source), ENTRIES.get(name, name)) == source, name


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="`~\r\x00\f"), max_size=60), min_size=1, max_size=8
    ),
    st.sampled_from(
        ["one block", "tildes", "unclosed", "json", "json, indented, in a block", "python's dict", "windows"]
    ),
)
def test_any_text_in_it_comes_out(words: list[str], wrapping: str) -> None:
    source = f"NOTES = {words!r}\n\n\ndef entry(x):\n    return x\n"
    assert answers.kernel(WRAPPINGS[wrapping](source), "entry") == source


def test_code_with_fences_of_its_own() -> None:
    source = KERNEL.replace('"""', '"""As in\n```\nc = matmul(a, b)\n```\n', 1)
    assert answers.kernel(f"Plan.\n```python\n{source}```\nDone.", "matmul") == source


def test_the_last_of_several_that_define_it() -> None:
    better = KERNEL.replace("64, 64, 32", "128, 128, 64")
    assert answers.kernel(f"Before:\n```python\n{KERNEL}```\nAfter:\n```python\n{better}```", "matmul") == better
    assert answers.kernel(f"New:\n```python\n{better}```\nOld:\n```python\n{KERNEL}```", "matmul", KERNEL) == better


def test_a_kernel_and_its_wrapper_in_two_blocks() -> None:
    at = KERNEL.index("def matmul")
    text = (
        f"Kernel:\n```python\n{KERNEL[:at]}```\nCheck:\n```python\nassert 1\n```\nWrapper:\n```python\n{KERNEL[at:]}```"
    )
    found = answers.kernel(text, "matmul")
    assert ast.dump(ast.parse(found)) == ast.dump(ast.parse(KERNEL))


def test_escapes_in_a_string_of_code_survive_json_with_raw_newlines() -> None:
    source = "def f():\n    return 'a\\n\\t', \"b\", r'\\d'\n"
    assert answers.kernel(json.dumps({"plan": "p", "code": source}).replace("\\n ", "\n "), "f") == source


EDITED = KERNEL.replace("GROUP=8, num_warps=4", "GROUP=4, num_warps=8").replace("64, 64, 32", "128, 64, 32")
DIFF = "".join(difflib.unified_diff(KERNEL.splitlines(True), EDITED.splitlines(True), "a/k.py", "b/k.py"))
REPLACE = """<<<<<<< SEARCH
    BM, BN, BK = 64, 64, 32
=======
    BM, BN, BK = 128, 64, 32
>>>>>>> REPLACE
then
<<<<<<< SEARCH
    _matmul[(triton.cdiv(M, BM) * triton.cdiv(N, BN),)](a, b, c, M, N, K, BM, BN, BK, GROUP=8, num_warps=4)   
=======
    _matmul[(triton.cdiv(M, BM) * triton.cdiv(N, BN),)](a, b, c, M, N, K, BM, BN, BK, GROUP=4, num_warps=8)
>>>>>>> REPLACE
"""


@pytest.mark.parametrize(
    "text",
    [
        DIFF,
        f"I change the tile.\n```diff\n{DIFF}```\nDone.",
        DIFF.replace("@@ -32,6 +32,6 @@", "@@ ... @@"),
        "\n".join(line.rstrip() for line in DIFF.split("\n")),
        REPLACE,
        f"```\n{REPLACE}```",
        f"<think>hm</think>```python\n{REPLACE}```",
    ],
)
def test_edits_are_made_to_the_earlier_kernel(text: str) -> None:
    assert answers.kernel(text, "matmul", KERNEL) == EDITED


def test_spaces_at_the_end_of_a_line_are_of_no_account() -> None:
    earlier = KERNEL.replace("32\n", "32   \n")
    assert answers.kernel(REPLACE, "matmul", earlier) == EDITED


def test_edits_that_fit_nowhere_are_no_kernel() -> None:
    with pytest.raises(NoAnswer):
        answers.kernel(DIFF, "matmul", KERNEL.replace("64, 64, 32", "16, 16, 16"))
    with pytest.raises(NoAnswer):
        answers.kernel(DIFF, "matmul")


def test_a_kernel_that_is_given_back_is_given_back() -> None:
    assert answers.kernel(f"```python\n{KERNEL}```", "matmul", KERNEL) == KERNEL


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("I cannot help with that.", "it holds no code"),
        ("", "it holds no code"),
        ("```python\n```", "its code does not define matmul"),
        ("```python\ndef mm(a):\n    pass\n```", "its code does not define matmul, only mm"),
        ("```python\ndef matmul(a:\n    pass\n```", "its code is not Python, line 1"),
        (f"```python\n{KERNEL[:-40]}", "its code is not Python, line 37: '(' was never closed"),
        ("x" * (1 << 21), "it has 2097152 characters"),
        ("```python\nx = '\x00'\n```", "its code is not Python"),
        (f"```python\n{'(' * 5000}\n```", "its code is not Python"),
    ],
)
def test_what_is_missing_is_said(text: str, why: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        answers.kernel(text, "matmul")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of_several_blocks_the_kernels_fault_is_said() -> None:
    text = f"```python\n{KERNEL.replace('GROUP=8,', 'GROUP=8')}```\nUse it:\n```python\nc = matmul(a, b)\n```"
    with pytest.raises(NoAnswer, match=r"not Python, line 37: invalid syntax\. Perhaps you forgot a comma"):
        answers.kernel(text, "matmul")


PIECES = st.sampled_from(
    [
        *(
            "```",
            "```python",
            "~~~",
            "\n",
            "{",
            "}",
            '"',
            "'",
            '"code": "',
            "def f():",
            "    pass",
            "@@",
            "-x",
            "+y",
            " z",
        ),
        *(
            "<think>",
            "</think>",
            "<<<<<<< SEARCH",
            "=======",
            ">>>>>>> REPLACE",
            "\\",
            '"""',
            "import x",
            "\ud800",
            "\x00",
        ),
    ]
)


@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=40).map("\n".join), st.lists(PIECES).map("".join)))
def test_nothing_but_no_answer_is_raised(text: str) -> None:
    for read in (
        lambda: answers.kernel(text, "f", "def f():\n x\n z\n"),
        lambda: answers.spec(text),
        lambda: answers.object(text, ("cause", "advice")),
    ):
        with contextlib.suppress(NoAnswer):
            read()
    assert isinstance(answers.unfinished(text), bool)
    assert len(answers.plan(text)) <= 400


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("Plan: one program a row.\n\n```python\nx\n```", "one program a row."),
        (
            "**Plan:** keep the row in registers;\nmask the tail.\n```\nx\n```",
            "keep the row in registers; mask the tail.",
        ),
        ("<think>hm hm</think>\nSplit K.\n```python\nx\n```", "Split K."),
        ('{"plan": "tile it", "code": "x"}', "tile it"),
        ("Two passes.\nimport torch", "Two passes."),
        ("```python\nx\n```", ""),
        ("## Plan\nSplit K from here.\n```\nx\n```", "Split K from here."),
        ("- from 64 to 128\n```\nx\n```", "from 64 to 128"),
        ("planes are copied first\n```python\nx\n```", "planes are copied first"),
    ],
)
def test_a_plan_is_what_comes_before_the_code(text: str, plan: str) -> None:
    assert answers.plan(text) == plan


LESSON = {"cause": 'line 7 "forgets" the mask', "advice": "add it:\nmask=at < n", "outcome": "avoid"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(LESSON),
        f"Well.\n```json\n{json.dumps(LESSON, indent=1)}\n```\nDone.",
        f"<think>{{'cause': 'x'}}</think>{json.dumps(LESSON)}",
        json.dumps(LESSON).replace("\\n", "\n"),
        json.dumps(LESSON).replace('\\"', '"'),
        repr(LESSON),
        json.dumps(LESSON)[:-1] + ",}",
        json.dumps(LESSON)[:-1],
        json.dumps({"tried": None, "more": [1, {"a": 2}]} | LESSON),
    ],
)
def test_fields_come_out_of_an_object(text: str) -> None:
    found = answers.object(text, ("cause", "advice"))
    assert {name: found[name] for name in LESSON} == LESSON


def test_fields_come_out_of_lines() -> None:
    found = answers.object("- **Cause:** no mask\n- **Advice**: add it\nthe cause: x", ("cause", "advice"))
    assert found == {"cause": "no mask", "advice": "add it"}


def test_fields_that_are_missing_are_named() -> None:
    with pytest.raises(NoAnswer, match=r"it has no advice$"):
        answers.object('{"cause": "x", "advice": ""}', ("cause", "advice"))
    with pytest.raises(NoAnswer, match="it holds no JSON object with cause, advice"):
        answers.object("no", ("cause", "advice"))


def test_a_spec_is_found_by_what_it_defines() -> None:
    assert answers.spec(f"Here.\n```python\n{SPEC}```\n") == SPEC
    with pytest.raises(NoAnswer, match="its code does not define spec and reference"):
        answers.spec("```python\nx = 1\n```")


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (f"```python\n{KERNEL}", True),
        (f"```python\n{KERNEL}```\nIt", False),
        ("<think>so", True),
        ("<think>so</think>ok", False),
        ('{"cause": "x', True),
        ('{"cause": "x"}', False),
        ("prose", False),
    ],
)
def test_an_answer_that_was_cut(text: str, cut: bool) -> None:
    assert answers.unfinished(text) is cut
