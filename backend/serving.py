"""The API's server: granian, one process that answers, with threads: `quintet-api`.

More of it is had by starting more of them elsewhere. Decision 0010 says why it is this server.
"""

import argparse
import ctypes
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing import parent_process
from pathlib import Path
from threading import BoundedSemaphore, Thread
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.mp import MPServer

from backend.app import create_app
from backend.core import logs, metrics

THREADS = 24
BODIES = 20  # So many requests with a body at once, however slowly it comes; the rest only read.
PATIENCE = 25  # Seconds that a request has to end in once the server was told to stop.
LAST_CALL = 0.3  # Seconds in which those who are connected already can still ask.
IDLE = 75_000  # Milliseconds; longer than any proxy keeps a connection that it may use again.
FULL = (
    b'{"type":"/problems/unavailable","title":"The service cannot answer just now","status":503,'
    b'"detail":"Too many requests are being received. Nothing was changed; repeat it in a while."}'
)
FULL_HEADERS = [
    ("Content-Type", "application/problem+json"),
    ("Content-Length", str(len(FULL))),
    ("Retry-After", "2"),
]
LEVELS_ONLY = {"incremental": True, "handlers": {}, "loggers": {}}
SO_ATTACH_FILTER = 26
# A socket filter of Linux: whoever asks for a new connection (SYN without ACK) is not heard.
NO_NEW_ONES = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # Take the flags from the TCP header,
        (0x54, 0, 0, 0x12),  # of them SYN and ACK,
        (0x15, 0, 1, 0x02),  # and if there is SYN alone,
        (0x06, 0, 0, 0),  # drop the packet;
        (0x06, 0, 0, 0xFFFF),  # else let it pass.
    )
)


class Server(MPServer):
    """Granian, which turns new callers away before it stops to answer."""

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop: a worker that is not ready to be told so ends by the signal itself."""
        for worker in self.wrks:
            with suppress(ProcessLookupError):
                os.kill(worker.inner.pid, signal.SIGUSR1)
        time.sleep(LAST_CALL)
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]  # it has no types


def main() -> None:
    """Serve the application until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="quintet-api", description="Serve the API and the pages.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="the port to listen on")
    given = parser.parse_args()
    serve(create_app, host=given.host, port=given.port)


def serve(create: Callable[[], Flask], *, host: str, port: int) -> None:
    """Serve the application that is created in the process that answers."""
    os.register_at_fork(after_in_child=_end_at_signals)
    server = Server(
        create,  # type: ignore[arg-type]  # whatever the loader below takes
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        blocking_threads=THREADS,
        http1_settings=HTTP1Settings(header_read_timeout=IDLE),
        workers_kill_timeout=PATIENCE,
        log_dictconfig=LEVELS_ONLY,
    )
    logs.configure()
    server.serve(target_loader=load)


def load(create: Callable[[], Flask]) -> Flask:
    """Return the application, in the process that answers: no thread would survive a fork."""
    app = create()
    app.wsgi_app = keeping_room(app.wsgi_app)  # type: ignore[assignment,method-assign]  # Flask documents this
    metrics.serve(app)
    Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGUSR1, lambda _number, _frame: turn_away())
    return app


def keeping_room(inner: WSGIApplication) -> WSGIApplication:
    """Refuse requests with a body while very many are under way.

    A body is read by the thread that answers. Whoever sends it slowly, or never ends it, keeps
    that thread, and enough of them would keep everybody from reading.
    """
    room = BoundedSemaphore(BODIES)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("CONTENT_LENGTH", "0") in {"", "0"}:
            return inner(environ, start_response)
        if not room.acquire(blocking=False):
            start_response("503 Service Unavailable", FULL_HEADERS)
            return [FULL]
        try:
            return inner(environ, start_response)
        finally:
            room.release()

    return application


def turn_away() -> None:
    """Let nobody connect any more.

    A listening socket that is closed resets whoever it has not accepted yet, so it has to be empty
    by then. Whoever is not heard asks again, and finds somebody else listening or nobody.
    """
    for listening in _listening():
        deafen(listening)


def deafen(listening: socket.socket) -> bool:
    """Have the socket hear nobody new; where the system forbids it, a few may be reset later."""
    if sys.platform != "linux":
        return False
    program = ctypes.create_string_buffer(NO_NEW_ONES)
    pointer = struct.pack("HP", len(NO_NEW_ONES) // 8, ctypes.addressof(program))
    try:
        listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)
    except PermissionError:
        return False
    return True


def _listening() -> Iterator[socket.socket]:
    """Lend each socket on which this process listens, where the system shows them."""
    for path in Path("/proc/self/fd").glob("*"):
        with suppress(OSError), socket.socket(fileno=os.dup(int(path.name))) as found:
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                yield found


def _end_at_signals() -> None:
    """Let signals end a new process until it handles them: what it inherits only notes them."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_DFL)


def _end_with_parent() -> None:
    """End when the parent was killed, so that nobody goes on answering at a port taken anew."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
