"""Escapes of a benchmark's file while its test is watched: by its code, its test and its timed inputs."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from harness import Arena
from test_escapes_network import listening

OBSERVED = pytest.mark.parametrize("arena", ["file", "test", "timed"], indirect=True)
_EVERYTHING = """
    def connected():
        with socket.socket() as made:
            made.settimeout(1)
            made.connect(("127.0.0.1", job["port"]))

    def everything():
        attempt("network", connected)
        attempt("resolve", socket.create_connection, ("127.0.0.1", job["port"]))
        for place in job["outside"]:
            attempt("write " + place, write, place + "/written")
            attempt("folder " + place, os.mkdir, place + "/made")
        attempt("change", write, job["checkout"], b"changed", os.O_TRUNC)
        attempt("remove", os.unlink, job["checkout"])
        attempt("secret", read, job["secret"])
        attempt("list", os.listdir, os.path.dirname(job["secret"]))
        attempt("environment", read, f"/proc/{job['judge']}/environ")
        attempt("memory", read, f"/proc/{job['judge']}/mem")
        attempt("signal", os.kill, job["judge"], 0)

    everything()
    in_child(everything)
"""


@OBSERVED
def test_a_foreign_test_reaches_nothing_outside(arena: Arena, home: Path) -> None:
    secret, checkout = home / ".netrc", home / "checkout.py"
    secret.write_text(arena.secret)
    checkout.write_text("as it was")
    with listening(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)) as server:
        found = arena.attack(
            _EVERYTHING,
            port=server.getsockname()[1],
            outside=["/tmp", "/var/tmp", "/dev/shm", str(home)],
            secret=str(secret),
            checkout=str(checkout),
        )
    assert len(found) == 2 * 17
    assert checkout.read_text() == "as it was"


@OBSERVED
def test_what_a_foreign_test_forks_ends_with_it(arena: Arena) -> None:
    """`check` looks for strangers; whoever is left behind has no parent and no ear for signals."""
    arena.attack("""
        told, says = os.pipe()
        if os.fork() == 0:
            if os.fork() == 0:
                for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                    signal.signal(number, signal.SIG_IGN)
                os.write(says, b"here")
                while True:
                    signal.pause()
            os._exit(0)
        assert os.read(told, 4) == b"here"
        attempt("session", os.setsid)
    """)
