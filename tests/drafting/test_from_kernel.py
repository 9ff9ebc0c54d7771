from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from geak.drafting import Draft, DraftError, from_kernel
from geak_evaluator.schema import domain
from geak_evaluator.schema.spec import Description, Spec, leaves

FILES = Path(__file__).parent / "kernel_files"
HEAD = "import torch, triton\nimport triton.language as tl\n"

Make = Callable[..., Draft]


@pytest.fixture
def draft(tmp_path: Path) -> Make:
    def make(text: str, function: str | None = None) -> Draft:
        path = tmp_path / "kernel.py"
        path.write_text(text if "import triton" in text else HEAD + textwrap.dedent(text))
        return from_kernel(path, function)

    return make


def loaded(made: Draft) -> Spec:
    names: dict[str, Any] = {}
    exec(compile(made.text, "drafted.py", "exec", dont_inherit=True), names)
    spec: Spec = names["spec"]
    assert domain.problems(Description(made.name, names["__doc__"], spec, ())) == [], made.text
    assert spec.oracle == "peer"
    assert spec.peer == f"{spec.starter}:{made.entry}"
    for question in made.questions:
        assert any("# CHECK:" in line and question in line for line in made.text.splitlines()), question
    return spec


def outputs(spec: Spec) -> list[str]:
    return [str(leaf) for _, leaf in leaves(spec.outputs) if leaf is not None]


EXPECTED: dict[str, tuple[dict[str, str], tuple[str, ...], list[str]]] = {
    "row_softmax": ({"x": "T[n_rows, n_cols]"}, (), ["T[n_rows, n_cols]"]),
    "add_inplace": ({"x": "T[M, N]", "y": "T[M, N]", "alpha": "float 1.0"}, ("x",), ["T[M, N]"]),
    "matmul": ({"a": "T[M, K]", "b": "T[K, N]"}, (), ["T[M, N]"]),
    "two_kernels": ({"x": "T[N]", "counter": "int32[1] integers(0, 8)"}, ("counter",), ["fp32[1]"]),
    "autograd_function": ({"x": "T[M, N]"}, (), ["T[M, N]"]),
    "layer_norm": (
        {"x": "T[M, N]", "weight": "T[N]", "bias": "T[N] or None", "eps": "float 1e-05"},
        (),
        ["T[M, N]", "fp32[M]", "fp32[M]"],
    ),
    "flash_attention": (
        {
            "q": "T[B, H, S, HEAD_DIM_Q]",
            "k": "T[B, H, S2, HEAD_DIM_Q]",
            "v": "T[B, H, S2, HEAD_DIM_Q]",
            "causal": "bool False | True",
            "sm_scale": "float 0.5",
        },
        (),
        ["T[B, H, S, HEAD_DIM_Q]"],
    ),
    "small_attention": (
        {"q": "T[B, H, S, D]", "k": "T[B, H, S, D]", "v": "T[B, H, S, D]"},
        (),
        ["T[B, H, S, D]"],
    ),
    "fused_add_norm": (
        {"x": "T[M, N]", "residual": "T[M, N]", "weight": "T[N]", "eps": "float 1e-06"},
        ("x", "residual"),
        [],
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_in_the_style_people_write(name: str, draft: Make) -> None:
    spec = loaded(draft((FILES / f"{name}.txt").read_text()))
    inputs, changes, out = EXPECTED[name]
    assert {n: str(item) for n, item in spec.inputs.items()} == inputs
    assert spec.changes == changes
    assert outputs(spec) == out


def test_a_size_that_a_kernel_has_a_block_of_is_one_of_a_few_powers_of_two(draft: Make) -> None:
    made = draft((FILES / "small_attention.txt").read_text())
    assert loaded(made).axes["D"].choices == (16, 32, 64, 128)
    assert made.questions == ()


def test_every_style_is_expected() -> None:
    assert {path.stem for path in FILES.iterdir()} == set(EXPECTED)


KERNEL = """
    @triton.jit
    def kernel(a, b, n, BLOCK: tl.constexpr):
        offs = tl.arange(0, BLOCK)
        {body}
"""


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ("tl.store(a + offs, tl.load(b + offs))", ("x",)),
        ("b += n * offs; tl.store(b, 1.0)", ("y",)),
        ("p = tl.make_block_ptr(base=b, shape=(n,), strides=(1,), offsets=(0,)); tl.store(p, 0)", ("y",)),
        ("p = a + offs; q = p + tl.load(b); tl.atomic_add(q, 1)", ("x",)),
        ("tl.store(a + tl.load(b + offs), 0)", ("x",)),
        ("tl.store(a, 0); tl.store(b, 0)", ("x", "y")),
        ("for i in range(n):\n            tl.store(a, 0)\n            a += BLOCK", ("x",)),
        ("tl.load(a)", ()),
    ],
)
def test_what_a_kernel_stores_through_changes(body: str, changes: tuple[str, ...], draft: Make) -> None:
    wrapper = """
    def f(x, y):
        kernel[(1,)](x, y.view(-1), x.numel(), BLOCK=16)
    """
    assert loaded(draft(KERNEL.format(body=body) + wrapper)).changes == changes


@pytest.mark.parametrize(
    ("wrapper", "changes"),
    [
        ("def f(x, y):\n    x = torch.empty_like(x)\n    kernel[(1,)](x, y, 1, 16)\n    return x", ()),
        ("def f(x, y):\n    z = x.reshape(-1)[1:].contiguous()\n    kernel[(1,)](a=z, b=y, n=1, BLOCK=16)", ("x",)),
        (
            "def f(x, y, out=None):\n    if out is None:\n        out = torch.empty_like(x)\n"
            "    kernel[(1,)](out, y, 1, 16)\n    return out",
            (),
        ),
        ("def f(x, y, out):\n    kernel[lambda meta: (1,)](out, y, 1, 16)", ("out",)),
        ("def f(x, y):\n    y[0] += 1\n    kernel[(1,)](torch.empty_like(x), x, 1, 16)", ("y",)),
        ("def f(x, y):\n    y[0] = 1\n    kernel[(1,)](torch.empty_like(x), x, 1, 16)", ("y",)),
        ("def f(x, y):\n    y.zero_()\n    kernel[(1,)](torch.empty_like(x), y, 1, 16)", ("y",)),
        ("def g(u):\n    kernel[(1,)](u, u, 1, 16)\ndef f(x):\n    g(x.view(-1))\n    return x", ("x",)),
        ("def f(x, y):\n    a, b = x.view(-1), y.clone()\n    kernel[(1,)](a, b, 1, 16)", ("x",)),
        ("tuned = triton.autotune(configs=[], key=[])(kernel)\ndef f(x, y):\n    tuned[(1,)](x, y, 1)", ("x",)),
    ],
)
def test_what_reaches_the_kernel_is_followed(wrapper: str, changes: tuple[str, ...], draft: Make) -> None:
    kernel = KERNEL.format(body="tl.store(a + offs, tl.load(b + offs))")
    spec = loaded(draft(kernel + textwrap.indent(wrapper, "    ") + "\n"))
    assert spec.changes == changes
    assert "out" not in spec.inputs or changes == ("out",)


def test_outputs_that_are_not_known_are_asked(draft: Make) -> None:
    made = draft(KERNEL.format(body="tl.store(a, 0)") + """
    def f(x):
        kernel[(1,)](x, x, 1, 16)
        return mystery(x)
    """)  # fmt: skip
    assert outputs(loaded(made)) == []
    assert "the outputs are whatever the original returns" in made.questions


def test_an_argument_in_the_middle_that_cannot_be_passed_is_asked(draft: Make) -> None:
    made = draft(KERNEL.format(body="tl.store(a, 0)") + """
    def f(x, mode, y):
        if mode == "a":
            kernel[(1,)](x, y, 1, 16)

    def g(x, y, mode: str = "a", z=1.0):
        kernel[(1,)](x, y, 1, 16)
    """, "g")  # fmt: skip
    assert "mode stands before z and cannot be passed" in made.questions
    loaded(made)


def test_the_spec_does_not_take_the_kernel_file_s_name(draft: Make) -> None:
    made = draft(KERNEL.format(body="tl.store(a, 0)") + "\n    def kernel_(x):\n        kernel[(1,)](x, x, 1, 16)\n")
    assert (made.name, made.entry, loaded(made).entry) == ("kernel_spec", "kernel_", "kernel_")


WRAPPERS = """
    def f(x):
        kernel[(1,)](x, x, 1, 16)

    def g(x):
        kernel[(2,)](x, x, 1, 16)

    def plain(x):
        return x

    def test_f():
        f(torch.ones(3))
"""


@pytest.mark.parametrize(
    ("text", "function", "message"),
    [
        ("def f(x): return x", None, "has no @triton.jit kernel"),
        (KERNEL.format(body="tl.store(a, 0)"), None, "launches none of its kernels (kernel)"),
        (KERNEL.format(body="tl.store(a, 0)") + WRAPPERS, None, "several to draft from: f, g; name one"),
        (
            KERNEL.format(body="tl.store(a, 0)") + WRAPPERS,
            "kernel",
            "kernel is a kernel; name the function that launches",
        ),
        (KERNEL.format(body="tl.store(a, 0)") + WRAPPERS, "plain", "plain launches no kernel"),
        (KERNEL.format(body="tl.store(a, 0)") + WRAPPERS, "h", "has no 'h' that launches a kernel; it has f, g"),
        (KERNEL.format(body="tl.store(a, 0)") + "\n    def f(*xs):\n        kernel[(1,)](*xs)", None, "f takes *xs"),
    ],
)
def test_a_file_that_cannot_be_drafted_from(text: str, function: str | None, message: str, draft: Make) -> None:
    with pytest.raises(DraftError) as caught:
        draft(text, function)
    assert message in str(caught.value)


def test_a_wrapper_of_a_wrapper_is_the_one_that_is_meant(draft: Make) -> None:
    made = draft(KERNEL.format(body="tl.store(a, 0)") + """
    def _launch(u):
        kernel[(1,)](u, u, 1, 16)

    def f(x):
        B, D = x.shape
        _launch(x)
        return x

    class Net(torch.nn.Module):
        def forward(self, x):
            return f(x)
    """)  # fmt: skip
    assert made.entry == "f"
    assert loaded(made).changes == ("x",)


def test_a_spec_elsewhere_names_the_kernel_from_there(tmp_path: Path) -> None:
    source = tmp_path / "kernels" / "add.py"
    source.parent.mkdir()
    source.write_text(
        "import torch, triton\nimport triton.language as tl\n\n\n@triton.jit\ndef k(x, y, n, B: tl.constexpr):\n"
        "    i = tl.arange(0, B)\n    tl.store(y + i, tl.load(x + i, mask=i < n), mask=i < n)\n\n\n"
        "def add(x):\n    y = torch.empty_like(x)\n    k[(1,)](x, y, x.numel(), B=64)\n    return y\n"
    )
    draft = from_kernel(source).beside(source, tmp_path / "specs")
    assert 'peer="../kernels/add.py:add"' in draft.text
    assert 'starter="../kernels/add.py"' in draft.text


HANDED = """
    @triton.jit
    def helper(p, at, n):
        return tl.load(p + at, mask=at < n)

    @triton.jit
    def unread(q):
        return elsewhere(q)

    @triton.jit
    def kernel(x_ptr, y_ptr, other_ptr, extra, n, m, BLOCK: tl.constexpr):
        row = tl.program_id(0).to(tl.int64)
        at = tl.arange(0, BLOCK)
        inside = at < n
        x = tl.load(x_ptr + row * n + at, mask=inside)
        {body}
        tl.store(y_ptr + row * n + at, x, mask=inside)

    def f(x, thing):
        M, N = x.shape
        y = torch.empty_like(x)
        kernel[(M,)](x, y, {given}, N, M, BLOCK=64)
        return y
"""


@pytest.mark.parametrize(
    ("body", "declared"),
    [
        ("x = tl.minimum(x, extra)", "float 0.5"),
        ("x = tl.where(at >= extra, x, 0.0)", "float 0.5"),
        ("x = tl.load(x_ptr + row * n + at + extra, mask=inside)", "int 2"),
        ("low = at - extra; x = tl.load(x_ptr + low, mask=low > 0)", "int 2"),
        ("for i in range(extra): x += i", "int 2"),
        ("x = helper(x_ptr, at, extra)", "int 2"),
        ("if extra: x += 1", "bool False | True"),
        ("x = x if not extra else x + 1", "bool False | True"),
        ("x = elsewhere(x, extra)", "T[M2, N2]"),
        ("x = unread(extra)", "T[M2, N2]"),
        ("pass", "T[M2, N2]"),
    ],
)
def test_an_argument_that_kernels_compute_with_is_a_number(body: str, declared: str, draft: Make) -> None:
    spec = loaded(draft(HANDED.format(body=body, given="x, thing")))
    assert str(spec.inputs["thing"]) == declared


@pytest.mark.parametrize(
    ("body", "declared"),
    [
        ("x += tl.load(other_ptr + row * n + at, mask=inside)", "T[M, N]"),
        ("p = other_ptr + row * n + at[None, :]; x += tl.load(p)", "T[M, N]"),
        ("x += tl.load(other_ptr + at, mask=inside)", "T[N]"),
        ("x += tl.load(other_ptr + at, mask=at < m)", "T[M]"),
        ("x += tl.load(other_ptr + row)", "T[M]"),
        ("x += helper(other_ptr, at, n)", "T[M2, N2]"),
        ("x += tl.load(other_ptr + row * m * n + at)", "T[M2, N2]"),
        ("lead = row * m; x += tl.load(other_ptr + lead + at)", "T[M2, N2]"),
        ("if other_ptr is not None: x += tl.load(other_ptr + at, mask=inside)", "T[N] or None"),
        ("x = tl.load(x_ptr + tl.load(other_ptr + row) * n + at, mask=inside)", "int64[M] integers(0, M)"),
        ("x = tl.load(x_ptr + row * n + tl.load(other_ptr + row))", "int64[M] integers(0, N)"),
        ("i = tl.load(other_ptr + row); x = tl.load(x_ptr + i * n + at, mask=inside)", "int64[M] integers(0, M)"),
        (
            "a = tl.load(other_ptr + row); b = tl.load(other_ptr + row + 1)\n"
            "        for i in range(a, b): x += tl.load(x_ptr + i * n + at)",
            "int64[M] offsets(M)",
        ),
    ],
)
def test_the_shape_of_a_tensor_is_how_it_is_addressed(body: str, declared: str, draft: Make) -> None:
    spec = loaded(draft(HANDED.format(body=body, given="thing, 1.0")))
    assert str(spec.inputs["thing"]) == declared


def test_what_comes_after_a_bundle_of_arguments_is_not_known(draft: Make) -> None:
    text = HANDED.format(body="x = tl.minimum(x, extra)", given="x, *strides, thing").replace(
        "x, thing)", "x, strides, thing)"
    )
    assert str(loaded(draft(text)).inputs["thing"]) == "T[M3, N3]"


PRODUCT = """
    @triton.jit
    def kernel(a_ptr, b_ptr, c_ptr, M, N, K, BLOCK: tl.constexpr):
        at = tl.arange(0, BLOCK)
        a = tl.load(a_ptr + at[:, None] * K + at[None, :])
        b = tl.load(b_ptr + at[:, None] * N + at[None, :])
        tl.store(c_ptr + at[:, None] * N + at[None, :], {product})

    def f(a, b):
        (M, K), N = a.shape, b.shape[1]
        c = torch.empty((M, N), dtype=a.dtype)
        kernel[(1,)](a, b, c, M, N, K, 16)
        return c
"""


def test_a_product_sums_over_one_size(draft: Make) -> None:
    spec = loaded(draft(PRODUCT.format(product="tl.dot(a, b)")))
    assert [str(i) for i in spec.inputs.values()] == ["T[M, K]", "T[K, N]"]
    apart = loaded(draft(PRODUCT.format(product="a")))
    assert str(apart.inputs["b"]) == "T[M2, N]"


def test_outputs_that_a_kernel_is_given_by_name_are_its_destination(draft: Make) -> None:
    spec = loaded(draft(KERNEL.format(body="tl.store(a + offs, tl.load(b + offs))") + """
    def f(x, *, out, scale):
        M, N = out.shape
        kernel[(1,)](out, x, N, 16)
    """))  # fmt: skip
    assert (spec.contract, spec.changes) == ("destination", ())
    assert {path: str(leaf) for path, leaf in leaves(spec.outputs)} == {"out": "T[M, N]"}
    assert "out" not in spec.inputs
