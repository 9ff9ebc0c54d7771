"""A real launch, from where a device's children stand and with the files that they may open, decides what it is."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from geak.cli.doctor import report
from geak_evaluator.measure import present
from geak_evaluator.measure.lent import DeviceLost, Lent
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import GIB, Level, Limits
from geak_evaluator.schema import codec
from geak_evaluator.schema.device import Launched
from geak_evaluator.schema.measuring import Metal
from geak_evaluator.schema.wire import Hello, Response
from geak_evaluator.serve import hello, serve
from tests.measure import machines

OWN, OTHER = "/dev/zero", "/dev/full"
"""Files that anybody may open, and that a child may not unless it is told."""


def lent(box: Sandbox, opens: str, **more: object) -> Lent:
    settings = {"target": "gfx942", "opens": opens, **more}
    return Lent(box, Metal("simulated", nodes=(OWN,), settings=settings, more=(OTHER,)), Limits(60))  # type: ignore[arg-type]


def needs_walls(box: Sandbox) -> None:
    if box.level is Level.BASE:
        pytest.skip("nothing here keeps a child from a file")


def test_a_device_that_starts_by_its_own_files_is_given_no_others(box: Sandbox) -> None:
    device = lent(box, OWN)
    assert device.identity.name == "simulated gfx942"
    assert (device.metal.nodes, device.widened) == ((OWN,), "")


def test_only_a_launch_that_fails_opens_the_other_files(box: Sandbox) -> None:
    needs_walls(box)
    device = lent(box, OTHER)
    assert device.identity.name == "simulated gfx942"
    assert device.metal.nodes == (OWN, OTHER)
    assert re.fullmatch(
        r"the device at /dev/zero does not pass its test: .*Permission denied.*; with /dev/full it does", device.widened
    )
    device.suspect = True  # it is tested again, and by all of them
    assert device.identity.name == "simulated gfx942"


def test_files_that_do_not_help_stay_shut(box: Sandbox) -> None:
    device = lent(box, "", broken=1.0)
    with pytest.raises(DeviceLost, match=r"the device at /dev/zero does not pass its test: .*fallen off the bus"):
        _ = device.identity
    assert (device.metal.nodes, device.widened) == ((OWN,), "")


def test_what_nvidias_driver_has_besides_is_known_before(tmp_path: Path) -> None:
    root = machines.nvidia(tmp_path, 2)
    machines.put(root, "dev/nvidia-uvm")
    machines.put(root, "dev/nvidia-caps/nvidia-cap1")
    metal = present.first({"CUDA_VISIBLE_DEVICES": "1"}, root)
    assert metal is not None
    assert metal.nodes == ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia1")
    assert metal.more == ("/dev/nvidia-caps/nvidia-cap1", "/dev/nvidia0")
    amd = present.first({}, machines.amd(tmp_path / "other"))
    assert amd is not None
    assert amd.more == ()


def test_a_judge_says_what_a_launch_came_to(box: Sandbox) -> None:
    asked = '{"id":1,"op":"launch","path":"","source":""}\n'
    for behaviour, found in (("", Launched("simulated gfx942")), (":broken=1", None)):
        answers = io.StringIO()
        serve(box, io.StringIO(asked), answers, f"simulated:gfx942{behaviour}")
        said = codec.from_json(Response, codec.loads(answers.getvalue().splitlines()[1]))
        told = codec.from_json(Launched, said.result)
        assert told == found or "fallen off the bus" in told.trouble


def test_doctor_says_it(box: Sandbox) -> None:
    def page(launched: Launched | None) -> str:
        known: Hello = replace(hello(box), launched=launched)
        return "\n".join(report(known))

    assert "launch  " not in page(None)
    assert "launch     a kernel ran in a confined child on NVIDIA H200" in page(Launched("NVIDIA H200"))
    widened = page(Launched("NVIDIA H200", widened="it does not start; with /dev/nvidia0 it does"))
    assert "its children may open other GPUs' files too: it does not start; with /dev/nvidia0 it does" in widened
    lost = page(Launched(trouble="the device at /dev/nvidia0 does not pass its test: cuInit"))
    assert "launch     no: the device at /dev/nvidia0 does not pass its test: cuInit" in lost
    assert "kernels are proved by an interpreter and never timed until that is mended" in lost


_ROLE = """
import traceback


def main(channel, job):
    channel.receive()
    try:
        from triton.backends.nvidia.driver import CudaUtils

        told = "loaded" if CudaUtils().load_binary else "no"
    except BaseException:
        told = traceback.format_exc()
    channel.reply(told.encode())
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="Triton builds its driver's stub with a C compiler")
def test_triton_builds_its_drivers_stub_from_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch begins with it: headers lie where the interpreter does, and the driver where a variable says."""
    import triton.backends.nvidia as backend

    for place in [tmp_path, *tmp_path.parents[:-2]]:
        place.chmod(place.stat().st_mode | 0o055)  # a child is another user
    sources = "".join(file.read_text() for file in Path(backend.__path__[0]).glob("driver.*"))
    names = {"cuDriverGetVersion", *re.findall(r"\bcu[A-Z]\w+", sources)}
    (tmp_path / "driver.c").write_text("".join(f"int {name}(void) {{ return 0; }}\n" for name in sorted(names)))
    library = tmp_path / "libcuda.so.1"
    subprocess.run(["gcc", "-w", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "driver.c")], check=True)
    (tmp_path / "stub_role.py").write_text(_ROLE)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    limits = Limits(120, cpu_s=600, address_space=False, memory=16 * GIB)
    with (
        Sandbox(minimum=Level.BASE, preload=()) as box,
        box.spawn("stub_role", limits=limits, read=(str(tmp_path),), devices=(OWN,)) as child,
    ):
        assert child.ask().body == b"loaded", child.log


_CRASHES = """
import ctypes
import sys

from geak_evaluator.sandbox.channel import Channel


def main(channel, job):
    channel.receive()
    channel.reply()
    channel.receive()
    print("ld: cannot find -l:libcuda.so.1", file=sys.stderr, flush=True)
    ctypes.string_at(0)
"""


def test_what_a_crash_of_the_test_printed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be no second try on that machine: what the compiler or the driver said must not be lost."""
    for place in [tmp_path, *tmp_path.parents[:-2]]:
        place.chmod(place.stat().st_mode | 0o055)
    (tmp_path / "crashing_role.py").write_text(_CRASHES)
    kept = tmp_path / "log"
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setenv("GEAK_DEVICE_LOG", str(kept))
    with Sandbox(minimum=Level.BASE, preload=()) as box:
        device = lent(box, "")
        monkeypatch.setattr(Lent.spawn, "__kwdefaults__", {**Lent.spawn.__kwdefaults__, "role": "crashing_role"})
        with pytest.raises(DeviceLost, match=r"its process died, by signal 11 \[ld: cannot find -l:libcuda\.so\.1\]"):
            _ = device.identity
    assert "it ended with -11\nld: cannot find" in kept.read_text()


_WHO = """
import getpass
import os


def main(channel, job):
    channel.receive()
    channel.reply(f"{getpass.getuser()} {os.path.expanduser('~') == os.getcwd()}".encode())
"""


def test_a_child_has_a_name_and_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number is in no list of users, and torch 2.11's compiler does not load without a name."""
    for place in [tmp_path, *tmp_path.parents[:-2]]:
        place.chmod(place.stat().st_mode | 0o055)
    (tmp_path / "who_role.py").write_text(_WHO)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    with Sandbox(minimum=Level.BASE, preload=()) as box, box.spawn("who_role", read=(str(tmp_path),)) as child:
        assert child.ask().body == b"geak True", child.log
