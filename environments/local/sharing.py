"""One PostgreSQL for all commands of a checkout that run at the same time: the last one stops it.

Three files are locked. `mutex` is held while the server is started or stopped. `users` is held,
shared, by whoever uses the server; `make run` holds it alone, and `owner` beside it, which tells
it from the others. The system drops the locks of a process that dies, so nobody cleans up after it.
"""

import fcntl
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from environments.local.places import LocalProblem
from environments.local.postgres import Postgres
from environments.local.supervision import end_leftovers

PATIENCE = 60


@dataclass(frozen=True, kw_only=True)
class State:
    """What runs in this checkout, for those who come later."""

    variables: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    address: str | None = None


class Taken(Exception):
    """`make run` owns the servers."""


class NotReady(LocalProblem):
    """`make run` owns the servers, and they did not answer in time."""


class Shared:
    """A server and the files by which processes agree about it."""

    def __init__(self, server: Postgres, variables: Callable[[], Mapping[str, str]] = dict) -> None:
        self.server = server
        self.folder = server.folder
        self._variables = variables

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
        file.unlink(missing_ok=True)
        if state is not None:
            unfinished = file.with_suffix(".unfinished")
            # It holds passwords.
            unfinished.touch(mode=0o600)
            unfinished.write_text(json.dumps(asdict(state)))
            unfinished.replace(file)

    @contextmanager
    def borrowed(
        self, prepare: Callable[[Mapping[str, str]], object] = lambda _: None
    ) -> Iterator[State]:
        """Lend the running server; start it, and prepare it, when there is none."""
        with _open(self.folder / "users") as users:
            with self._mutex():
                owned = not _lock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
                state = self._await_owner() if owned else self._joined(prepare)
            try:
                yield state
            finally:
                if not owned:
                    self._leave(users)

    def _await_owner(self) -> State:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if state := self._found():
                return state
            time.sleep(0.1)
        raise NotReady("`make run` runs here, and its database does not answer.")

    def _found(self) -> State | None:
        state = self.state
        if state is None or state.port is None:
            return state  # There is none, or its database is one that a person named.
        self.server.port = state.port
        return state if self.server.process() and self.server.answers() else None

    def _joined(self, prepare: Callable[[Mapping[str, str]], object]) -> State:
        """Join the commands that use the server. A `make run` that died may have left its own."""
        state = self._found()
        if state and not state.address:
            return state
        end_leftovers(self.folder)
        self.server.start()
        try:
            prepare(self._variables())
        except BaseException:
            self.server.stop()
            raise
        state = State(variables=self._variables(), port=self.server.port)
        self.state = state
        return state

    def _leave(self, users: IO[str]) -> None:
        with self._mutex():
            if _lock(users, fcntl.LOCK_EX | fcntl.LOCK_NB):
                self.server.stop()
                self.state = None

    @contextmanager
    def owned(self, wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Keep everybody else from starting or stopping the server.

        `wait` is called before waiting for commands that are using it.

        :raises Taken: when somebody else owns it
        """
        with _open(self.folder / "owner") as owner, _open(self.folder / "users") as users:
            if not _lock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB):
                raise Taken
            if not _lock(users, fcntl.LOCK_EX | fcntl.LOCK_NB):
                wait()
                _lock(users, fcntl.LOCK_EX)
            end_leftovers(self.folder)
            self.state = None
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
