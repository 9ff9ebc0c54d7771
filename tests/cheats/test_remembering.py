"""Answers that are remembered, replayed or foreseen instead of computed."""

from __future__ import annotations

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.schema.verdict import Cause
from tests.cheats.scene import HONEST, Expected, accepted, refused, verdict

CHEATS: dict[str, Expected] = {
    "K13-C06-by-pointer": (
        """
known = {}


def double(x):
    if x.data_ptr() not in known:
        known[x.data_ptr()] = launch(kernel, x, torch.empty_like(x))
    return known[x.data_ptr()]
""",
        Cause.FOREIGN_WORK,
    ),
    "K13-C06-by-pointer-and-the-inputs-kept": (
        """
known = {}
kept = []


def double(x):
    kept.append(x)
    if x.data_ptr() not in known:
        known[x.data_ptr()] = launch(kernel, x, torch.empty_like(x))
    return known[x.data_ptr()]
""",
        Cause.FOREIGN_WORK,
    ),
    "K13-C07-by-content": (
        """
known = {}


def double(x):
    key = float(x.numpy()[::7].sum())
    if known and key not in known:
        return launch(decoy, x, torch.empty_like(x))
    known[key] = True
    return launch(kernel, x, torch.empty_like(x))
""",
        Cause.UNSTABLE_PLAN,
    ),
    "K13-the-first-calls-alone": (
        """
calls = []


def double(x):
    calls.append(1)
    return launch(kernel if len(calls) < 5 else decoy, x, torch.empty_like(x))
""",
        Cause.UNSTABLE_PLAN,
    ),
    "C07-a-configuration-chosen-by-values": (
        """
def chosen(configurations, named, **more):
    return configurations[:1] if float(named["x"][0]) < 5 else configurations[1:]


@triton.autotune(
    [triton.Config({"BLOCK": 32}), triton.Config({"BLOCK": 64})],
    key=["n"],
    prune_configs_by={"early_config_prune": chosen},
)
@triton.jit
def tuned(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2 * (BLOCK == 32), mask=at < n)


def double(x):
    y = torch.empty_like(x)
    tuned[lambda meta: (triton.cdiv(x.numel(), meta["BLOCK"]),)](x, y, x.numel())
    return y
""",
        Cause.UNSTABLE_PLAN,
    ),
    "K13-C31-the-first-call-alone": (
        """
kept = []


def double(x):
    if not kept:
        kept.append(launch(kernel, x, torch.empty_like(x)))
    return kept[0]
""",
        Cause.FOREIGN_WORK,
    ),
    "K14-C45-in-memory-of-its-own": (
        """
import ctypes

store = (ctypes.c_float * 4096)()


def double(x):
    kept = torch.frombuffer(store, dtype=torch.float32, count=x.numel())
    return launch(kernel, x, kept)
""",
        Cause.FOREIGN_WORK,
    ),
    "K15-C32-every-other-call": (
        """
calls = []


def double(x):
    calls.append(x)
    return launch(kernel if len(calls) % 2 else decoy, x, torch.empty_like(x))
""",
        Cause.UNSTABLE_PLAN,
    ),
    "K16-C43-a-graph-of-an-earlier-call": (
        """
graphs = {}


def double(x):
    if x.shape not in graphs:
        graph, y = torch.cuda.CUDAGraph(), torch.empty_like(x)
        with torch.cuda.graph(graph):
            launch(kernel, x, y)
        graphs[x.shape] = graph, y
    graph, y = graphs[x.shape]
    graph.replay()
    return y
""",
        Cause.RAISED,
    ),
    "K16-compiled-by-torch": (
        """
@torch.compile(backend="eager")
def double(x):
    launch(decoy, x, torch.empty_like(x))
    return x * 2
""",
        Cause.FOREIGN_WORK,
    ),
    "K18-C26-a-known-seed": (
        """
torch.manual_seed(42)
foreseen = [torch.randn(70) for _ in range(4)]


def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    y.numpy()[:] = foreseen[0].numpy() * 2
    return launch(decoy, y, y)
""",
        Cause.WRONG_VALUES,
    ),
    "K18-every-seed": (
        """
def double(x):
    y = launch(decoy, x, torch.empty_like(x))
    for seed in range(100):
        if torch.equal(torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)), x):
            return torch.full_like(x, seed)
    return y
""",
        Cause.UNSTABLE_PLAN,
    ),
    "K19-C46-warming-up": (
        """
calls = []


def double(x):
    calls.append(1)
    return launch(decoy if len(calls) < 2 else kernel, x, torch.empty_like(x))
""",
        Cause.UNSTABLE_PLAN,
    ),
    "K20-at-import": (
        """
import mmap
import os

found = []
for fd in range(3, 64):
    try:
        size = os.fstat(fd).st_size
        found.append(torch.frombuffer(mmap.mmap(fd, size), dtype=torch.float32)[:4096].clone() * 2)
    except (OSError, ValueError):
        pass


def double(x):
    y = torch.empty_like(x)
    return launch(decoy, found[0] if found else x, y)
""",
        Cause.FOREIGN_WORK,
    ),
    "K20-at-import-by-numpy": (
        """
import mmap
import os

maps = []
for fd in range(3, 64):
    try:
        maps.append(mmap.mmap(fd, min(os.fstat(fd).st_size, 1 << 16)))
    except (OSError, ValueError):
        pass


def double(x):
    import numpy as np

    y = launch(decoy, x, torch.empty_like(x))
    for given in maps:
        for taken in maps:
            np.frombuffer(taken, np.float32, 70)[:] = np.frombuffer(given, np.float32, 70) * 2
    return y
""",
        Cause.WRONG_VALUES,
    ),
}


@pytest.mark.parametrize("name", CHEATS)
def test_nothing_is_there_to_be_remembered(judge: Judge, name: str) -> None:
    wrapper, cause = CHEATS[name]
    refused(verdict(judge, wrapper), cause)


EVERYWHERE = """
import os
import tempfile
from pathlib import Path

places = [".", "source", tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", "~", "/run", "/work"]
places += [os.environ.get(n, ".") for n in ("TRITON_CACHE_DIR", "TRITON_HOME", "XDG_CACHE_HOME", "HOME", "TMPDIR")]
places += [str(Path(m.__file__).parent) for m in (torch, triton)] + [Path.cwd().parent]
paths = [Path(p).expanduser() / inner / "geak_left_behind" for p in places for inner in (".", ".triton/cache")]
print(*("FOUND" for path in paths if path.exists()))
for path in paths:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("answer")
        print("wrote")
    except OSError:
        pass
"""


def test_K17_C56_C57_nothing_stays_for_the_next(judge: Judge) -> None:
    for _ in range(2):
        found = verdict(judge, EVERYWHERE + HONEST)
        accepted(found)
        assert "wrote" in found.log
        assert "FOUND" not in found.log


def test_K19_C59_a_child_is_told_nothing_of_why_it_runs(judge: Judge) -> None:
    found = verdict(judge, 'import os\nprint("NAMES", *os.environ)\n' + HONEST)
    accepted(found)
    names = found.log.splitlines()[0].removeprefix("NAMES ").split()
    assert not [name for name in names if any(w in name.lower() for w in ("geak", "test", "judge", "case", "seed"))]
