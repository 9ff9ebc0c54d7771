from __future__ import annotations

import json
import sys
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from geak_evaluator.recording.command import main

# Enough of torch to be described, and quick to import; the last tests use the real one.
TORCH = """
    class dtype:
        def __init__(self, name): self.name = name
        def __repr__(self): return "torch." + self.name
    dtype.__module__ = "torch"
    float16, float32, int64 = dtype("float16"), dtype("float32"), dtype("int64")
    class Tensor:
        def __init__(self, shape, dtype=float32, strides=None):
            self.shape, self.dtype, self.strides = shape, dtype, strides
        def is_contiguous(self): return self.strides is None
        def stride(self): return self.strides
"""


@dataclass
class Ran:
    code: int
    err: str
    out: str
    data: dict[str, Any]

    @property
    def calls(self) -> list[tuple[int, dict[str, Any]]]:
        return [(c["count"], c["args"]) for c in self.data["calls"]]


Record = Callable[..., Ran]


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Record:
    def run(target: str, *command: str, options: tuple[str, ...] = (), path: str = "", **files: str) -> Ran:
        for name, text in files.items():
            file = tmp_path / (name.replace("__", "/", 1) + ".py")
            file.parent.mkdir(exist_ok=True, parents=True)
            file.write_text(textwrap.dedent(text))
        temporary = tmp_path / "temporary"
        temporary.mkdir(exist_ok=True)
        # As a user's shell would have it: the judge's own path is no business of the recorded program.
        monkeypatch.setenv("PYTHONPATH", path)
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "calls.json").unlink(missing_ok=True)
        code = main([target, "--out", "calls.json", *options, "--", *(command or (sys.executable, "main.py"))])
        assert not list(temporary.iterdir()), "the folder of the record stays behind"
        out, err = capfd.readouterr()
        file = tmp_path / "calls.json"
        return Ran(code, err, out, json.loads(file.read_text()) if file.exists() else {})

    return run


def test_shapes_formats_scalars_and_counts(record: Record) -> None:
    ran = record(
        "model:f",
        torch=TORCH,
        model="def f(x, w, eps=1e-5, *, mask=None, mode='a'):\n    return 7\n",
        main="""
            import torch
            from model import f
            for _ in range(3):
                assert f(torch.Tensor((2, 3), torch.float16), torch.Tensor((3,))) == 7
            f(torch.Tensor((2, 3), strides=(1, 2)), w=None, eps=0.5, mask=True, mode="b" * 1000)
        """,
    )
    assert ran.code == 0, ran.err
    often, once = ran.calls
    x = {"tensor": [2, 3], "dtype": "float16"}
    w = {"tensor": [3], "dtype": "float32"}
    assert often == (3, {"x": x, "w": w, "eps": 1e-5, "mask": None, "mode": "a"})
    x = {"tensor": [2, 3], "dtype": "float32", "strides": [1, 2]}
    assert once == (1, {"x": x, "w": None, "eps": 0.5, "mask": True, "mode": "b" * 100})
    assert [entry["name"] for entry in ran.data["signature"]] == ["x", "w", "eps", "mask", "mode"]
    assert "4 calls, 2 distinct" in ran.err


def test_values_are_never_kept(record: Record) -> None:
    ran = record(
        "model:f",
        torch=TORCH,
        model="def f(x, *rest, **more):\n    pass\n",
        main="""
            import torch, model
            class Secret:
                def __repr__(self): raise SystemExit("looked at")
            x = [torch.Tensor((1,)), (torch.Tensor((2,)), 3)]
            model.f(x, Secret(), float("nan"), key={"a": 1}, t=torch.float16)
        """,
    )
    assert ran.code == 0, ran.err
    ((_, args),) = ran.calls
    one, two = ({"tensor": [n], "dtype": "float32"} for n in (1, 2))
    assert args["x"] == {"list": [one, {"tuple": [two, 3]}]}
    assert args["rest[0]"] == {"object": "__main__.Secret"}
    assert args["rest[1]"] == {"float": "nan"}
    assert args["key"] == {"dict": {"a": 1}}
    assert args["t"] == {"dtype": "float16"}


def test_equal_values_of_other_types_stay_apart(record: Record) -> None:
    ran = record("model:f", model="def f(x): pass\n", main="import model\nfor x in (1, True, 1.0): model.f(x)\n")
    assert [repr(args["x"]) for _, args in ran.calls] == ["1", "True", "1.0"]


def test_a_method_and_a_module_s_forward(record: Record) -> None:
    files = {
        "pkg____init__": "",
        "pkg__layers": """
            class Block:
                def forward(self, x, scale=2): return x * scale
                def __call__(self, *args): return self.forward(*args)
                @staticmethod
                def plain(x): return x
                @classmethod
                def made(cls, n): return cls()
        """,
        "main": """
            from pkg.layers import Block
            assert Block()(3) == 6 and Block.plain(4) == 4 and isinstance(Block.made(5), Block)
        """,
    }
    assert record("pkg.layers:Block.forward", **files).calls == [(1, {"x": 3, "scale": 2})]
    assert record("pkg.layers:Block", **files).calls == [(1, {"x": 3, "scale": 2})]
    assert record("pkg.layers:Block.plain", **files).calls == [(1, {"x": 4})]
    assert record("pkg.layers:Block.made", **files).calls == [(1, {"n": 5})]


@pytest.mark.parametrize("how", ["model.py", "-m model", "pkg/model.py", "-m pkg.model"])
def test_the_program_is_the_module_itself(record: Record, how: str) -> None:
    text = """
        import json

        def deco(g):
            return lambda *a, **k: g(*a, **k)

        def f(x, k=0): return x + 1
        f(1)

        @deco
        def h(x): return f(x)
        h(10)

        if __name__ == "__main__":
            assert f(2) == 3 and h(20) == 21
    """
    package = "pkg" in how
    module = "pkg.model" if package else "model"
    files = {"pkg____init__": "", "pkg__model": text} if package else {"model": text}
    ran = record(f"{module}:f", sys.executable, *how.split(), **files)
    assert ran.code == 0, ran.err
    assert sorted(args["x"] for _, args in ran.calls) == [1, 2, 10, 20]
    ran = record(f"{module}:h", sys.executable, *how.split(), **files)
    assert sorted(args.get("x", args.get("a[0]")) for _, args in ran.calls) == [10, 20]


def test_imported_by_name_reexported_and_loaded_by_path(record: Record) -> None:
    ran = record(
        "pkg.inner:f",
        pkg____init__="from pkg.inner import f\n",
        pkg__inner="def f(x): return x\n\ndef g(x): return f(x + 1)\n",
        main="""
            import importlib.util, sys
            from pkg import f
            from pkg.inner import g
            f(1), g(1)
            spec = importlib.util.spec_from_file_location("pkg.inner", "pkg/inner.py")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            module.f(3)
        """,
    )
    assert [args["x"] for _, args in ran.calls] == [1, 2, 3], ran.err


def test_what_it_raises_is_raised_and_the_exit_code_is_the_command_s(record: Record) -> None:
    model = "def f(x):\n    raise KeyError(x)\n"
    ran = record("model:f", model=model, main="import model\ntry: model.f(1)\nexcept KeyError as e: print(repr(e))\n")
    assert (ran.code, ran.out, len(ran.calls)) == (0, "KeyError(1)\n", 1)
    ran = record("model:f", model=model, main="import model, sys\nprint('x')\ntry: model.f(1)\nfinally: sys.exit(9)\n")
    assert (ran.code, ran.out, ran.calls) == (9, "x\n", [(1, {"x": 1})])
    assert "exit code 9" in ran.err


def test_a_killed_program_loses_little(record: Record) -> None:
    ran = record(
        "model:f",
        model="def f(x): pass\n",
        main="import model, os, signal\nfor i in range(5): model.f(i)\nos.kill(os.getpid(), signal.SIGKILL)\n",
    )
    assert (ran.code, len(ran.calls)) == (137, 5)


def test_processes_and_threads_are_added_up(record: Record) -> None:
    ran = record(
        "model:f",
        model="def f(x): return x\n",
        main="""
            import multiprocessing, os, subprocess, sys, threading
            import model

            def many():
                for _ in range(500): model.f(0)

            if __name__ == "__main__":
                threads = [threading.Thread(target=many) for _ in range(8)]
                for t in threads: t.start()
                for t in threads: t.join()
                for way in ("fork", "spawn"):
                    with multiprocessing.get_context(way).Pool(2) as pool:
                        assert pool.map(model.f, [1] * 400) == [1] * 400
                        pool.close(); pool.join()
                pid = os.fork()
                if pid == 0:
                    model.f(2); os._exit(0)
                os.waitpid(pid, 0)
                subprocess.run([sys.executable, "-c", "import model; model.f(3)"], check=True)
        """,
    )
    assert ran.code == 0, ran.err
    assert sorted((a["x"], n) for n, a in ran.calls) == [(0, 4000), (1, 800), (2, 1), (3, 1)]


def test_a_limit_counts_what_it_does_not_keep(record: Record) -> None:
    ran = record(
        "model:f",
        model="def f(x): pass\n",
        main="import model\nfor i in range(9): model.f(i)\n",
        options=("--limit", "4"),
    )
    assert (len(ran.calls), ran.data["beyond_limit"], ran.data["total"]) == (4, 5, 9)
    assert "5 more were past --limit 4" in ran.err


def test_an_existing_sitecustomize_still_runs_and_the_path_is_as_it_was(record: Record, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "sitecustomize.py").write_text("import sys\nsys.flag_of_theirs = True\n")
    ran = record(
        "model:f",
        path=str(theirs),
        model="def f(x): pass\n",
        main="""
            import sys, model, sitecustomize
            model.f(1)
            assert sys.flag_of_theirs and sitecustomize.__file__.endswith("theirs/sitecustomize.py")
            assert not any("recording" in p for p in sys.path), sys.path
        """,
    )
    assert (ran.code, len(ran.calls)) == (0, 1), ran.err


@pytest.mark.parametrize(
    ("target", "main", "said"),
    [
        ("model:g", "import model\n", "model was imported and has no g; it has A.run, f"),
        ("model:f", "import model\n", "model was imported, and f was never called; it has A.run, f"),
        ("other:f", "import model\n", "other was not imported"),
        ("model:f", "import pkg.model\n", "model was not imported; pkg.model was: is it pkg.model:f?"),
        ("model:TABLE", "import model\n", "model:TABLE is a dict; name the function that calls it"),
    ],
)
def test_nothing_recorded_says_why(record: Record, target: str, main: str, said: str) -> None:
    model = "def f(x): pass\n\nTABLE = {}\n\nclass A:\n    def run(self): pass\n"
    ran = record(target, model=model, pkg____init__="", pkg__model=model, main=main)
    assert (ran.code, ran.data) == (1, {})
    assert said in ran.err


def test_a_python_that_ignores_its_environment_is_named(record: Record) -> None:
    ran = record("model:f", sys.executable, "-I", "-c", "pass")
    assert ran.code == 1
    assert "-I" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model", "--", "true"], "'model' is not MODULE:FUNCTION"),
        (["model:f"], "say after -- what to run"),
        (["model:f", "--limit", "0", "--", "true"], "--limit is at least 1"),
        (["model:f", "--limit", "x", "--", "true"], "invalid int value"),
        (["model:f", "--out", "/nowhere/x.json", "--", "true"], "there is no folder /nowhere"),
        ([], "required"),
    ],
)
def test_a_wrong_call_is_two(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_command_that_does_not_exist(record: Record) -> None:
    ran = record("model:f", "no-such-command")
    assert (ran.code, ran.data) == (127, {})
    assert "there is no command 'no-such-command'" in ran.err


def test_a_jitted_object_keeps_its_brackets(record: Record) -> None:
    ran = record(
        "model:kernel",
        model="class JIT:\n    def __getitem__(self, grid): return lambda *a: grid\nkernel = JIT()\n",
        main="import model\nassert model.kernel[(3,)](1) == (3,)\n",
    )
    assert ran.code == 1
    assert "model:kernel is a JIT" in ran.err


def test_what_is_compiled_is_left_alone(record: Record) -> None:
    compiling = (
        TORCH
        + """
    class compiler:
        now = False
        @staticmethod
        def is_compiling(): return compiler.now
"""
    )
    ran = record(
        "model:f",
        torch=compiling,
        model="import torch\ndef f(x): return x\n",
        main="import torch, model\nmodel.f(1)\ntorch.compiler.now = True\nassert model.f(2) == 2\n",
    )
    assert (ran.code, ran.calls) == (0, [(1, {"x": 1})])


def test_real_tensors_views_and_parameters(record: Record) -> None:
    ran = record(
        "model:f",
        model="""
            import torch

            def f(x, w, bias=None, eps=1e-5):
                return torch.nn.functional.linear(x, w, bias) + eps
        """,
        main="""
            import torch, model
            w = torch.nn.Parameter(torch.ones(4, 8))
            model.f(torch.ones(8, 2).t(), w, torch.zeros(4)).sum().backward()
            assert w.grad is not None
            with torch.device("meta"):
                model.f(torch.ones(0, 8), torch.ones(4, 8))
        """,
    )
    assert ran.code == 0, ran.err
    (_, first), (_, second) = ran.calls
    assert first["x"] == {"tensor": [2, 8], "dtype": "float32", "strides": [1, 2]}
    assert first["bias"] == {"tensor": [4], "dtype": "float32"}
    assert second == {"x": {"tensor": [0, 8], "dtype": "float32"}, "w": first["w"], "bias": None, "eps": 1e-5}
