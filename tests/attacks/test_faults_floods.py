"""Floods of memory, files, processes and threads: F08-F10, F12-F16, F23, F24, F28, F29, F37."""

from __future__ import annotations

import contextlib
import os
import subprocess

import pytest
from harness import MIB, SCRIPT, SMALL, Arena, Fault, sandbox

from geak_evaluator.sandbox.box import SandboxError
from geak_evaluator.sandbox.policy import Limits

TIGHT = Limits(wall_s=10, memory=96 * MIB, processes=16, threads=64, file_bytes=4 * MIB, disk_bytes=8 * MIB)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("held = []\nwhile True: held.append(bytearray(1 << 20))", id="F09-heap"),
        pytest.param("held = bytearray(1 << 40)", id="F09-all-at-once"),
        pytest.param(
            "import mmap\nheld = [mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | 0x4000) for _ in range(9)]",
            id="F09-noreserve",
        ),
        pytest.param("held = 'x'\nwhile True: held += held", id="F09-string"),
    ],
)
def test_F09_memory_of_one_process(arena: Arena, source: str) -> None:
    """The limit on the address space comes first; the child may even say so itself."""
    outcome = arena.run(source, limits=TIGHT)
    assert (
        outcome.fault in (Fault.OUT_OF_MEMORY, Fault.DIED)
        or b"MemoryError" in outcome.reply.body
        or (b"Cannot allocate" in outcome.reply.body)
    ), outcome


@pytest.mark.parametrize("disguise", ["plain", "\udcff\udcfe"])
def test_F09_memory_of_many_processes(arena: Arena, disguise: str) -> None:
    outcome = arena.run(
        """
        for _ in range(6):
            if os.fork() == 0:
                libc.prctl(15, os.fsencode(job["name"]), 0, 0, 0)
                held = bytearray(40 << 20)
                time.sleep(60)
        time.sleep(60)
        """,
        limits=TIGHT,
        name=disguise,
    )
    assert outcome.fault is Fault.OUT_OF_MEMORY


def test_F09_memory_while_it_prints(arena: Arena) -> None:
    """One that never falls silent is looked at all the same."""
    outcome = arena.run(
        """
        for _ in range(6):
            if os.fork() == 0:
                held = bytearray(40 << 20)
                while True:
                    os.write(1, b".")
                    time.sleep(0.002)
        while True:
            os.write(1, b".")
            time.sleep(0.002)
        """,
        limits=TIGHT,
    )
    assert outcome.fault is Fault.OUT_OF_MEMORY


def test_F09_memory_while_it_answers(arena: Arena) -> None:
    outcome = arena.run(
        """
        os.write(3, struct.pack("<16sBI", channel._nonce, 0, 4 << 20))
        for _ in range(6):
            if os.fork() == 0:
                held = bytearray(40 << 20)
                time.sleep(60)
        while True:
            os.write(3, b".")
            time.sleep(0.002)
        """,
        limits=TIGHT,
    )
    assert outcome.fault is Fault.OUT_OF_MEMORY


@pytest.mark.parametrize(
    "way",
    [
        pytest.param("os.memfd_create('x')", id="memfd"),
        pytest.param("mmap.mmap(-1, 32 << 20)", id="shared-anonymous"),
        pytest.param("mmap.mmap(os.open('/dev/zero', os.O_RDWR), 32 << 20)", id="shared-zero"),
        pytest.param("os.open('/dev/shm', os.O_TMPFILE | os.O_RDWR)", id="shm-file"),
        pytest.param("call(29, 0, 32 << 20, 0o1600)", id="system-v"),
    ],
)
def test_F10_memory_that_no_process_shows(arena: Arena, way: str) -> None:
    """It would not count as anyone's, so it is not to be had at all."""
    arena.attack(f"import mmap\nattempt('way', lambda: {way})")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("for i in range(100000): open(f'file-{i}', 'wb').write(bytes(100_000))", id="F12-many-files"),
        pytest.param("for i in range(100000): open(f'file-{i}', 'wb').close()\ntime.sleep(60)", id="F23-empty-files"),
        pytest.param("for i in range(100000): os.mkdir(f'folder-{i}')\ntime.sleep(60)", id="F23-folders"),
        pytest.param("for i in range(100000): os.symlink('/', f'link-{i}')\ntime.sleep(60)", id="F23-links"),
        pytest.param("open('x', 'w').close()\nfor i in range(60000): os.link('x', f'l{i}')\ntime.sleep(60)",
                     id="F23-hard-links"),
        pytest.param("for i in range(3000): os.mkdir('d'); os.chdir('d')\ntime.sleep(60)", id="F24-deep"),
        pytest.param("for i in range(3000): os.mkdir('d' * 200); os.chdir('d' * 200)\ntime.sleep(60)",
                     id="F24-deep-and-long"),
        pytest.param("for i in range(60): os.posix_fallocate(os.open(f'f{i}', 65), 0, 1 << 20)\ntime.sleep(60)",
                     id="F12-allocated"),
    ],
)  # fmt: skip
def test_disk_flood(arena: Arena, source: str) -> None:
    outcome = arena.run(source, limits=SMALL)
    assert outcome.fault is Fault.DISK_FLOOD, outcome


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("open('x', 'wb').write(bytes(64 << 20))", id="F13-one-huge-file"),
        pytest.param("os.truncate(os.open('x', 65), 1 << 40)", id="F13-sparse"),
        pytest.param("os.posix_fallocate(os.open('x', 65), 0, 1 << 30)", id="F13-allocated"),
        pytest.param("os.pwrite(os.open('x', 65), b'x', 1 << 40)", id="F13-far-write"),
    ],
)
def test_F13_one_huge_file(arena: Arena, source: str) -> None:
    """The kernel stops it at the limit, by a signal that Python turns into an error."""
    outcome = arena.run(source, limits=SMALL)
    assert outcome.fault is Fault.DIED or b"File too large" in outcome.reply.body, outcome


def test_F13_space_beyond_the_end(arena: Arena) -> None:
    """Space that is reserved beyond a file's end counts for no limit on its size."""
    arena.attack("attempt('keep size', lambda: call(285, os.open('x', 65), 1, 0, 64 << 20))")


def test_F13_sparse_files_are_small(arena: Arena) -> None:
    assert arena.run("os.truncate(os.open('x', 65), 7 << 20); answer = b'1'", limits=SMALL).reply.ok


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("for _ in range(400):\n  if os.fork() == 0: time.sleep(60)\ntime.sleep(60)", id="F14-forks"),
        pytest.param("while True: os.fork()", id="F15-exponential"),
        pytest.param(
            """
            def again():
                while True:
                    try:
                        if os.fork(): os._exit(0)
                    except OSError:
                        pass
            for _ in range(30):
                if os.fork() == 0: again()
            time.sleep(60)
            """,
            id="F15-each-forks-and-dies",
        ),
        pytest.param(
            """
            import threading
            for _ in range(2000):
                threading.Thread(target=time.sleep, args=(60,)).start()
            time.sleep(60)
            """,
            id="F16-threads",
        ),
        pytest.param(
            """
            import threading
            threading.stack_size(65536)
            def more():
                while True:
                    try: threading.Thread(target=time.sleep, args=(60,)).start()
                    except RuntimeError: pass
            for _ in range(8):
                if os.fork() == 0: more()
            time.sleep(60)
            """,
            id="F16-threads-of-many",
        ),
    ],
)
def test_too_many_processes(arena: Arena, source: str) -> None:
    outcome = arena.run(source, limits=TIGHT, wall_s=5)
    refused = outcome.reply.fault is None and outcome.reply.status == 1  # the kernel's limit came first, and it said so
    timely = Fault.TIMEOUT  # it was held below the limits, and did nothing else
    assert refused or outcome.fault in (Fault.TOO_MANY_PROCESSES, Fault.OUT_OF_MEMORY, Fault.DIED, timely), outcome


def test_F14_the_next_child_can_still_fork(arena: Arena) -> None:
    """A fork bomb's numbers are given back before its verdict is out of hand."""
    arena.run("while True: os.fork()", limits=TIGHT, wall_s=3)
    found = arena.run("import subprocess\nfound['echo'] = subprocess.check_output(['echo', 'hello']).decode()").found
    assert found == {"echo": "hello\n"}


_NAMES = {
    "newlines": "os.mkdir('a\\nb'); open('a\\nb/\\r\\n', 'w').close()",
    "dots": "os.mkdir('...'); os.mkdir('..x'); open('.../..y', 'w').close()",
    "not-utf-8": "os.mkdir(b'\\xff\\xfe'); open(b'\\xff\\xfe/\\x80', 'w').close()",
    "dashes": "os.mkdir('-rf'); open('-rf/--help', 'w').close()",
    "longest": "os.mkdir('n' * 255); open('n' * 255 + '/' + 'm' * 255, 'w').close()",
    "no-rights": "os.mkdir('a'); os.mkdir('a/b', 0); os.mkdir('a/c', 0o500); os.mkdir('d', 0); os.open('e', 65, 0)",
    "no-rights-deep": "os.makedirs('a/b/c/d'); os.mkdir('a/b/c/d/e', 0); os.mkdir('a/b/c/d/f', 0o100)",
    "taken": "[os.makedirs(f'.geak-lifted-{p}-{i}/x') for p in range(40) for i in range(4)]; os.makedirs('a/b/c')",
    "links": "os.symlink('/', 'root'); os.symlink('loop', 'loop'); os.symlink('..', 'up'); os.mkdir('d')",
    "deep": "[(os.mkdir('d'), os.chdir('d')) for _ in range(900)]",
    "wide-and-deep": "[(os.mkdir('d'), open('f', 'w').close(), os.mkdir('e'), os.chdir('d')) for _ in range(300)]",
    "mode-of-own-folder": "os.chmod('.', 0)",
}


@pytest.mark.parametrize("name", _NAMES)
def test_F28_F29_folders_that_are_hard_to_remove(arena: Arena, name: str) -> None:
    outcome = arena.run(_NAMES[name] + "\nanswer = b'made'", limits=SMALL)
    assert outcome.reply.body == b"made", outcome


def test_files_without_a_name(arena: Arena) -> None:
    """Written after they were deleted, they are in no folder; the disk is watched for them, and nobody is blamed."""
    if os.geteuid() != 0:
        pytest.skip("needs a small disk, which root can mount in the cage")
    source = """
        held = []
        for _ in range(60):
            held.append(open("gone", "wb", buffering=0))
            os.unlink("gone")
            try:
                for _ in range(7): held[-1].write(bytes(1 << 20))
            except OSError:
                pass
        time.sleep(60)
    """
    with (
        small_disk("96m", 4000) as folder,
        pytest.MonkeyPatch.context() as patch,
        contextlib.ExitStack() as stack,
    ):
        patch.setattr("tempfile.tempdir", folder)
        box = stack.enter_context(sandbox("namespaces"))
        child = stack.enter_context(box.spawn(SCRIPT, {"judge": 0}, limits=SMALL))
        with pytest.raises(SandboxError, match="disk"):
            child.ask(arena.prepared(source))


@pytest.mark.parametrize("kind", ["bytes", "entries"])
def test_F37_disk_full(kind: str) -> None:
    """The machine's fault: no child is started, and none is blamed."""
    if os.geteuid() != 0:
        pytest.skip("needs a small disk, which root can mount in the cage")
    with small_disk("48m", 200) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", folder)
        with sandbox("namespaces") as box:
            with box.spawn(SCRIPT, limits=SMALL) as child:
                assert child.ask(b"answer = b'well'").ok
            filler = os.path.join(folder, "filler")
            if kind == "bytes":
                with open(filler, "wb") as file:
                    file.write(bytes(40 << 20))
            else:
                os.mkdir(filler)
                with contextlib.suppress(OSError):
                    for number in range(400):
                        os.close(os.open(f"{filler}/{number}", os.O_CREAT))
            with pytest.raises(SandboxError):
                box.spawn(SCRIPT, limits=SMALL)
            subprocess.run(["rm", "-rf", filler], check=True)
            with box.spawn(SCRIPT, limits=SMALL) as child:
                assert child.ask(b"answer = b'well'").ok


class small_disk:
    """A folder that fills up soon."""

    def __init__(self, size: str, entries: int) -> None:
        self.options, self.folder = f"size={size},nr_inodes={entries}", "/tmp/small-disk"

    def __enter__(self) -> str:
        os.makedirs(self.folder, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", self.options, "tmpfs", self.folder], check=True)
        return self.folder

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", self.folder], check=True)
        os.rmdir(self.folder)
