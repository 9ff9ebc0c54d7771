"""Escapes by files and secrets: E01-E04, E16-E25, E45, E46, E48, E49, E51, E56."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

import pytest
from harness import EVERY_ROLE, SCRIPT, SMALL, Arena

TEMPS = ("/tmp", "/var/tmp", "/dev/shm")


def test_E01_environment(arena: Arena) -> None:
    outcome = arena.run("""
        block = ctypes.c_void_p.in_dll(libc, "environ").value
        attempt("own block", read, "/proc/self/environ")
        answer = repr((found, dict(os.environ))).encode()
        answer += b"".join(ctypes.string_at(block + 8 * i, 8) for i in range(4))
    """)
    assert outcome.reply.ok
    assert b"GEAK" not in outcome.reply.body  # and `check` looks for the secret itself


@EVERY_ROLE
@pytest.mark.parametrize("place", [".ssh/id_ed25519", ".netrc", ".config/geak/key", ".aws/credentials"])
def test_E02_home(arena: Arena, home: Path, place: str) -> None:
    secret = home / place
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text(arena.secret)
    arena.attack(
        """
        path, home = job["path"], job["home"]
        attempt("read", read, path)
        attempt("list", os.listdir, home)
        attempt("link in", os.link, path, "mine")
        attempt("read by /proc", read, "/proc/self/root" + path)
        own = os.getcwd()
        attempt("change folder", lambda: (os.chdir(home), os.listdir(".")))
        os.chdir(own)
        os.symlink(path, "symbolic")
        attempt("read by a symbolic link", read, "symbolic")
        attempt("open tree", lambda: os.listdir(os.open(home, os.O_PATH)))
        attempt("execute", os.execv, path, ["x"])
        attempt("watch", lambda: call(254, call(294, 0), ctypes.c_char_p(home.encode()), 0xfff))
        """,
        path=str(secret),
        home=str(home),
        denied=("EBADF",),
    )


@EVERY_ROLE
@pytest.mark.parametrize("what", ["environ", "mem", "maps", "cmdline", "fd", "cwd", "root", "task", "stack", "io"])
def test_E03_E04_processes_files(arena: Arena, what: str) -> None:
    with arena.sibling() as sibling, arena.decoy("argument", arena.secret) as decoy:
        arena.attack(
            """
            for pid in job["pids"]:
                path = f"/proc/{pid}/" + job["what"]
                if pid != os.getpid():
                    attempt(f"{pid} read", read, path)
                    attempt(f"{pid} list", os.listdir, path)
                    attempt(f"{pid} list below", os.listdir, path + "/")
                    attempt(f"{pid} write", write, path, b"x", 0)
            """,
            denied=("EISDIR", "ENOTDIR"),
            what=what,
            pids=[arena.target, sibling._number, *([] if arena.isolated else [decoy.pid, sibling.pid])],
        )


@EVERY_ROLE
def test_E16_E17_packages(arena: Arena) -> None:
    folders = [sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), os.path.dirname(os.path.abspath(__file__))]
    arena.attack(
        """
        for folder in job["folders"]:
            attempt(folder, write, folder + "/geak_attack.py")
            attempt(folder + " pth", write, folder + "/geak_attack.pth", b"import os")
            attempt(folder + " rename", os.rename, folder + "/__init__.py", folder + "/moved.py")
        attempt("append", write, job["module"], b"", 0)
        attempt("truncate", os.truncate, job["module"], 0)
        attempt("truncate while reading", lambda: os.close(os.open(job["module"], os.O_RDONLY | os.O_TRUNC)))
        attempt("unlink", os.unlink, job["module"])
        """,
        folders=folders,
        module=os.__file__,
        denied=("EROFS",),
    )


@pytest.fixture
def foreign(home: Path) -> Path:
    """A folder of the judge's user that a child may not even read, with one file in it."""
    folder = home / "foreign"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)  # only the sandbox is in the way, no file mode
    home.chmod(0o777)
    (folder / "file").write_text("untouched")
    (folder / "file").chmod(0o666)
    return folder


def unchanged(folder: Path) -> bool:
    file = folder / "file"
    fresh = os.listdir(folder) == ["file"] and file.stat().st_nlink == 1
    return fresh and file.read_text() == "untouched" and file.stat().st_mode & 0o777 == 0o666


@EVERY_ROLE
def test_E18_shell_start_files(arena: Arena, home: Path) -> None:
    (home / ".bashrc").write_text("true\n")
    (home / ".bashrc").chmod(0o666)
    arena.attack(
        """
        for name in (".bashrc", ".profile", ".pythonrc", ".config"):
            attempt(name, write, f"{job['home']}/{name}", b"evil", os.O_CREAT | os.O_APPEND)
        attempt("folder", os.mkdir, f"{job['home']}/.local")
        """,
        home=str(home),
    )
    assert (home / ".bashrc").read_text() == "true\n"
    assert not (home / ".local").exists()


@EVERY_ROLE
@pytest.mark.parametrize("place", TEMPS)
def test_E19_E20_shared_folders(arena: Arena, place: str) -> None:
    secret = Path(place) / "of-another"
    secret.write_text(arena.secret)
    secret.chmod(0o644)
    try:
        arena.attack(
            """
            attempt("create", write, job["place"] + "/geak-attack")
            attempt("read", read, job["place"] + "/of-another")
            attempt("list", os.listdir, job["place"])
            attempt("folder", os.mkdir, job["place"] + "/geak-attack-folder")
            attempt("unnamed", lambda: os.open(job["place"], os.O_TMPFILE | os.O_RDWR))
            """,
            place=place,
        )
        assert {n for n in os.listdir(place) if n.startswith("geak-attack")} == set()
    finally:
        secret.unlink()


def test_E21_symlinks_in_the_folder(arena: Arena, foreign: Path) -> None:
    """The judge measures and removes the folder while links in it come and go; it follows none."""
    (foreign / "file").unlink()
    for number in range(60):
        (foreign / f"kept-{number}").touch()
    outcome = arena.run(
        """
        os.symlink(job["foreign"], "link")
        os.mkdir("real")
        ended = time.monotonic() + 1.5
        while time.monotonic() < ended:
            os.rename("real", "spare")
            os.rename("link", "real")
            os.rename("real", "link")
            os.rename("spare", "real")
        os.rename("real", "spare")
        os.rename("link", "real")
        """,
        foreign=str(foreign),
        wall_s=10,
        limits=SMALL.__class__(disk_entries=50, wall_s=10),
    )
    assert outcome.reply.ok, outcome  # entries of the foreign folder were not counted for this one's
    assert len(os.listdir(foreign)) == 60


def test_E22_E23_links_and_renames_across(arena: Arena, foreign: Path) -> None:
    arena.attack(
        """
        foreign, module = job["foreign"], job["module"]
        write("mine", b"evil")
        os.mkdir("folder")
        attempt("link out", os.link, "mine", foreign + "/evil")
        attempt("rename out", os.rename, "mine", foreign + "/evil")
        attempt("rename over", os.rename, "mine", foreign + "/file")
        attempt("rename folder out", os.rename, "folder", foreign + "/folder")
        attempt("symlink out", os.symlink, "/etc/passwd", foreign + "/symbolic")
        attempt("link in", os.link, foreign + "/file", "stolen")
        attempt("rename in", os.rename, foreign + "/file", "stolen")
        attempt("link a library in", os.link, module, "library")
        attempt("exchange", lambda: call(316, -100, b"mine", -100, (foreign + "/file").encode(), 2))
        attempt("link a descriptor in", lambda: call(265, os.open(module, os.O_RDONLY), b"", -100, b"library", 0x1000))
        attempt("through a symlink", lambda: (os.symlink(foreign, "way"), write("way/evil")))
        attempt("write", write, foreign + "/file", b"evil", 0)
        attempt("truncate", os.truncate, foreign + "/file", 0)
        attempt("truncate while reading", lambda: os.open(foreign + "/file", os.O_RDONLY | os.O_TRUNC))
        attempt("unlink", os.unlink, foreign + "/file")
        attempt("remove", os.rmdir, foreign)
        attempt("own folder", os.rename, os.getcwd(), os.getcwd() + "-moved")
        """,
        foreign=str(foreign),
        module=os.__file__,
        denied=("EBUSY",),
    )
    assert unchanged(foreign)


def test_E24_special_files_in_the_folder(arena: Arena) -> None:
    arena.attack("""
        attempt("fifo", os.mkfifo, "fifo")
        attempt("device", os.mknod, "device", 0o600 | 0o020000, os.makedev(1, 3))
        attempt("block", os.mknod, "block", 0o600 | 0o060000, os.makedev(254, 0))
        attempt("socket", os.mknod, "socket", 0o600 | 0o140000)
        attempt("bound", lambda: socket.socket(socket.AF_UNIX).bind("socket"))
    """)


def test_E25_setuid_programs(arena: Arena) -> None:
    """A program that would make its caller root does not: no new privileges, whatever the file says."""
    program = shutil.which("su") or shutil.which("mount") or "/usr/bin/passwd"
    outcome = arena.run(
        """
        import subprocess
        status = read("/proc/self/status").decode()
        found["privileges"] = "EPERM" if "NoNewPrivs:\\t1" in status else "OPEN " + status
        for line in status.splitlines():
            if line.startswith(("CapInh", "CapPrm", "CapEff", "CapAmb")) and int(line.split()[1], 16) & ~4:
                found[line] = "OPEN"
        try:
            told = subprocess.run([job["program"], "-c", "id -u"], capture_output=True, stdin=-3, timeout=8)
            found["su"] = "EPERM" if told.returncode else "OPEN " + repr(told)
        except OSError as error:
            found["su"] = errno.errorcode[error.errno]
        """,
        program=program,
    )
    assert all(value in ("EPERM", "EACCES") for value in outcome.found.values()), outcome.found


def test_E45_later_children_start_clean(arena: Arena) -> None:
    arena.attack(
        """
        os.environ["LD_PRELOAD"] = os.getcwd() + "/evil.so"
        libc.setenv(b"LD_PRELOAD", b"evil.so", 1)
        write("evil.so"); write("sitecustomize.py", b"raise SystemExit(9)")
        attempt("ld.so.preload", write, "/etc/ld.so.preload")
        attempt("ld.so.cache", write, "/etc/ld.so.cache", b"", 0)
        attempt("bytecode", os.mkdir, os.path.dirname(os.__file__) + "/__pycache__/evil")
        """,
        denied=("EROFS",),
    )
    later = arena.run("answer = repr((sorted(os.environ), os.listdir('.'))).encode()").reply.body.decode()
    assert "LD_PRELOAD" not in later
    assert later.endswith(", [])")


def test_E46_inherited_descriptors(arena: Arena) -> None:
    found = arena.run("""
        for fd in range(1024):
            try:
                found[str(fd)] = os.readlink(f"/proc/self/fd/{fd}").split(":")[0]
            except OSError:
                pass
    """).found
    assert found == {"0": "/dev/null", "1": "pipe", "2": "pipe", "3": "socket"}


def test_E48_handles(arena: Arena) -> None:
    arena.attack(
        """
        handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
        mount = ctypes.c_int()
        attempt("name", lambda: call(303, -100, ctypes.c_char_p(job["path"].encode()), handle, ctypes.byref(mount), 0))
        attempt("open", lambda: call(304, os.open(".", os.O_RDONLY), handle, os.O_RDONLY))
        """,
        path=os.__file__,
    )


def test_E49_kernel_settings(arena: Arena) -> None:
    """Writes back what is there, so that even a success would change nothing."""
    arena.attack(
        """
        for name in ("kernel/hostname", "kernel/core_pattern", "vm/overcommit_memory", "kernel/randomize_va_space"):
            attempt(name, lambda: os.close(os.open("/proc/sys/" + name, os.O_WRONLY)))
        attempt("sysrq", lambda: os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY)))
        attempt("sys", lambda: os.close(os.open("/sys/kernel/mm/transparent_hugepage/enabled", os.O_WRONLY)))
        attempt("cgroup", lambda: os.mkdir("/sys/fs/cgroup/geak-attack"))
    """,
        denied=("EROFS",),
    )


def test_E51_metadata_of_foreign_files(arena: Arena, foreign: Path) -> None:
    """Most of these say that they worked, for compilers' sake; from out here nothing has changed."""
    file = foreign / "file"
    before = file.stat()
    found = arena.run(
        """
        import fcntl
        path = job["path"]
        attempt("chmod", os.chmod, path, 0o777)
        attempt("chmod of descriptor", lambda: os.chmod(os.open(job["module"], os.O_RDONLY), 0o777))
        attempt("chown", os.chown, path, os.getuid(), os.getgid())
        attempt("times", os.utime, path, (1, 1))
        attempt("attribute", os.setxattr, path, "user.geak", b"x")
        attributes = ctypes.create_string_buffer(struct.pack("QIIII", 0x40, 0, 0, 0, 0))
        attempt("file_setattr", lambda: call(469, -100, path.encode(), attributes, 24, 0))
        def flags(fd):
            return fcntl.ioctl(fd, 0x40086602, struct.pack("l", 0x40))
        attempt("flags of a library", lambda: flags(os.open(job["module"], os.O_RDONLY)))
        attempt("project of a library",
                lambda: fcntl.ioctl(os.open(job["module"], os.O_RDONLY), 0x401C5820, bytes(28)))
        attempt("verity", lambda: fcntl.ioctl(os.open(job["module"], os.O_RDONLY), 0x40806685, bytes(128)))
        attempt("lease", lambda: fcntl.fcntl(os.open(job["module"], os.O_RDONLY), 1024, fcntl.F_RDLCK))
        attempt("notify", lambda: fcntl.fcntl(os.open(job["packages"], os.O_RDONLY), 1026, 0x80000001))
        """,
        path=str(file),
        module=os.__file__,
        packages=os.path.dirname(os.__file__),
    ).found
    after = file.stat()
    assert (before.st_mode, before.st_uid, before.st_mtime) == (after.st_mode, after.st_uid, after.st_mtime)
    assert os.listxattr(file) == []
    for name in ("file_setattr", "flags of a library", "project of a library", "verity", "lease", "notify"):
        assert found[name] in ("EPERM", "ENOSYS"), (name, found[name])


def test_E56_missing_rule_paths(arena: Arena) -> None:
    """One path that does not exist is skipped alone; the other rules stand."""
    found = arena.attack(
        """
        attempt("read", read, "/etc/passwd")
        attempt("write", write, "/tmp/geak-attack")
        attempt("own", lambda: [][len(os.listdir(job["allowed"])) and 9])
        """,
        spawn={"read": ("/no/such/path", "/etc/nowhere", "/usr/include")},
        allowed="/usr/include",
        denied=("IndexError",),
    )
    assert found["own"] == "IndexError"
    assert SCRIPT


def test_E56_reads_only_what_it_was_given(arena: Arena, foreign: Path) -> None:
    """A folder given to one child is readable to it, not writable, and not readable to the next."""
    source = """
        attempt("read", read, job["path"])
        attempt("write", write, job["path"], b"evil", 0)
    """
    first = arena.run(source, path=str(foreign / "file"), spawn={"read": (str(foreign),)}).found
    assert first["read"].startswith("OPEN")
    assert first["write"] == "EACCES"
    arena.attack(source, path=str(foreign / "file"))
    assert unchanged(foreign)
