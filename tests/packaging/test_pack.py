"""`geak judge pack`: one file, the same every time, that needs nothing of GEAK beside it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from workshop import ROOT

from geak.errors import UsageError
from geak.pack import pack
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Status, Verdict
from geak_evaluator.schema.wire import Hello, Response
from geak_evaluator.serve import code


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("elsewhere") / "judge.pyz"
    pack(path)
    return path


def test_the_same_judge_is_the_same_bytes(packed: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.pyz"
    assert pack(again) == len(packed.read_bytes())
    assert again.read_bytes() == packed.read_bytes()


def test_it_holds_the_judge_alone_and_python_3_10_reads_it(packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        names = archive.namelist()
        assert {name.split("/")[0] for name in names} == {"__main__.py", "geak_evaluator"}
        for name in names:
            ast.parse(archive.read(name), name, feature_version=(3, 10))


def test_it_needs_no_geak_beside_it(packed: Path) -> None:
    # -S: nothing that is installed can be imported, so what answers is what lies in the file.
    argv = [sys.executable, "-I", "-S", str(packed), "serve", "--allow-weak-sandbox"]
    done = subprocess.run(argv, input="", capture_output=True, text=True, cwd=packed.parent)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "error: the judge needs numpy (and torch and triton) in the Python that runs it\n"


@pytest.mark.slow
def test_it_judges(packed: Path) -> None:
    starter = ROOT / "datasets" / "starter"
    spec, kernel = starter / "softmax.py", starter / "kernels" / "softmax.py"
    asked = {"id": 1, "op": "evaluate", "path": str(spec), "source": spec.read_text(), "kernel": kernel.read_text()}
    request = json.dumps({**asked, "tier": "gate"}) + "\n"
    for workers in ("1", "2"):
        argv = [sys.executable, "-P", str(packed), "serve", "--workers", workers]
        done = subprocess.run(argv, input=request, capture_output=True, text=True, cwd=packed.parent)
        hello, answer = done.stdout.splitlines()
        assert codec.from_json(Hello, codec.loads(hello)).code == code(), "it judges as the one in the checkout"
        verdict = codec.from_json(Verdict, codec.from_json(Response, codec.loads(answer)).result)
        assert verdict.status is Status.ACCEPTED, verdict.line()
        assert verdict.code[0].kernels


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or directory"):
        pack(tmp_path / "nowhere" / "judge.pyz")
