"""Escapes by the kernel's own machinery, and what holds when a layer is missing: E26-E35, E53-E55, E57."""

from __future__ import annotations

import os
import shutil
import signal

import pytest
from harness import SCRIPT, SMALL, WITHOUT, Arena, Fault, sandbox

from geak_evaluator.sandbox import landlock, seccomp
from geak_evaluator.sandbox.box import WeakSandbox
from geak_evaluator.sandbox.policy import Level

# Every call has arguments with which it would do nothing, were it let through: it would fail otherwise than by EPERM.
_MACHINERY = {
    "E26-unshare-user": "call(272, 0x10000000)",
    "E26-unshare-files": "call(272, 0x400)",
    "E26-setns": "call(308, -1, 0)",
    "E27-mount": "call(165, b'none', b'.', b'tmpfs', 0, None)",
    "E27-umount": "call(166, b'/no/such', 0)",
    "E27-pivot": "call(155, b'/no/such', b'/no/such')",
    "E27-fsopen": "call(430, b'tmpfs', 0)",
    "E27-open-tree": "call(428, -100, b'.', 1)",
    "E27-open-tree-attr": "call(467, -100, b'.', 1, None, 0)",
    "E27-move-mount": "call(429, -1, b'', -1, b'', 0)",
    "E27-fsconfig": "call(431, -1, 0, None, None, 0)",
    "E27-fsmount": "call(432, -1, 0, 0)",
    "E27-fspick": "call(433, -1, b'', 0)",
    "E27-mount-setattr": "call(442, -1, b'', 0, None, 0)",
    "E27-statmount": "call(457, None, None, 0, 0)",
    "E27-listmount": "call(458, None, None, 0, 0)",
    "E28-chroot": "call(161, b'.')",
    "E29-uring-setup": "call(425, 0, None)",
    "E29-uring-enter": "call(426, -1, 0, 0, 0, None, 0)",
    "E29-uring-register": "call(427, -1, 0, None, 0)",
    "E30-bpf": "call(321, 0, None, 0)",
    "E31-perf": "call(298, ctypes.create_string_buffer(128), 0, -1, -1, 0)",
    "E32-userfaultfd": "call(323, 1)",
    "E33-add-key": "call(248, b'user', b'geak', b'x', 1, -3)",
    "E33-request-key": "call(249, b'user', b'geak', None, -3)",
    "E33-keyctl": "call(250, 0, -3, 0)",
    "E35-clone3": "call(435, None, 0)",
    "E35-clone-user": "call(56, 0x10000011, 0, 0, 0, 0)",
    "E35-clone-pid": "call(56, 0x20000011, 0, 0, 0, 0)",
    "E35-clone-net": "call(56, 0x40000011, 0, 0, 0, 0)",
    "E35-clone-mounts": "call(56, 0x00020011, 0, 0, 0, 0)",
    "E35-clone-cgroup": "call(56, 0x02000011, 0, 0, 0, 0)",
    "E35-clone-time": "call(56, 0x00000091, 0, 0, 0, 0)",
    "kexec": "call(246, 0, 0, None, 1 << 40)",
    "kexec-file": "call(320, -1, -1, 0, None, 1 << 40)",
    "modules": "call(175, None, 0, b'')",
    "modules-by-file": "call(313, -1, b'', 0)",
    "modules-out": "call(176, b'no-such-module', 0)",
    "reboot": "call(169, 0, 0, 0, None)",
    "swap": "call(167, b'/no/such', 0)",
    "accounting": "call(163, b'/no/such')",
    "quota": "call(179, 0, None, 0, None)",
    "kernel-log": "call(103, 10, None, 0)",
    "ports": "call(173, 0, 1, 0)",
    "port-level": "call(172, 0)",
    "local-descriptors": "call(154, 0, None, 0)",
    "personality": "call(135, 0x0040000)",
    "fanotify": "call(300, 0, 0)",
    "clock": "call(227, 0, None)",
    "clock-adjust": "call(305, 0, None)",
    "time-of-day": "call(164, None, None)",
    "host-name": "call(170, b'x', 1 << 20)",
    "memfd": "call(319, b'x', 0)",
    "memfd-secret": "call(447, 0)",
    "shared-memory": "call(29, 0, 4096, 0o1600)",
    "newest": "call(470, None, None, 0, 0)",
    "unborn": "call(471)",
    "unborn-later": "call(1000)",
    "x32-numbers-of-old": "call(520, b'/bin/true', None, None)",
    "shared-anonymous": "call(9, 0, 4096, 3, 0x21, -1, 0)",
    "shared-anonymous-validated": "call(9, 0, 4096, 3, 0x23, -1, 0)",
    "shared-zero": "os.open('/dev/zero', os.O_RDWR)",
    "kernel-memory": "os.open('/dev/mem', os.O_RDONLY)",
    "kernel-log-device": "os.open('/dev/kmsg', os.O_RDONLY)",
    "fuse": "os.open('/dev/fuse', os.O_RDWR)",
    "openat2": "call(437, -100, b'/etc/passwd', struct.pack('QQQ', 0, 0, 0), 24)",
    "kcore": "os.open('/proc/kcore', os.O_RDONLY)",
    "kallsyms": "os.open('/proc/kallsyms', os.O_RDONLY)",
    "seccomp-off": "call(157, 22, 0, 0, 0, 0)",
}


@pytest.mark.parametrize("name", _MACHINERY)
def test_E26_to_E35(arena: Arena, name: str) -> None:
    denied = ("EINVAL", "EFAULT") if name == "seccomp-off" else ()  # there is no way back from a filter
    arena.attack(f"attempt({name!r}, lambda: {_MACHINERY[name]})", denied=denied)


def test_E35_libc_still_forks_and_threads(arena: Arena) -> None:
    """What must go on working with clone3 gone and clone watched: fork, threads, programs."""
    found = arena.run("""
        import subprocess, threading
        pid = os.fork()
        if pid == 0:
            os._exit(7)
        found["fork"] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        thread = threading.Thread(target=lambda: found.update(thread="ran"))
        thread.start(); thread.join()
        found["program"] = subprocess.run(["/bin/sh", "-c", "echo hello | cat"], capture_output=True).stdout.decode()
        found["system"] = os.system("exit 3")
    """).found
    assert found == {"fork": 7, "thread": "ran", "program": "hello\n", "system": 3 << 8}


_MACHINE_CODE = """
    import mmap
    page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
    page.write(bytes.fromhex(job["code"]))
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = ctypes.CFUNCTYPE(ctypes.c_long)(address)()
    answer = b"came back with " + repr(result).encode()
"""


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("x32 getpid", "48c7c027000040" + "0f05" + "c3"),
        ("i386 getpid", "b814000000" + "cd80" + "c3"),
        ("i386 socket", "b867010000" + "cd80" + "c3"),
        ("number -1", "48c7c0ffffffff" + "0f05" + "c3"),
    ],
)
def test_E34_other_instruction_sets_calls(arena: Arena, name: str, code: str) -> None:
    outcome = arena.run(_MACHINE_CODE, code=code)
    assert outcome.fault is Fault.DIED, (name, outcome.reply)
    assert outcome.ending.status in (-signal.SIGSYS, -signal.SIGSEGV)


def test_E34_machine_code_runs_at_all(arena: Arena) -> None:
    """The same with this machine's own getpid, so that the above is known to test what it says."""
    assert arena.run(_MACHINE_CODE, code="48c7c0270000000f05c3").reply.body.startswith(b"came back")


def test_E30_filters_only_add(arena: Arena) -> None:
    """A child may put a filter of its own on top; what is denied stays denied."""
    arena.attack("""
        allow_all = struct.pack("HBBI", 6, 0, 0, 0x7FFF0000)
        held = ctypes.create_string_buffer(allow_all, 8)
        program = struct.pack("HxxxxxxQ", 1, ctypes.addressof(held))
        call(317, 1, 0, program)
        attempt("socket", socket.socket)
        attempt("read", read, "/etc/passwd")
    """)


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_E57_older_landlock(arena: Arena, version: int) -> None:
    """What newer Landlock sees, an older kernel's does not: seccomp covers it (here as if this kernel were older)."""
    heard, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(told, _as_if_older(version).encode())
        finally:
            os._exit(0)
    os.close(told)
    answer = os.read(heard, 4000).decode()
    os.close(heard)
    os.waitpid(pid, 0)
    shutil.rmtree("/tmp/older", ignore_errors=True)
    assert answer == "denied"


def _as_if_older(version: int) -> str:
    import socket

    from geak_evaluator.sandbox import confine, policy

    judge = os.getppid()
    landlock.abi = lambda: version
    os.makedirs("/tmp/older", exist_ok=True)
    with open("/tmp/older/foreign", "w") as file:
        file.write("untouched")
    os.mkdir("/tmp/older/work")
    try:
        rules = policy.Policy(workdir="/tmp/older/work", read=(*policy.default_read(), "/tmp/older/foreign"))
        confine.confine(rules)
        attempts = {
            "truncate": lambda: os.truncate("/tmp/older/foreign", 0),
            "truncate for reading": lambda: os.open("/tmp/older/foreign", os.O_RDONLY | os.O_TRUNC),
            "write": lambda: os.open("/tmp/older/foreign", os.O_WRONLY),
            "tcp": socket.socket,
            "signal": lambda: os.kill(judge, 0),
            "move": lambda: os.rename("/tmp/older/foreign", "/tmp/older/work/foreign"),
        }
        for name, attempt in attempts.items():
            try:
                attempt()
            except OSError:
                continue
            return f"{name} is open"
        with open("/tmp/older/foreign") as file:
            return "denied" if file.read() == "untouched" else "it changed"
    except BaseException as error:
        return repr(error)


@pytest.mark.parametrize("missing", [("seccomp",), ("landlock",), ("landlock", "seccomp")])
def test_E57_a_missing_layer_is_refused(missing: tuple[str, ...]) -> None:
    """Refused with three lines that say why; for seccomp on any kernel, for Landlock unless another user is as good."""
    if WITHOUT:
        pytest.skip("layers are already missing")
    before = set(os.listdir("/tmp"))
    with pytest.raises(WeakSandbox) as raised:
        sandbox(*missing, "namespaces", minimum=Level.CONFINED).start()
    assert len(str(raised.value).splitlines()) == 3
    assert set(os.listdir("/tmp")) == before


@pytest.mark.parametrize("missing", ["namespaces", "uid", "landlock", "seccomp"])
def test_E57_the_level_is_what_was_proved(missing: str) -> None:
    """Each layer left out alone: never more than what the probe could not do."""
    if WITHOUT:
        pytest.skip("layers are already missing")
    with sandbox(missing, minimum=Level.BASE) as box:
        if missing == "namespaces":
            assert box.level is Level.CONFINED
        elif missing == "uid":
            assert box.level in (Level.ISOLATED, Level.CONFINED)  # Landlock and seccomp hold for root as well
        elif missing == "seccomp":
            assert box.level is Level.BASE
        with box.spawn(SCRIPT, limits=SMALL) as child:
            assert child.ask(b"answer = b'well'").body == b"well"


def test_E57_isolated_is_refused_without_namespaces() -> None:
    with pytest.raises(WeakSandbox):
        sandbox("namespaces", minimum=Level.ISOLATED).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_E57_without_landlock_another_user_holds(arena: Arena, home: object) -> None:
    """The layer beneath: as an unused user, the judge's files and processes are out of reach even without Landlock."""
    secret = os.path.join(os.path.expanduser("~"), "secret")
    with open(os.open(secret, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write(arena.secret)
    with sandbox("landlock", "namespaces", minimum=Level.BASE) as box:
        with box.spawn(SCRIPT, {"secret": secret, "judge": os.getpid()}, limits=SMALL) as child:
            reply = child.ask(
                arena.prepared("""
                attempt("read", read, job["secret"])
                attempt("environment", read, f"/proc/{job['judge']}/environ")
                attempt("memory", read, f"/proc/{job['judge']}/mem")
                attempt("descriptors", os.listdir, f"/proc/{job['judge']}/fd")
                attempt("signal", os.kill, job["judge"], 0)
                attempt("socket", socket.socket)
                """)
            )
        assert reply.ok
        assert b"OPEN" not in reply.body, reply.body


def test_E57_every_denied_call_is_denied() -> None:
    """The program itself, by a small interpreter of its instructions: each listed call, with every kind of argument."""
    for gpu in (False, True):
        code = seccomp.program(4242, gpu=gpu)
        assert len(code) % 8 == 0
        assert len(code) // 8 < 4096
        for name, number in seccomp.DENIED.items():
            verdict = interpret(code, number)
            expected = seccomp._ALLOW if gpu and name in seccomp._GPU_NEEDS else seccomp._ERRNO | 1
            assert verdict == expected, name
        for name, number in seccomp.PRETENDED.items():
            assert interpret(code, number) == seccomp._ERRNO, name
        assert interpret(code, 39) == seccomp._ALLOW
        assert interpret(code, 39, arch=0x40000003) == seccomp._KILL_PROCESS
        assert interpret(code, 39 | 0x40000000) == seccomp._KILL_PROCESS
        assert interpret(code, 62, 4242, 9) == seccomp._ALLOW
        assert interpret(code, 62, 4243, 0) == seccomp._ERRNO | 1
        assert interpret(code, 56, 0x11) == seccomp._ALLOW
        assert interpret(code, 56, 0x3D0F00) == seccomp._ALLOW  # as libc starts a thread
        assert interpret(code, 56, 0x12) == seccomp._ERRNO | 1
        for kind in (1, 2, 3, 5, 10):
            for flags in (0, 0x80000, 0x800, 0x80800):
                own = seccomp._ALLOW if gpu and kind in (1, 5) else seccomp._ERRNO | 1
                assert interpret(code, 41, 1, kind | flags) == own, (kind, flags)
                assert interpret(code, 41, 2, kind | flags) == seccomp._ERRNO | 1
                assert interpret(code, 41, 16, kind | flags) == seccomp._ERRNO | 1


def interpret(code: bytes, number: int, *arguments: int, arch: int = 0xC000003E) -> int:
    """Classic BPF, as far as the filter uses it."""
    import struct

    padded = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("<iIQ6Q", number if number < 1 << 31 else number - (1 << 32), arch, 0, *padded)
    accumulator = place = 0
    while True:
        op, yes, no, value = struct.unpack_from("HBBI", code, place * 8)
        place += 1
        if op == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif op == 0x54:
            accumulator &= value
        elif op == 0x06:
            return int(value)
        else:
            taken = {0x15: accumulator == value, 0x45: bool(accumulator & value), 0x35: accumulator >= value}[op]
            place += yes if taken else no


@pytest.mark.gpu
@pytest.mark.skip(reason="needs two GPU device nodes")
def test_E53_a_device_that_was_not_granted() -> None:
    """Of two render nodes only the granted one opens: Landlock's rule, seen with a real device."""


@pytest.mark.parametrize("arena", ["candidate"], indirect=True)
def test_E55_while_compiling(arena: Arena) -> None:
    """Python that a kernel's compilation runs is in the same child as everything else of the candidate's."""
    arena.attack("""
        import triton
        import triton.language as tl
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        def everything():
            attempt("read", read, "/etc/passwd")
            attempt("write", write, "/tmp/geak-attack")
            attempt("socket", socket.socket)
            attempt("environment", read, f"/proc/{os.getppid()}/environ")

        @triton.constexpr_function
        def evil(x):
            globals()["every" + "thing"]()  # triton looks at what such a function names
            return x

        @triton.jit
        def kernel(out, n: tl.constexpr):
            tl.store(out, evil(n))

        source = ASTSource(kernel, {"out": "*fp32", "n": "constexpr"}, {"n": 3})
        try:
            triton.compile(source, target=GPUTarget("hip", "gfx942", 64))
        except RuntimeError as error:
            print(error, flush=True)
    """)
