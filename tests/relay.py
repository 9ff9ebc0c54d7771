"""A judge's command that hands everything on to a judge that is running already: relay.py SOCKET."""

import os
import socket
import sys
import threading


def main() -> None:
    """Copies stdin to the socket and the socket to stdout, until either ends."""
    judge = socket.socket(socket.AF_UNIX)
    judge.connect(sys.argv[1])

    def upwards() -> None:
        while data := os.read(0, 1 << 16):
            judge.sendall(data)
        judge.shutdown(socket.SHUT_WR)

    threading.Thread(target=upwards, daemon=True).start()
    while data := judge.recv(1 << 16):
        while data:
            data = data[os.write(1, data) :]


if __name__ == "__main__":
    main()
