from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from geak.drafting import Draft, DraftError, Wanted, blank, from_torch
from geak.drafting.sizes import elements
from geak_evaluator.schema import domain, expr
from geak_evaluator.schema.spec import Case, Description, Scalar, Spec

FILES = Path(__file__).parent / "torch_files"


@pytest.fixture
def draft(tmp_path: Path) -> Callable[..., Draft]:
    def make(text: str, function: str | None = None) -> Draft:
        path = tmp_path / "model.py"
        path.write_text(textwrap.dedent(text))
        return from_torch(path, function)

    return make


Make = Callable[..., Draft]


def loaded(made: Draft) -> tuple[Spec, types.ModuleType]:
    """The drafted file, run: a fixture of ours, as nothing but a test may. Its spec is sound and fits the reference."""
    module = types.ModuleType("drafted")
    sys.modules["drafted"] = module  # dataclasses ask for it
    exec(compile(made.text, "drafted.py", "exec", dont_inherit=True), module.__dict__)
    spec: Spec = module.spec
    if spec.contract == "module":
        arguments = tuple(inspect.signature(module.Reference.forward).parameters)[1:]
        taken = inspect.signature(module.Reference).parameters
        assert [n for n, p in taken.items() if n in spec.init or p.default is p.empty] == list(spec.init)
    else:
        arguments = tuple(inspect.signature(module.reference).parameters)
    assert arguments == tuple(spec.inputs)
    assert domain.problems(Description(made.name, str(module.__doc__), spec, arguments)) == [], made.text
    for question in made.questions:
        assert any("# CHECK:" in line and question in line for line in made.text.splitlines()), question
    return spec, module


def inputs(spec: Spec, case: Case) -> dict[str, Any]:
    sizes = domain.with_scalars(spec, case.sizes)
    made: dict[str, Any] = {}
    for name, item in spec.inputs.items():
        if isinstance(item, Scalar):
            made[name] = domain.scalar(item, name, case.sizes)
        elif name in case.without:
            made[name] = None
        else:
            shape, form = domain.shape(item.shape, sizes), spec.format(item.dtype, case.sizes)
            fill = item.filled(form.kind)
            if form.kind == "float":
                made[name] = torch.randn(shape).to(getattr(torch, form.torch))
            elif fill.kind == "offsets":
                made[name] = torch.linspace(0, expr.integer(fill.args[0], sizes), shape[-1]).long()
            elif form.kind == "bool":
                made[name] = torch.rand(shape) > 0.5
            else:
                low, high = (expr.integer(text, sizes) for text in fill.args)
                made[name] = torch.randint(low, high, shape).to(getattr(torch, form.torch))
    return made


def runs(made: Draft) -> Spec:
    """The draft's own reference computes on the draft's own cases: what was guessed hangs together."""
    spec, module = loaded(made)
    for case in domain.expand(spec, spec.cases):
        if all(case.sizes[name] == "fp32" for name in spec.dtypes):
            if spec.contract == "module":
                module.Reference(*domain.initial(spec, case.sizes).values())(**inputs(spec, case))
            else:
                module.reference(**inputs(spec, case))
    return spec


def said(spec: Spec) -> dict[str, str]:
    return {name: str(item) for name, item in spec.inputs.items()}


EXPECTED: dict[str, tuple[str | None, dict[str, str]]] = {
    "softmax": (None, {"x": "T[M, N]", "dim": "int -1"}),
    "rope": (None, {"q": "T[B, H, S, D]", "k": "T[B, H, S, D]", "cos": "T[S, D]", "sin": "T[S, D]"}),
    "attention": (
        None,
        {
            "q": "T[B, H, S, D]",
            "k": "T[B, H, S2, D]",
            "v": "T[B, H, S2, D2]",
            "mask": "bool[S, S2] mask or None",
            "causal": "bool False | True",
        },
    ),
    "swiglu": (
        None,
        {
            "x": "T[batch, seq, hidden]",
            "w_gate": "T[hidden, inter]",
            "w_up": "T[hidden, inter]",
            "w_down": "T[inter, hidden]",
        },
    ),
    "rms_norm": (None, {"x": "T[M, D]"}),
    "block": ("Block", {"x": "T[B, S, D]"}),
    "helpers": ("bias_gelu", {"x": "T[M, N]", "bias": "T[N]"}),
    "linear": (
        None,
        {
            "x": "T[M, K]",
            "weight": "T[N, K]",
            "bias": "T[N] or None",
            "residual": "T[M, N] or None",
            "eps": "float 1e-05",
        },
    ),
    "cross_entropy": (
        None,
        {"logits": "T[N, V]", "targets": "int64[N] integers(0, V)", "label_smoothing": "float 0.0"},
    ),
    "embedding": (
        None,
        {"input_ids": "int64[batch, seq_len] integers(0, M)", "table": "T[M, N]", "pos_emb": "T[M2, N]"},
    ),
    "grouped": (
        "gqa",
        {
            "q": "T[B, S, E]",
            "k": "T[B, S, KV * (E // H)]",
            "v": "T[B, S, KV * (E // H)]",
            "num_heads": "int H",
            "num_kv_heads": "int KV",
        },
    ),
    "kernelbench": (None, {"x": "T[batch_size, K]"}),
    "kernelbench_convolution": (None, {"x": "T[batch_size, 3, height, width]", "scale": "float 2.5"}),
    "kernelbench_norm": (
        None,
        {
            "x": "T[B, C, LENGTH]",
            "targets": "T[B, C, LENGTH] uniform(0, 1)",
            "weight": "T[B, C, LENGTH * 2]",
        },
    ),
    "inplace": ("add_scaled_", {"x": "T[M, N]", "y": "T[M, N]", "alpha": "float 0.5"}),
    "recursive": (None, {"x": "T[M, N]", "n": "int 3"}),
    "quant": (
        None,
        {"a": "T[M, K]", "b_q": "int8[K, N] integers(0, 8)", "scales": "T[K // G, N]", "group_size": "int G"},
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_in_the_style_people_write(name: str, draft: Make) -> None:
    function, expected = EXPECTED[name]
    assert said(runs(draft((FILES / f"{name}.txt").read_text(), function))) == expected


def test_every_style_is_expected() -> None:
    assert {path.stem for path in FILES.iterdir()} == set(EXPECTED)


def test_axes_carry_what_the_code_divides_by(draft: Make) -> None:
    spec = runs(draft((FILES / "rope.txt").read_text()))
    assert (spec.axes["D"].multiple_of, spec.where) == (2, ())
    spec = runs(draft((FILES / "grouped.txt").read_text(), "gqa"))
    assert spec.where == ("E % H == 0", "H % KV == 0")
    spec = runs(draft((FILES / "embedding.txt").read_text()))
    assert spec.where == ("M2 >= seq_len",)


def test_cases_are_small_and_awkward_and_the_bench_is_not(draft: Make) -> None:
    spec = runs(draft((FILES / "linear.txt").read_text()))
    assert spec.cases[0].sizes == {"M": 1, "K": 16, "N": 17}
    assert [c.without for c in spec.cases] == [(), (), ("bias", "residual"), ()]
    assert spec.bench[0].sizes == {"M": 4096, "K": 4096, "N": 4096}


def test_only_what_is_needed_comes_along(draft: Make) -> None:
    made = draft((FILES / "helpers.txt").read_text(), "bias_gelu")
    assert "import os" not in made.text
    assert "test_bias_gelu" not in made.text
    order = ["SQRT_2_OVER_PI =", "COEFF =", "TABLE =", 'TABLE["none"]', "def _inner", "def gelu_tanh", "def reference"]
    places = [made.text.index(part) for part in order]
    assert places == sorted(places)
    assert "approximate is left at 'tanh'" in made.questions


def test_a_class_is_a_module_with_its_constructor(draft: Make) -> None:
    made = draft((FILES / "rms_norm.txt").read_text())
    spec = runs(made)
    assert (spec.contract, made.name, made.entry, spec.entry) == ("module", "rms_norm", "RMSNorm", "RMSNorm")
    assert {n: str(i) for n, i in spec.init.items()} == {"dim": "int D", "eps": "float 1e-06"}
    assert "super(Reference, self).__init__()" in made.text


def test_a_configuration_is_laid_out(draft: Make) -> None:
    made = draft((FILES / "block.txt").read_text(), "Block")
    spec = runs(made)
    assert {n: str(i) for n, i in spec.init.items()} == {"n_embd": "int D", "n_head": "int H", "bias": "bool True"}
    assert "super().__init__(config=Config(n_embd=n_embd, n_head=n_head, bias=bias))" in made.text


def test_a_module_with_parameters_is_drafted_in_the_format_that_they_have(draft: Make) -> None:
    text = """
        from torch import nn

        class Block(nn.Module):
            def __init__(self, hidden):
                super().__init__()
                self.lin = nn.Linear(hidden, 4 * hidden)
            def forward(self, x):
                return self.lin(x)
    """
    assert runs(draft(text)).dtypes == {"T": ("fp32",)}
    plain = "from torch import nn\n\nclass Act(nn.Module):\n    def forward(self, x):\n        return x * x\n"
    assert 'dtypes={"T": ("fp16", "bf16", "fp32")}' in draft(plain).text


def test_a_configuration_from_elsewhere_stands_in(draft: Make) -> None:
    made = draft("""
        from torch import nn
        from transformers import LlamaConfig

        class Gate(nn.Module):
            def __init__(self, config: LlamaConfig):
                super().__init__()
                self.proj = nn.Linear(config.hidden_size, config.num_experts)
            def forward(self, x):
                return self.proj(x)
    """)
    spec = runs(made)
    assert {n: str(i) for n, i in spec.init.items()} == {"hidden_size": "int D", "num_experts": "int E"}
    assert "transformers" not in made.text
    assert "SimpleNamespace(hidden_size=hidden_size, num_experts=num_experts)" in made.text


def test_what_the_file_itself_passes_settles_the_constructor(draft: Make) -> None:
    spec = runs(draft((FILES / "kernelbench_convolution.txt").read_text()))
    axes = {name: str(axis) for name, axis in spec.axes.items()}
    assert axes == {
        "batch_size": "1..256",
        "height": "9..1024",
        "width": "19..1024",
        "O": "16..8192, multiple of 16",
    }
    init = {name: str(item) for name, item in spec.init.items()}
    assert init == {
        "in_channels": "int 3",
        "out_channels": "int O",
        "kernel_size": "(3, 5)",
        "stride": "int 2",
        "pool": "int 4",
        "num_groups": "int 16",
        "bias_shape": "(O, 1, 1)",
        "low": "float -1.0",
    }


GIVEN = """
import torch
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
    def forward(self, x, cond, max_val):
        return torch.where(cond, x, torch.clamp(x, max=max_val))
def get_inputs():
    return [torch.rand(64, 32), torch.randint(0, 2, (64, 32), dtype=torch.bool), torch.full((32,), 2.0)]
def get_init_inputs():
    return []
"""


def test_what_a_file_draws_says_of_what_type_its_inputs_are(draft: Make) -> None:
    spec, _ = loaded(draft(GIVEN, "Model"))
    assert said(spec) == {"x": "T[M, N]", "cond": "bool[M, N] mask", "max_val": "T[N]"}


def test_a_draft_for_a_benchmark_is_of_one_format_and_small(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text((FILES / "kernelbench_convolution.txt").read_text())
    spec = runs(from_torch(path, wanted=Wanted(("fp32",), 2000)))
    assert spec.dtypes == {"T": ("fp32",)}
    assert max(elements(spec, case.sizes) for case in spec.cases) <= 2000


def test_recursion_and_positions_reach_the_reference(draft: Make) -> None:
    assert "return x if n <= 1 else reference(x * n, n - 1)" in draft((FILES / "recursive.txt").read_text()).text
    assert "return f(x, y)" in draft("def f(x, /, y):\n    return x + y\n").text


def test_compilers_are_left_out_and_other_decorators_stay(draft: Make) -> None:
    made = draft("""
        import torch
        from functools import wraps
        def twice(f):
            @wraps(f)
            def inner(*args): return f(*args) * 2
            return inner
        @torch.compile(mode="max-autotune")
        @torch.no_grad()
        @twice
        def f(x: torch.Tensor): return x.sum(-1)
    """, "f")  # fmt: skip
    _, module = loaded(made)
    assert "max-autotune" not in made.text
    assert "@torch.no_grad()" in made.text
    assert module.reference(torch.ones(2, 3)).tolist() == [6.0, 6.0]


def test_an_argument_written_in_place_changes(draft: Make) -> None:
    assert runs(draft((FILES / "inplace.txt").read_text(), "add_scaled_")).changes == ("x",)
    spec = runs(draft("""
        def update(k_cache, v_cache, k, v, pos: int):
            B, L, D = k.shape
            k_cache[:, pos : pos + L] = k
            v_cache[:, pos : pos + L] = v
            return k_cache, v_cache
    """))  # fmt: skip
    assert spec.changes == ("k_cache", "v_cache")
    assert "S >= POS + L" in spec.where


SHAPES = [
    ("def f(x):\n    a, b, c = x.size()\n    return x", {"x": "T[a, b, c]"}),
    ("def f(x):\n    return x * x.shape[2]", {"x": "T[B, S, D]"}),
    ("def f(x):\n    assert x.ndim == 1\n    return x", {"x": "T[N]"}),
    ("def f(x):\n    if x.dim() != 4:\n        raise ValueError\n    return x", {"x": "T[B, H, S, D]"}),
    ("def f(a, b):\n    return torch.bmm(a, b)", {"a": "T[B, S, D]", "b": "T[B, D, D2]"}),
    ("def f(a, b):\n    return a @ b.t()", {"a": "T[M, N]", "b": "T[M2, N]"}),
    ("def f(x, w):\n    return F.linear(x, w)", {"x": "T[M, N]", "w": "T[M2, N]"}),
    ("def f(q, k):\n    return torch.einsum('bhqd,bhkd->bhqk', q, k)", {"q": "T[B, H, Q, D]", "k": "T[B, H, K, D]"}),
    ("def f(x, idx):\n    return x.gather(1, idx)", {"x": "T[M, N]", "idx": "int64[M, N2] integers(0, N)"}),
    ("def f(x, n: int):\n    return x.view(-1, n, x.shape[-1] // n)", {"x": "T[M, N]", "n": "int N2"}),
    ("def f(x):\n    a, b = x.chunk(2, dim=-1)\n    return F.silu(a) * b", {"x": "T[M, N]"}),
    ("def f(x, mask):\n    return x.masked_fill(~mask, 0)", {"x": "T[M, N]", "mask": "bool[M, N] mask"}),
    (
        "def f(x, a):\n    # x: [B, S, D] bf16\n    # a: (D,) int32\n    return x",
        {"x": "T[B, S, D]", "a": "int32[D] integers(0, 8)"},
    ),
    ("def f(x: 'Float[Tensor, \"b s d\"]'):\n    return x", {"x": "T[b, s, d]"}),
    ("def f(\n    x,  # [M, N]\n    y,  # [N]\n):\n    return x + y", {"x": "T[M, N]", "y": "T[N]"}),
    (
        'def f(x, w):\n    """Args:\n        x (Tensor): input of shape (M, K)\n        w: `[K, N]`\n    """\n'
        "    return x @ w",
        {"x": "T[M, K]", "w": "T[K, N]"},
    ),
    (
        "def f(B, C, T):\n    B, T, C = T.shape\n    return T",
        {"B": "DT[M, N]", "C": "DT[M2, N2]", "T": "DT[B2, T2, C2]"},
    ),
    (
        "def f(x, o):\n    return torch.stack([x[o[i]:o[i + 1]].sum(0) for i in range(len(o) - 1)])",
        {"x": "T[M, N]", "o": "int64[N2] offsets(M)"},
    ),
    ("def f(xs: list[torch.Tensor]):\n    return torch.cat(xs)", {"xs_0": "T[M, N]", "xs_1": "T[M2, N]"}),
    ("def f(batch):\n    return batch['x'] + batch['y']", {"x": "T[M, N]", "y": "T[M, N]"}),
    (
        "def f(x, *, scale: float = 2, flag: bool = True, p=0.1, dtype=torch.float16):\n    return x * scale",
        {"x": "T[M, N]", "scale": "float 2.0", "flag": "bool False | True", "p": "float 0.1"},
    ),
    ("def f(x, k: int):\n    return x.topk(k, dim=-1)", {"x": "T[M, N]", "k": "int K"}),
    (
        "def f(x, w, b=None):\n    return F.conv2d(x, w, b)",
        {"x": "T[B, C, H, W]", "w": "T[O, C, KH, KW]", "b": "T[O] or None"},
    ),
    ("def f():\n    return torch.ones(3)", {}),
    (
        "def f(x, idx, new):\n    return x.scatter(dim=1, index=idx, src=new)",
        {"x": "T[M, N]", "idx": "int64[M, N2] integers(0, N)", "new": "T[M, N2]"},
    ),
    (
        "def f(x, theta):\n    grid = F.affine_grid(theta, x.size(), align_corners=False)\n"
        "    return F.grid_sample(x, grid, align_corners=False)",
        {"x": "T[B, H, S, D]", "theta": "T[B, 2, 3]"},
    ),
    ("def f(x):\n    return F.avg_pool3d(x, [2, 2, 2], stride=2)", {"x": "T[N, K, D, L, P]"}),
]


@pytest.mark.parametrize(("code", "expected"), SHAPES, ids=range(len(SHAPES)))
def test_shapes_are_read_off_the_code(code: str, expected: dict[str, str], draft: Make) -> None:
    made = draft(f"import torch\nimport torch.nn.functional as F\nfrom torch import Tensor\n\n\n{code}\n")
    if "B, T, C" in code or "Float" in code or code.startswith("def f(x, a)"):
        spec, _ = loaded(made)
    else:
        spec = runs(made)
    assert said(spec) == expected


def test_what_nothing_says_is_asked(draft: Make) -> None:
    made = draft("import torch\ndef f(x, mode: str = 'sum', fn=torch.exp, w=3j):\n    return fn(x)\n")
    spec, _ = loaded(made)
    assert said(spec) == {"x": "T[M, N]"}
    left = {"mode is left at 'sum'", "fn is left at torch.exp", "w is left at 3j"}
    assert set(made.questions) == {*left, "nothing in the code says what shape x has"}


def test_many_flags_do_not_multiply_without_end(draft: Make) -> None:
    flags = ", ".join(f"f{i}=True" for i in range(12))
    made = draft(f"def f(x, {flags}):\n    return x\n")
    spec = runs(made)
    assert [item.choices for item in spec.inputs.values() if isinstance(item, Scalar)].count((False, True)) == 4
    assert "f4 is left at True: with more flags a case would run too often" in made.questions


def test_a_title_is_one_line_whatever_the_docstring(draft: Make) -> None:
    made = draft('def f(x):\n    r"""A \\\\ and \\"\\"\\" within.\n\n    More."""\n    return x\n')
    _, module = loaded(made)
    assert str(module.__doc__).splitlines()[0] == r"A \\ and \"\"\" within."
    assert loaded(draft('def f(x):\n    """x: (M, N)"""\n    return x\n'))[1].__doc__.startswith("F.\n")  # type: ignore[union-attr]


def test_what_is_missing_is_named(draft: Make) -> None:
    made = draft("from mylib import op\ndef f(x):\n    return op(x) + unknown(x)\n")
    assert "unknown was not found in model.py" in made.questions
    assert "needs from mylib import op, which the judge may not have" in made.questions


@pytest.mark.parametrize(
    ("text", "function", "message"),
    [
        ("def f(x):\n  return (\n", None, "model.py:2: not Python"),
        ("   \n\n", None, "model.py is empty"),
        ("x = 1\n", None, "defines no function and no torch.nn.Module"),
        ("def a(x): pass\ndef b(x): pass\n", None, "several to draft from: a, b; name one"),
        ("def a(x): pass\n", "b", "has no 'b' to draft from; it has a"),
        ("def a(*xs): pass\n", None, "model.py:1: a takes *xs"),
        ("def a(x, **kw): pass\n", None, "a takes **kw"),
        ("async def a(x): pass\n", None, "a is asynchronous"),
        ("def test_a(x): pass\n", None, "nothing in it looks like the operation"),
        ("class M(Module): pass\n", None, "M has no forward"),
        ("x = " + "(" * 300 + ")" * 300, None, "model.py"),
    ],
)
def test_a_file_that_cannot_be_drafted_from(text: str, function: str | None, message: str, draft: Make) -> None:
    with pytest.raises(DraftError) as caught:
        draft(text, function)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    for content, message in ((b"\0\1\2", "binary"), (b"\xff\xfe\xfa", "UTF-8"), (b"#" * (2 << 20), "at most")):
        path.write_bytes(content)
        with pytest.raises(DraftError, match=message):
            from_torch(path)
    with pytest.raises(DraftError, match="does not exist"):
        from_torch(tmp_path / "nowhere.py")
    with pytest.raises(DraftError, match="is a folder"):
        from_torch(tmp_path)


def test_odd_text_is_still_text(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_bytes("\ufeffdef f(x):\r\n    '\\d'  # ☃: ünïcode\r\n    return ('é', f(x))[1] if 0 else x\r\n".encode())
    assert "return ('é', reference(x))[1] if 0 else x\n" in from_torch(path).text


def test_nothing_of_theirs_is_run_and_torch_is_not_imported(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("import os\nos._exit(3)\ndef f(x=os._exit(4)): return x\n")
    assert from_torch(path).entry == "f"
    code = "import sys; import geak.drafting; sys.exit(any(m in sys.modules for m in ('torch', 'triton')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_blank_spec_works_as_it_is() -> None:
    made = blank("my_op")
    spec, module = loaded(made)
    assert (made.name, made.entry, made.questions) == ("my_op", "my_op", ())
    out = module.reference(**inputs(spec, domain.expand(spec, spec.cases)[-1]))
    assert torch.allclose(out.sum(-1), torch.ones(64))
    for name in ("my-op", "1op", "class", ""):
        with pytest.raises(DraftError, match="cannot name a spec"):
            blank(name)
