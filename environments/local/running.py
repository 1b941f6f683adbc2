"""`make run`: everything of this checkout, until Ctrl-C."""

import hashlib
import http.client
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from environments.local import places, processes, servers, valkey
from environments.local.places import LocalProblem
from environments.local.programs import all_programs
from environments.local.sharing import Shared, State, Taken
from environments.local.supervision import Program, Supervisor

PATIENCE = 60


class CannotRun(LocalProblem):
    """Something is in the way that a person has to remove; the message says what."""


def run(port: int) -> None:
    """Start everything on this checkout's data, and serve until Ctrl-C.

    :raises CannotRun: when it runs already, the port is taken, or a process does not start
    """
    shared = servers.shared_servers()
    with owned(shared):
        if not processes.is_free(port):
            raise CannotRun(f"Port {port} is taken. Choose another: PORT={port + 1} make run")
        Run(shared, port).serve()


def reset() -> None:
    """Remove this checkout's data: its database, its files and its logs.

    :raises CannotRun: while it runs
    """
    shared = servers.shared_servers()
    with owned(shared):
        shared.server.stop()
        shutil.rmtree(shared.folder)
        for folder in (places.files_folder(), places.drop_folder()):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def owned(shared: Shared) -> Iterator[None]:
    """Keep every other process from the checkout's servers.

    :raises CannotRun: when another one owns them
    """
    try:
        with shared.owned(wait=lambda: say("Waiting for a command that uses the database …")):
            yield
    except Taken:
        state = shared.state
        where = f"at {state.address}" if state else "and is starting or stopping"
        raise CannotRun(f"Quintet runs in this checkout already, {where}.") from None


class Run:
    """One run, from the migrations to Ctrl-C."""

    def __init__(self, shared: Shared, port: int) -> None:
        self.shared = shared
        # A database that a person named is theirs to start and to stop.
        self.postgres = None if "DATABASE_URL" in os.environ else shared.server
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self.supervisor = Supervisor(shared.folder)

    def serve(self) -> None:
        """Prepare the database, start the processes, and watch them until Ctrl-C.

        :raises CannotRun: when a process does not start
        """
        try:
            logins = self._prepare()
            self.supervisor.start(self._programs(), self._variables())
            self._await_first_answer()
            self._publish()
            say(f"\nQuintet runs at {self.address}\n\n{logins}")
            say(f"Logs are in {self.supervisor.logs}. Ctrl-C ends it.")
            self._watch()
        finally:
            for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(each, signal.SIG_IGN)
            say("\nStopping …")
            self.shared.state = None
            self.supervisor.stop()
            if self.postgres:
                self.postgres.stop()

    def _prepare(self) -> str:
        """Migrate and, the first time, demonstrate; return the people's logins."""
        places.drop_folder().mkdir(parents=True, exist_ok=True)
        if self.postgres:
            self.postgres.start()
            say(f"{self.postgres.programs}, data in {self.postgres.data}")
        if "REDIS_URL" not in os.environ:
            say(f"Valkey by {valkey.choose()}")
        servers.migrate_if_behind(self._variables())
        logins = self._demonstrated()
        if self.postgres:
            self.postgres.stop()  # From now on it is supervised.
        return logins

    def _demonstrated(self) -> str:
        """Return what the demonstration said on the first start, which is now if there was none."""
        database = os.environ.get("DATABASE_URL", "")
        name = f"demonstration-{hashlib.sha256(database.encode()).hexdigest()[:8]}"
        record = self.shared.folder / name
        if not record.exists():
            say("Creating the demonstration people and a sample import …")
            record.write_text(servers.quintet("demo", variables=self._variables()))
            return record.read_text()
        return f"From the first start:\n{record.read_text()}"

    def _variables(self) -> Mapping[str, str]:
        own = servers.own_variables(self.postgres) if self.postgres else servers.files_variables()
        own["QUINTET_PUBLIC_URL"] = self.address
        given = {name: os.environ[name] for name in (*own, "DATABASE_URL") if name in os.environ}
        return own | given

    def _programs(self) -> list[Program]:
        folder = self.shared.folder
        return all_programs(postgres=self.postgres, folder=folder, port=self.port)

    def _await_first_answer(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._is_ready():
            dead = {name for name, _ in self.supervisor.deaths()}
            if "api" in dead or not self.supervisor.is_alive() or time.monotonic() > deadline:
                raise CannotRun(f"The API did not start:\n{self.supervisor.tail('api')}")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _publish(self) -> None:
        self.shared.state = State(
            variables=self._variables(),
            port=self.postgres.port if self.postgres else None,
            address=self.address,
        )

    def _watch(self) -> None:
        while self.supervisor.is_alive():
            for name, how in self.supervisor.deaths():
                say(f"{name} ended ({how}) and is started again. Log: {self.supervisor.log(name)}")
            time.sleep(0.3)
        raise CannotRun("Supervisor ended, and everything with it.")


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
