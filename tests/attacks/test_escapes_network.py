"""Escapes by the network and by queues that other processes can reach: E08-E15, E47, E50."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness import EVERY_ROLE, Arena

_SOCKETS = """
    def through(family, kind, address, protocol=0):
        with socket.socket(family, kind, protocol) as made:
            made.settimeout(1)
            made.connect(address)
            made.send(b"hello")
            return "connected"
"""


@contextmanager
def listening(family: int, kind: int, address: object) -> Iterator[socket.socket]:
    """A server of the suite's own; it must not have heard anything at its end."""
    with socket.socket(family, kind) as server:
        server.bind(address)  # type: ignore[arg-type]
        if kind != socket.SOCK_DGRAM:
            server.listen()
        yield server
        server.settimeout(0)
        try:
            server.recv(1) if kind == socket.SOCK_DGRAM else server.accept()
        except BlockingIOError:
            return
        raise AssertionError("the server heard something")


@EVERY_ROLE
def test_E08_E09_E10_internet(arena: Arena) -> None:
    with ExitStack() as servers:
        ports = {}
        for name, family, kind, host in (
            ("tcp4", socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
            ("tcp6", socket.AF_INET6, socket.SOCK_STREAM, "::1"),
            ("udp4", socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
            ("udp6", socket.AF_INET6, socket.SOCK_DGRAM, "::1"),
        ):
            server = servers.enter_context(listening(family, kind, (host, 0)))
            ports[name] = [int(family), int(kind), host, server.getsockname()[1]]
        arena.attack(
            _SOCKETS
            + """
    for name, (family, kind, host, port) in job["ports"].items():
        attempt(name, through, family, kind, (host, port))
    attempt("listen", lambda: socket.socket().bind(("127.0.0.1", 0)))
    attempt("resolve", lambda: [socket.getaddrinfo("localhost.example.org", 80)])
    assert "resolution" in found.pop("resolve")
    """,
            ports=ports,
        )


@EVERY_ROLE
def test_E11_E14_E15_other_families(arena: Arena) -> None:
    arena.attack(
        _SOCKETS
        + """
    attempt("E11 mptcp", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262))
    attempt("E14 netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
    attempt("E14 audit", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9))
    attempt("E15 vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
    for family in range(64):
        for kind in (1, 2, 3, 5):
            attempt(f"family {family}, kind {kind}", call, 41, family, kind, 0)
    """
    )


@EVERY_ROLE
def test_E12_unix_path(arena: Arena, home: Path) -> None:
    """Landlock before its version 9 does not see this; a docker socket would be the host."""
    path = str(home / "docker.sock")
    with listening(socket.AF_UNIX, socket.SOCK_STREAM, path):
        os.chmod(path, 0o777)
        arena.attack(_SOCKETS + "    attempt('E12', through, socket.AF_UNIX, 1, job['path'])", path=path)


@EVERY_ROLE
def test_E13_unix_abstract(arena: Arena) -> None:
    with listening(socket.AF_UNIX, socket.SOCK_STREAM, "\0geak-attack"):
        arena.attack(_SOCKETS + "    attempt('E13', through, socket.AF_UNIX, 1, '\\0geak-attack')")


NODES = ("/dev/full",)
"""What stands for a device's files in a cage, which has none."""
STREAMS = (1, 5)


def test_E13_a_devices_child_binds_the_socket_that_cuda_starts_with(arena: Arena) -> None:
    """As libcuda does it: a refusal of any of these is error 304, and no kernel is ever launched."""
    found = arena.run(
        """
        made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        attempt("no file", os.unlink, "")
        attempt("bind", made.bind, f"\\0cuda-uvmfd-{os.stat('/proc/self/ns/pid').st_ino}-{os.getpid()}\\0")
        attempt("listen", made.listen, 128)
        """,
        spawn={"devices": NODES},
    ).found
    assert found == {"no file": "ENOENT", "bind": "OPEN None", "listen": "OPEN None"}


def test_E12_E13_a_devices_child_reaches_nobody_by_a_socket(arena: Arena, home: Path) -> None:
    """It may offer an abstract name and nothing else: not call anyone, not answer whoever calls."""
    with ExitStack() as servers:
        named = []
        for kind in STREAMS:
            for address in (f"\0geak-attack-{kind}", str(home / f"docker-{kind}.sock")):
                servers.enter_context(listening(socket.AF_UNIX, kind, address))
                named.append([kind, address])
        for path in home.glob("*.sock"):
            path.chmod(0o777)
        for name, kind in (("datagram", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)):
            family = socket.AF_UNIX if name == "datagram" else socket.AF_INET
            at = "\0geak-attack-datagram" if name == "datagram" else ("127.0.0.1", 0)
            server = servers.enter_context(listening(family, kind, at))
        arena.attack(
            _SOCKETS
            + """
    for kind, address in job["named"]:
        where = f"{kind} at {address[-8:]}: "
        attempt(where + "connect", through, socket.AF_UNIX, kind, address)
        attempt(where + "send to", lambda: socket.socket(socket.AF_UNIX, kind).sendto(b"x", address))
        attempt(where + "send message", lambda: socket.socket(socket.AF_UNIX, kind).sendmsg([b"x"], [], 0, address))
    for kind in (1, 5):
        mine = socket.socket(socket.AF_UNIX, kind)
        mine.bind("")
        mine.listen()
        attempt(f"{kind}: accept", mine.accept)
        attempt(f"{kind}: accept by the older call", call, 43, mine.fileno(), None, None)
        for place in (".", "/tmp", "/dev/shm", job["home"]):
            attempt(f"{kind}: a file in {place}", socket.socket(socket.AF_UNIX, kind).bind, f"{place}/made")
    attempt("datagram", lambda: socket.socket(socket.AF_UNIX, 2).sendto(b"x", "\\0geak-attack-datagram"))
    attempt("tcp", through, socket.AF_INET, 1, ("127.0.0.1", job["port"]))
    for family in range(64):
        for kind in (1, 2, 3, 5):
            for flags in (0, socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK):
                if (family, kind) not in ((1, 1), (1, 5)):
                    attempt(f"family {family}, kind {kind}, flags {flags}", call, 41, family, kind | flags, 0)
    """,
            named=named,
            port=server.getsockname()[1],
            home=str(home),
            spawn={"devices": NODES},
            denied=("ENOTCONN", "EOPNOTSUPP", "ENOTSUP"),  # of a stream that nobody is at the other end of
        )


def test_E12_E13_sockets_by_other_calls(arena: Arena, home: Path) -> None:
    """A pair cannot be turned towards anyone else, and the channel cannot either."""
    path = str(home / "log")
    with (
        listening(socket.AF_UNIX, socket.SOCK_DGRAM, "\0geak-attack"),
        listening(socket.AF_UNIX, socket.SOCK_DGRAM, path),
    ):
        os.chmod(path, 0o777)
        arena.attack(
            """
            for kind in (1, 2, 3, 5):
                for address in ("\\0geak-attack", job["path"]):
                    name = f"kind {kind} to {address[-4:]}: "
                    def pair():
                        return socket.socketpair(socket.AF_UNIX, kind)[0]
                    attempt(name + "send to", lambda: pair().sendto(b"x", address))
                    attempt(name + "send message", lambda: pair().sendmsg([b"x"], [], 0, address))
                    attempt(name + "connect", lambda: pair().connect(address))
                    attempt(name + "bind", lambda: pair().bind("\\0geak-other"))
            mine = socket.socket(fileno=os.dup(3))
            attempt("connect the channel", mine.connect, "\\0geak-attack")
            attempt("send from the channel", mine.sendto, b"x", "\\0geak-attack")
            attempt("listen on the channel", mine.listen)
            for family in (0, 2, 10, 16, 30, 40):
                attempt(f"pair of family {family}", call, 53, family, 2, 0, ctypes.create_string_buffer(8))
            """,
            path=path,
            denied=("EISCONN", "EOPNOTSUPP", "EPIPE"),
        )


def test_E47_descriptors_sent_to_the_judge(arena: Arena) -> None:
    """They are dropped unread: the judge takes bytes from a child and nothing else."""
    before = len(os.listdir("/proc/self/fd"))
    outcome = arena.run(
        """
        import array
        mine = socket.socket(fileno=os.dup(3))
        fds = array.array("i", [os.open("/dev/null", os.O_RDONLY) for _ in range(100)])
        nonce = channel._nonce
        head = struct.pack("<16sBI", nonce, 0, 5)
        for i, part in enumerate((head[:7], head[7:], b"hello")):
            mine.sendmsg([part], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds[i * 10 : i * 10 + 10])])
        channel.receive()
        channel.receive()
        """,
        asks=1,
    )
    assert outcome.reply.body == b"hello"
    assert len(os.listdir("/proc/self/fd")) == before


def test_E47_descriptors_passed_on(arena: Arena) -> None:
    """Between its own processes a child may pass what it has; that reaches nobody else."""
    found = arena.run("""
        near, far = socket.socketpair()
        socket.send_fds(near, [b"x"], [1])
        attempt("passed", socket.recv_fds, far, 1, 1)
    """).found
    assert found["passed"].startswith("OPEN")


def test_E47_credentials_of_another(arena: Arena) -> None:
    arena.attack(
        """
        near, far = socket.socketpair()
        for pid in job["pids"]:
            if pid != os.getpid():
                forged = struct.pack("iII", pid, 0, 0)
                attempt(f"as {pid}", near.sendmsg, [b"x"], [(socket.SOL_SOCKET, 2, forged)])
        """,
        pids=[1, arena.target],
        denied=("EINVAL",),  # a user that has no number in this namespace
    )


def test_E47_out_of_band(arena: Arena) -> None:
    """Out-of-band bytes on local sockets have been a way out of other sandboxes, by way of the kernel."""
    arena.attack("""
        near, far = socket.socketpair()
        attempt("send", near.send, b"x", socket.MSG_OOB)
        attempt("sendto the judge", socket.socket(fileno=os.dup(3)).send, b"x", socket.MSG_OOB)
        attempt("sendmsg", near.sendmsg, [b"x"], [], socket.MSG_OOB)
    """)


def test_E50_metadata_service(arena: Arena) -> None:
    """A cloud's own address, here a server on loopback under that number."""
    ip = ["ip", "address", "add", "169.254.169.254/32", "dev", "lo"]
    here = os.geteuid() == 0 and subprocess.run(ip, capture_output=True, check=False).returncode == 0
    with ExitStack() as servers:
        if here:
            servers.enter_context(listening(socket.AF_INET, socket.SOCK_STREAM, ("169.254.169.254", 80)))
        arena.attack(_SOCKETS + "    attempt('E50', through, socket.AF_INET, 1, ('169.254.169.254', 80))")
    if here:
        subprocess.run([*ip[:2], "del", *ip[3:]], check=True)


def test_E14_queues_of_the_same_user(arena: Arena) -> None:
    """System V queues and semaphores have small numbers that can be guessed; they outlive processes."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    queue, semaphore = libc.msgget(0x6EA4, 0o1666), libc.semget(0x6EA4, 1, 0o1666)
    assert queue >= 0
    assert semaphore >= 0
    message = ctypes.create_string_buffer(b"\x01" + bytes(7) + arena.secret.encode(), 64)
    assert libc.msgsnd(queue, message, len(arena.secret), 0) == 0
    try:
        arena.attack(
            """
            got = ctypes.create_string_buffer(200)
            attempt("receive", lambda: (call(70, job["queue"], got, 100, 0, 0o4000), got.raw))
            attempt("peek", lambda: (call(70, job["queue"], got, 100, 0, 0o44000), got.raw))
            attempt("remove queue", lambda: call(71, job["queue"], 0, None))
            attempt("remove semaphore", lambda: call(66, job["semaphore"], 0, 0, 0))
            attempt("up", lambda: call(65, job["semaphore"], struct.pack("HhH", 0, 1, 0), 1))
            attempt("remove named", lambda: call(241, b"geak-attack"))
            attempt("open named", lambda: call(240, b"geak-attack", 0, 0, 0))
            attempt("find", lambda: call(68, 0x6ea4, 0))
            """,
            queue=queue,
            semaphore=semaphore,
        )
        status = Path("/proc/sysvipc/msg").read_text().splitlines()
        assert len(status) == 2
        assert int(status[1].split()[4]) == 1, "the message was taken"
    finally:
        libc.msgctl(queue, 0, None)
        libc.semctl(semaphore, 0, 0)


def test_E47_a_flood_of_descriptors(arena: Arena) -> None:
    """Descriptors in flight, each holding a socket full of others, end with the child."""
    arena.run("""
        import array
        for _ in range(40):
            near, far = socket.socketpair()
            try:
                for _ in range(10):
                    near.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [far.fileno()]))])
            except OSError:
                break
    """)
