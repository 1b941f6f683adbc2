"""A load of requests: a few connections, each asking again as soon as it was answered.

It costs some 20 µs of processor time for each request, on one thread: a small part of what any of
the servers needs that are measured with it. `overhead` tells how much it was.
"""

import re
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
PIECE = 1 << 18


@dataclass(frozen=True)
class Load:
    """What was answered in which time, and how much of it the client itself was busy."""

    answers: int
    seconds: float
    overhead: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answers / self.seconds


class WrongAnswer(Exception):
    """A server answered something else than 200, or hung up in the middle."""


def get(path: str, **headers: str) -> bytes:
    """Return a request as it is sent."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


class _Connection:
    """One connection, that sends the next request once the last one is answered."""

    def __init__(self, port: int, requests: Iterator[bytes], status: bytes) -> None:
        self.port, self.requests, self.status = port, requests, status
        self.socket = self._connected()
        self.received = b""
        self.expected = 0

    def _connected(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def ask(self) -> None:
        """Send the next request."""
        self.socket.sendall(next(self.requests))

    def read(self) -> bool:
        """Take what came, and return whether the answer is whole."""
        piece = self.socket.recv(PIECE)
        if not piece:
            raise WrongAnswer(f"hung up after {self.received[:500]!r}")
        self.received += piece
        if not self.expected:
            head = self.received.find(b"\r\n\r\n")
            if head < 0:
                return False
            if self.received[9:12] != self.status:
                raise WrongAnswer(self.received[:2000].decode(errors="replace"))
            self.expected = head + 4 + self._length(head + 2)
        if len(self.received) < self.expected:
            return False
        self.received, self.expected = b"", 0
        return True

    def _length(self, head: int) -> int:
        if self.status == b"304":
            return 0
        length = LENGTH.search(self.received, 0, head)
        if not length:
            raise WrongAnswer("came without its length")
        return int(length[1])


def drive(
    port: int,
    requests: Sequence[bytes],
    *,
    seconds: float,
    connections: int = 8,
    status: int = 200,
) -> Load:
    """Send the requests in turn for some seconds and count the answers.

    :raises WrongAnswer: when one has another status, or none comes
    """
    selector: Any = selectors.DefaultSelector()
    asked = cycle(requests)
    everyone = [_Connection(port, asked, str(status).encode()) for _ in range(connections)]
    for each in everyone:
        selector.register(each.socket, selectors.EVENT_READ, each)
    answers, busy, began = 0, time.thread_time(), time.perf_counter()
    for each in everyone:
        each.ask()
    while (now := time.perf_counter()) - began < seconds:
        for key, _ in selector.select(timeout=1):
            if key.data.read():
                answers += 1
                key.data.ask()
    for each in everyone:
        each.socket.close()
    taken = now - began
    return Load(answers, taken, (time.thread_time() - busy) / taken)
