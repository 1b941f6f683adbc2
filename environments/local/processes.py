"""Starting a server, waiting until it answers, and finding what an earlier run left behind."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from environments.local.places import LocalProblem

LOG_LIMIT = 10_000_000


class ServerFailed(LocalProblem):
    """A server did not start; the end of its log says why."""


class PortTaken(ServerFailed):
    """Somebody else took the port between its choice and the server's start."""


def free_port() -> int:
    """Return a port of this machine that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def launch(
    command: Sequence[str | Path],
    *,
    log: Path,
    answers: Callable[[], bool],
    patience: float = 60,
    options: Mapping[str, Any],
) -> None:
    """Start a server in a session of its own and return once it answers.

    :raises PortTaken: when its port was taken meanwhile
    :raises ServerFailed: with the end of its log, when it ended or never answered
    """
    mode = "ab" if log.exists() and log.stat().st_size < LOG_LIMIT else "wb"
    with log.open(mode) as output:
        start = output.tell()
        process = subprocess.Popen(  # noqa: S603  our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **options,
        )
    deadline = time.monotonic() + patience
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise _failure(command[0], log, start)
        time.sleep(0.02)
    process.returncode = 0  # It may outlive this object, which would warn of that.


def _failure(program: str | Path, log: Path, start: int) -> ServerFailed:
    with log.open("rb") as output:
        output.seek(start)
        tail = output.read()[-2000:].decode(errors="replace").strip()
    kind = PortTaken if "in use" in tail and "bind" in tail.lower() else ServerFailed
    return kind(f"{Path(program).name} did not start. The end of {log}:\n{tail}")


def end(process: psutil.Process, how: signal.Signals, patience: float = 10) -> None:
    """End a process by the signal, or by force when it takes too long."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(how)
        try:
            process.wait(patience)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(patience)


def running(pid: int, mark: str) -> psutil.Process | None:
    """Return the process of that number, if the mark is a word of its command line."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if mark in process.cmdline():
            return process
    return None


def is_others(pid: int, mark: str) -> bool:
    """Return whether the number belongs to a living process without the mark."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # A child that has ended looks alive until then.
    with contextlib.suppress(psutil.Error):
        # A process that is just ending has no command line.
        words = psutil.Process(pid).cmdline()
        return bool(words) and mark not in words
    return False


def marked(variable: str, value: str) -> list[psutil.Process]:
    """Return the processes that were started with the variable in their environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(variable) == value:
                found.append(process)
    return found
