import copy
import os
import subprocess
import sys

import pytest
import torch
import triton
import triton.language as tl

from geak_evaluator import device
from geak_evaluator.device import KernelAssertion, Unsupported, simulated


@triton.jit
def _scale(x, out, n, factor, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + i, tl.load(x + i, mask=i < n) * factor, mask=i < n)


def test_a_launch_is_recorded_as_triton_specialised_it(gfx942):
    x, out = torch.ones(64), torch.empty(64)
    _scale[(2,)](x, out, 64, 2.5, BLOCK=32, num_warps=2)
    (launch,) = gfx942
    assert (launch.kernel, launch.grid, launch.num_warps, launch.num_stages) == ("_scale", (2, 1, 1), 2, 2)
    assert launch.signature == {"x": "*fp32", "out": "*fp32", "n": "i32", "factor": "fp32", "BLOCK": "constexpr"}
    assert launch.constants == {"BLOCK": 32}
    assert ["tt.divisibility", 16] in launch.attrs[(0,)]
    assert launch.args[2:] == (64, 2.5, 32)
    assert launch.target.name == "gfx942"
    assert "amdgcn" in launch.compiled.asm
    assert out.tolist() == [2.5] * 64


def test_an_argument_of_one_is_specialised_away(gfx942):
    _scale[(1,)](torch.ones(32), torch.empty(32), 1, 2.5, BLOCK=32)
    assert gfx942[0].constants == {"n": 1, "BLOCK": 32}


@pytest.mark.parametrize("name", sorted(device.TARGETS))
def test_every_target_compiles_and_runs(name):
    x, out, seen = torch.ones(64), torch.empty(64), []
    with device.activate(name, on_launch=seen.append):
        _scale[(2,)](x, out, 64, 2.5, BLOCK=32)
    assert out.tolist() == [2.5] * 64
    assert ("hsaco" if name.startswith("gfx") else "cubin") in seen[0].compiled.asm


def test_everything_is_as_before_afterwards():
    config = triton.runtime.driver
    before = (config._active, copy.copy(torch.version.hip), torch.version.cuda, dict(vars(tl)), dict(vars(tl.tensor)))
    to_ir, environment = tl.dtype.to_ir, dict(os.environ)
    with device.activate("gfx942"):
        assert torch.version.hip
        assert triton.runtime.driver.active.get_current_target().arch == "gfx942"
        _scale[(1,)](torch.ones(32), torch.empty(32), 32, 2.5, BLOCK=32)
    after = (config._active, torch.version.hip, torch.version.cuda, dict(vars(tl)), dict(vars(tl.tensor)))
    assert after == before
    assert tl.dtype.to_ir is to_ir
    assert dict(os.environ) == environment


def test_activations_nest():
    with device.activate("gfx942") as outer:
        with device.activate("sm_90"):
            assert torch.version.hip is None
            assert triton.runtime.driver.active.get_current_target().backend == "cuda"
        assert triton.runtime.driver.active is outer
        assert torch.version.hip


def test_compiling_works_after_interpreting(gfx942):
    for block in (32, 64):
        _scale[(1,)](torch.ones(32), torch.empty(32), 32, 2.5, BLOCK=block)
    assert all(launch.compiled for launch in gfx942)


def test_the_compiler_can_be_skipped_and_launches_can_be_left_out():
    x, out, seen = torch.ones(32), torch.zeros(32), []
    with device.activate("gfx942", compile=False, on_launch=seen.append):
        _scale[(1,)](x, out, 32, 2.5, BLOCK=32)
    assert out.sum() == 80
    assert seen[0].compiled is None
    out.zero_()
    with device.activate("gfx942", execute=False, on_launch=seen.append):
        _scale[(1,)](x, out, 32, 2.5, BLOCK=32)
    assert out.sum() == 0
    assert seen[1].compiled is not None


@triton.jit
def _bad(x, N: tl.constexpr):
    tl.store(x + tl.arange(0, N), undefined_name)  # noqa: F821


@triton.jit
def _ragged(x, N: tl.constexpr):
    tl.store(x + tl.arange(0, N), tl.arange(0, N) + tl.arange(0, 2 * N))


def test_compile_errors_are_tritons_own(gfx942):
    with pytest.raises(triton.CompilationError, match="undefined_name is not defined"):
        _bad[(1,)](torch.zeros(8), 8)
    with pytest.raises(triton.CompilationError, match="incompatible dimensions at index 0: 8 and 16"):
        _ragged[(1,)](torch.zeros(8), 8)
    with pytest.raises(triton.CompilationError, match="power of 2"):
        _ragged[(1,)](torch.zeros(7), 7)
    assert gfx942 == []


@triton.jit
def _hungry(a, b, c, K: tl.constexpr):
    i, k = tl.arange(0, 64), tl.arange(0, K)
    product = tl.dot(tl.load(a + i[:, None] * K + k[None, :]), tl.load(b + k[:, None] * 64 + i[None, :]))
    tl.store(c + i[:, None] * 64 + i[None, :], product)


def test_too_much_shared_memory_is_refused_in_tritons_words(gfx942):
    a = torch.zeros(64, 512)
    with pytest.raises(triton.OutOfResources, match=r"shared memory, Required: \d+, Hardware limit: 65536"):
        _hungry[(1,)](a, a, torch.zeros(64, 64), 512)
    assert gfx942 == []


def test_too_many_threads_are_refused(gfx942):
    with pytest.raises(triton.OutOfResources, match="threads, Required: 2048, Hardware limit: 1024"):
        _scale[(1,)](torch.ones(32), torch.empty(32), 32, 2.5, BLOCK=32, num_warps=32)


@triton.autotune(configs=[triton.Config({"K": 512}), triton.Config({"K": 16}), triton.Config({"K": 32})], key=["n"])
@triton.heuristics({"DOUBLE": lambda args: args["n"] > 10})
@triton.jit
def _tuned(a, b, c, n, K: tl.constexpr, DOUBLE: tl.constexpr):
    i, k = tl.arange(0, 64), tl.arange(0, K)
    product = tl.dot(tl.load(a + i[:, None] * K + k[None, :]), tl.load(b + k[:, None] * 64 + i[None, :]))
    tl.store(c + i[:, None] * 64 + i[None, :], product * 2 if DOUBLE else product)


def test_autotuning_skips_what_does_not_fit_and_runs_once(gfx942):
    a, b, c = torch.ones(64, 512), torch.ones(512, 64), torch.ones(64, 64)
    _tuned[lambda meta: (1,)](a, b, c, 20)
    assert _tuned.best_config.kwargs == {"K": 16}
    assert [launch.constants["K"] for launch in gfx942] == [16]
    assert gfx942[0].constants["DOUBLE"] is True
    assert c.unique().tolist() == [32.0]


def test_each_target_tunes_for_itself():
    a, b, c = torch.ones(64, 512), torch.ones(512, 64), torch.ones(64, 64)
    chosen = {}
    for name in ("gfx942", "gfx950"):
        with device.activate(name, execute=False):
            _tuned[(1,)](a, b, c, 30)
            chosen[name] = _tuned.best_config.kwargs["K"]
    assert chosen == {"gfx942": 16, "gfx950": 512}
    assert _tuned.cache == {}


@triton.autotune(configs=[triton.Config({"B": 16}), triton.Config({"B": 32})], key=[], reset_to_zero=["out"])
@triton.jit
def _accumulating(x, out, B: tl.constexpr):
    tl.atomic_add(out, tl.sum(tl.load(x + tl.arange(0, B))))


def test_autotuning_resets_what_it_is_told_to(gfx942):
    out = torch.full((1,), 5.0)
    _accumulating[(1,)](torch.ones(32), out)
    assert out.item() == 16


def test_all_that_a_launch_asks_of_the_compiler_is_known(gfx942):
    _scale[(1,)](torch.ones(32), torch.empty(32), 32, 2.5, BLOCK=32, waves_per_eu=2, enable_fp_fusion=False)
    (launch,) = gfx942
    assert simulated.chosen_options(launch) == {"waves_per_eu": 2, "enable_fp_fusion": False}
    assert simulated.chosen_options(launch, device.find("sm_90")) == {"enable_fp_fusion": False}


def test_a_launch_can_be_compiled_for_another_target(gfx942):
    _scale[(1,)](torch.ones(32), torch.empty(32), 32, 2.5, BLOCK=32, num_warps=2, waves_per_eu=2)
    kernel = device.compile_for("sm_90", gfx942[0])
    assert (kernel.metadata.num_warps, kernel.metadata.num_stages) == (2, 3)
    assert "ptx" in kernel.asm
    assert triton.runtime.driver.active.get_current_target().arch == "gfx942"
    a = torch.zeros(64, 512)
    with device.activate("sm_90", on_launch=gfx942.append, compile=False, execute=False):
        _hungry[(1,)](a, a, a, 512)
    with pytest.raises(triton.OutOfResources):
        device.compile_for("gfx942", gfx942[-1])


def test_options_of_amd_are_unknown_to_cuda_as_on_a_real_one():
    with device.activate("sm_90"), pytest.raises(KeyError, match="waves_per_eu"):
        _scale[(1,)](torch.ones(32), torch.empty(32), 32, 2.5, BLOCK=32, waves_per_eu=2)


@triton.jit
def _assembly(x, out):
    v = tl.load(x)
    w = tl.inline_asm_elementwise("v_mov_b32 $0, $1", "=v,v", [v], dtype=tl.int32, is_pure=True, pack=1)
    tl.store(out, w)


def test_inline_assembly_is_unsupported_by_name(gfx942):
    with pytest.raises(
        Unsupported, match=r"inline assembly cannot be run here; needs a GPU: .*v_mov_b32.* \(kernel _assembly, line"
    ):
        _assembly[(1,)](torch.zeros(1, dtype=torch.int32), torch.zeros(1, dtype=torch.int32))


@triton.jit
def _trusting(x):
    v = tl.load(x)
    tl.assume(v > 0)
    tl.device_assert(v > 1, "too small")
    tl.store(x, 5)


def test_false_promises_are_caught():
    x = torch.zeros(1, dtype=torch.int32)
    with device.activate("gfx942", compile=False), pytest.raises(KernelAssertion, match="assume"):
        _trusting[(1,)](x)
    x.fill_(1)
    with device.activate("gfx942", compile=False):
        with pytest.raises(KernelAssertion, match="too small"):
            _trusting[(1,)](x, debug=True)
        assert x.item() == 1
        _trusting[(1,)](x)
    assert x.item() == 5


def test_a_grid_too_large_is_refused_as_the_driver_does():
    with device.activate("sm_90", compile=False), pytest.raises(RuntimeError, match="invalid argument"):
        _scale[(1, 65536)](torch.ones(32), torch.empty(32), 32, 2.5, BLOCK=32)


def test_an_empty_grid_runs_nothing(gfx942):
    out = torch.zeros(32)
    _scale[(0,)](torch.ones(32), out, 32, 2.5, BLOCK=32)
    assert out.sum() == 0


FORKED = """
import os
from geak_evaluator import device
device.prepare()
assert len(os.listdir("/proc/self/task")) == 1, os.listdir("/proc/self/task")
pid = os.fork()
if pid == 0:
    import torch, triton, sys
    sys.path.insert(0, {folder!r})
    import kernel_file
    out = torch.zeros(32)
    with device.activate("gfx942"):
        kernel_file.fill[(1,)](out, 32)
    os._exit(0 if out.tolist() == [3.0] * 32 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
import triton
assert triton.runtime.driver._active is None
print("fine")
"""

KERNEL_FILE = """
import triton
import triton.language as tl


@triton.jit
def fill(out, N: tl.constexpr):
    tl.store(out + tl.arange(0, N), 3.0)
"""


def test_a_prepared_parent_has_one_thread_and_its_children_work(tmp_path):
    (tmp_path / "kernel_file.py").write_text(KERNEL_FILE)
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKED.format(folder=str(tmp_path))],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert (done.stdout.strip(), done.returncode) == ("fine", 0), done.stderr
