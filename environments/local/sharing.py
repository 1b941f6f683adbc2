"""One PostgreSQL for all commands of a checkout that run at the same time: the last one stops it.

Two files are locked. `mutex` is held while the server is started or stopped. `users` is held,
shared, by whoever uses the server, and alone by `make run`, which owns it as long as it runs.
The system drops the locks of a process that dies, so nobody has to clean up after it.
"""

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from environments.local.postgres import Postgres

PATIENCE = 60


@dataclass(frozen=True)
class State:
    """What runs in this checkout, for those who come later."""

    port: int
    owner: int | None = None
    address: str | None = None


class Taken(Exception):
    """Somebody else has the lock."""


class NotReady(Exception):
    """The owner of the server did not make it ready in time."""


class Shared:
    """A server and the files by which processes agree about it."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.folder = server.folder

    @property
    def state(self) -> State | None:
        """What runs, by the last word of whoever started it."""
        try:
            return State(**json.loads((self.folder / "state.json").read_text()))
        except FileNotFoundError:
            return None

    @state.setter
    def state(self, state: State | None) -> None:
        file = self.folder / "state.json"
        if state is None:
            file.unlink(missing_ok=True)
            return
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(state)))
        unfinished.replace(file)

    @contextmanager
    def borrowed(self, prepare: Callable[[], None] = lambda: None) -> Iterator[Postgres]:
        """Lend the running server; start it, and prepare it, when there is none."""
        with _open(self.folder / "users") as users:
            with self._mutex():
                owned = not _lock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
                if owned:
                    self._await_owner()
                elif not self._found():
                    self.server.start()
                    prepare()
                    self.state = State(port=self.server.port)
            try:
                yield self.server
            finally:
                if not owned:
                    self._leave(users)

    def _await_owner(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._found():
            if time.monotonic() > deadline:
                raise NotReady("`make run` owns the database here, which does not answer.")
            time.sleep(0.1)

    def _found(self) -> bool:
        if not self.state:
            return False
        self.server.port = self.state.port
        return self.server.process() is not None and self.server.answers()

    def _leave(self, users: IO[str]) -> None:
        with self._mutex():
            if _lock(users, fcntl.LOCK_EX | fcntl.LOCK_NB):
                self.server.stop()
                self.state = None

    @contextmanager
    def owned(self, wait: Callable[[], None]) -> Iterator[None]:
        """Keep everybody else from starting or stopping the server.

        `wait` is called before waiting for commands that are using it.

        :raises Taken: when another `make run` owns it
        """
        with _open(self.folder / "owner") as owner, _open(self.folder / "users") as users:
            if not _lock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB):
                raise Taken
            if not _lock(users, fcntl.LOCK_EX | fcntl.LOCK_NB):
                wait()
                _lock(users, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _mutex(self) -> Iterator[None]:
        with _open(self.folder / "mutex") as mutex:
            _lock(mutex, fcntl.LOCK_EX)
            yield


def _open(file: Path) -> IO[str]:
    return file.open("a")


def _lock(file: IO[str], how: int) -> bool:
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    return True
