"""What a device's children are told of their machine and may read and be of it; and a machine that starts threads."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from geak import judge_process
from geak_evaluator.measure import planfile
from geak_evaluator.measure.lent import DeviceLost, Lent
from geak_evaluator.sandbox import confine, driver, policy
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.errors import SandboxError
from geak_evaluator.sandbox.policy import GIB, Level, Limits
from geak_evaluator.schema.measuring import Metal

NODES = ("/dev/zero",)
ENVIRONMENT = b"import json, os\nanswer = json.dumps(dict(os.environ)).encode()"
LIMITS = Limits(60, address_space=False, memory=16 * GIB)


def told(box: Sandbox, *devices: str) -> dict[str, str]:
    """The environment of a child."""
    with box.spawn("geak_evaluator.children.script", devices=devices, limits=LIMITS) as child:
        answer: dict[str, str] = json.loads(child.ask(ENVIRONMENT).body)
        return answer


def put_compiler(place: Path, name: str = "gcc") -> Path:
    """A compiler with a prefix of its own, of which it reads: the system's behind it."""
    for folder in ("bin", "lib", "secret"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    (place / "lib/specs").write_text("read")
    program = place / "bin" / name
    program.write_text(f'#!/bin/sh\nread -r word < "{place}/lib/specs" || true\n[ "$word" = read ] && exec cc "$@"\n')
    program.chmod(0o755)
    return program


def test_rocr_is_told_not_to_bind_its_threads(box: Sandbox, tmp_path: Path) -> None:
    """By their numbers, which no filter can know: refused, ROCr is without the thread that its events come by."""
    assert told(box, *NODES)["HSA_OVERRIDE_CPU_AFFINITY_DEBUG"] == "0"
    assert "HSA_OVERRIDE_CPU_AFFINITY_DEBUG" not in told(box)
    assert planfile.environment(tmp_path)["HSA_OVERRIDE_CPU_AFFINITY_DEBUG"] == "0"


def test_what_nvidias_memory_driver_tells_is_read() -> None:
    assert {"/proc/driver/nvidia", "/proc/driver/nvidia-uvm"} <= set(policy.device_read())


def test_a_device_without_the_file_of_its_memory_driver_is_told_who_makes_it() -> None:
    """On a machine that has just been started it is not there, and a child may not make it."""
    assert driver.lacking(("/dev/nvidiactl", "/dev/nvidia0")).startswith("CUDA needs /dev/nvidia-uvm: ")
    assert driver.lacking(("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0")) == driver.lacking()


def test_a_compiler_is_looked_for_where_the_judge_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert driver.compiler() == ""
    assert driver.lacking() == "Triton needs a C compiler to launch: install gcc, or set CC"
    clang = put_compiler(tmp_path, "clang")
    assert driver.compiler() == str(clang)
    gcc = put_compiler(tmp_path, "gcc")
    assert driver.compiler() == str(gcc)
    monkeypatch.setenv("CC", "clang")
    assert driver.compiler() == str(clang)
    monkeypatch.setenv("CC", "ccache gcc")  # Triton takes it for one program's name
    assert driver.compiler() == str(gcc)
    assert driver.variables()["CC"] == planfile.environment(tmp_path)["CC"] == str(gcc)


def test_a_compilers_folders_are_read_and_not_what_lies_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", str(put_compiler(tmp_path)))
    (tmp_path / "x86_64-conda-linux-gnu").mkdir()
    read = set(policy.device_read())
    assert {str(tmp_path / name) for name in ("bin", "lib", "libexec", "x86_64-conda-linux-gnu")} <= read
    assert not {"/", str(tmp_path), str(tmp_path / "secret")} & read
    alone = tmp_path / "home/gcc"
    alone.parent.mkdir()
    alone.symlink_to(tmp_path / "bin/gcc")
    monkeypatch.setenv("CC", str(alone))
    assert {str(tmp_path / name) for name in ("bin", "lib")} <= set(policy.device_read())
    assert str(alone.parent) not in policy.device_read()


def test_one_list_of_variables_for_children_and_for_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: f"{tmp_path}/{name}" for name in driver.NAMES if name != "CC"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert given.items() <= planfile.environment(tmp_path).items()
    with Sandbox(minimum=Level.BASE, preload=()) as box:
        assert given.items() <= told(box, *NODES).items()
        assert not given.keys() & told(box).keys()
    read = policy.device_read()
    assert given["TRITON_LIBCUDA_PATH"] in read
    assert str(tmp_path) in read  # the folder of the library that TRITON_LIBHIP_PATH names


_BUILDS = b"""
import os, subprocess
with open("it.c", "w") as file:
    file.write("int it(void) { return 0; }")
ran = subprocess.run([os.environ["CC"], "-shared", "-o", "it.so", "it.c"], capture_output=True, text=True)
answer = (os.environ["CC"] if ran.returncode == 0 else ran.stderr).encode()
"""


@pytest.mark.skipif(not driver.compiler(), reason="Triton builds its driver's stub with a C compiler")
def test_a_child_compiles_with_a_compiler_of_a_prefix_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a conda environment, below a home that nobody else may enter."""
    tmp_path.chmod(0o700)
    program = put_compiler(tmp_path / "conda")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(program.parent))
    with (
        Sandbox(minimum=Level.BASE, preload=()) as box,
        box.spawn("geak_evaluator.children.script", devices=NODES, limits=LIMITS) as child,
    ):
        assert child.ask(_BUILDS).body.decode() == str(program), child.log
        # Where the interpreter may be read by all, it is for the compiler's sake that modes do not count.
        asked: list[tuple[str, ...]] = []
        monkeypatch.setattr(box, "_past_modes", False)
        monkeypatch.setattr(policy, "unreadable_to_others", lambda paths: asked.append(paths) or True)
        box.spawn("geak_evaluator.children.script", devices=NODES).end()
    assert str(program.parent) in asked[0]


def test_a_device_that_fails_for_want_of_a_compiler_says_so(
    box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Lent(box, Metal("torch", "0", NODES), Limits(60))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    words = r"does not pass its test: Triton needs a C compiler to launch: install gcc, or set CC \(.+\)$"
    with pytest.raises(DeviceLost, match=words):
        _ = device.identity


def test_no_child_is_given_roots_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """NVIDIA's files are root's and open to all; AMD's are a group's."""
    known = {"nvidia0": (0o666, 0), "strict0": (0o660, 0), "kfd": (0o660, 992), "renderD128": (0o660, 44)}
    known |= {"open": (0o666, 7), "readable": (0o664, 8)}

    def of(path: str) -> SimpleNamespace:
        mode, group = known[path.rpartition("/")[2]]
        return SimpleNamespace(st_mode=stat.S_IFCHR | mode, st_gid=group)

    asked = ("/dev/nvidia0", "/dev/strict0", "/dev/open", "/dev/gone"), ("/dev/kfd", "/dev/renderD128", "/dev/readable")
    with monkeypatch.context() as patched:
        patched.setattr(os.path, "exists", lambda path: path.rpartition("/")[2] in known)
        patched.setattr(os, "stat", of)
        found = [confine.groups_of(devices) for devices in asked]
    assert found == [[], [8, 44, 992]]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a child a user of its own")
def test_a_child_of_root_has_no_group_of_roots(box: Sandbox) -> None:
    with box.spawn("geak_evaluator.children.script", devices=NODES, limits=LIMITS) as child:
        assert child.ask(b"import os\nanswer = repr(os.getgroups()).encode()").body == b"[]"


_THREADED = """
import os, threading
threads = int(os.environ.get("VENDOR_NUM_THREADS", "3"))
for _ in range(threads - 1):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
"""


def test_a_library_that_starts_threads_is_told_not_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in [tmp_path, *tmp_path.parents[:-2]]:
        place.chmod(place.stat().st_mode | 0o055)  # a child is another user
    (tmp_path / "vendor_blas.py").write_text(_THREADED)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    asked = "the warm process has 3 threads.*importing vendor_blas started 2. Set the variable .*OMP_NUM_THREADS"
    with pytest.raises(SandboxError, match=asked), Sandbox(minimum=Level.BASE, preload=("vendor_blas",)):
        pass
    monkeypatch.setenv("VENDOR_NUM_THREADS", "16")
    with Sandbox(minimum=Level.BASE, preload=("vendor_blas",)) as box:
        assert box.missing == {}


def test_a_judge_is_told_of_such_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_NUM_THREADS", "1")
    assert judge_process.environment()["VENDOR_NUM_THREADS"] == "1"
