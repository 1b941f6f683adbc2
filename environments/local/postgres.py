"""A PostgreSQL server of this checkout's own: made, started, stopped, found again after a crash."""

import json
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from environments.local import binaries, places, processes
from environments.local.places import LocalProblem
from environments.local.processes import ServerFailed
from environments.local.server import Server

ROLES = ("quintet_admin", "quintet_owner", "quintet_app")
DATABASE = "quintet"
UNFINISHED = "unfinished-"

COMMON = ("listen_addresses=127.0.0.1", "logging_collector=off", "timezone=UTC")
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")

# The admin is the only superuser: revoked rights do not bind one, and tests rely on them.
SETUP = """\
create role quintet_owner login createdb password '{quintet_owner}'
create role quintet_app login password '{quintet_app}'
create database quintet owner quintet_owner
"""


class Postgres(Server):
    """One server and its data. Throw-away servers trust everybody and lose data in a power cut."""

    name = "postgres"
    # It ends at once; at SIGTERM it would wait for its clients.
    stop_signal = signal.SIGINT

    def __init__(self, folder: Path, *, throw_away: bool = False) -> None:
        super().__init__(folder)
        self.data = folder / "postgres"
        self.pid_file = self.data / "postmaster.pid"
        self.user = places.server_user()
        self.throw_away = throw_away
        self._programs: binaries.Binaries | None = None

    @property
    def programs(self) -> binaries.Binaries:
        """The programs; the same major version that made the data."""
        if self._programs is None:
            self._programs = binaries.choose(self._major())
        return self._programs

    def _major(self) -> int | None:
        version = self.data / "PG_VERSION"
        return int(version.read_text()) if version.exists() else None

    def url(self, role: str = "quintet_app", database: str = DATABASE) -> str:
        """Return the address of a database on this server for a role."""
        return f"postgresql://{role}:{self._passwords()[role]}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server on a free port and wait for it. A predecessor is stopped first.

        Data that can be thrown away is, when it does not start: made by a version that is gone, or
        spoilt by a power cut.

        :raises LocalProblem: when no program works, or the server does not start
        """
        try:
            super().start()
        except LocalProblem:
            if not self.throw_away:
                raise
            shutil.rmtree(self.data, ignore_errors=True)
            self._programs = None
            super().start()

    def prepare(self) -> None:
        """Make the data if there is none, and stop what an earlier run left behind."""
        self.stop()
        pid = self.last_pid()
        if pid and processes.is_others(pid, mark=self.mark()):
            # PostgreSQL would take the other program for itself, and refuse to start.
            self.pid_file.unlink()
        for unfinished in self.folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(unfinished)
        if not self.data.exists():
            self._initialise()

    def command(self) -> list[str]:
        """Return the command line of the server."""
        options = COMMON + (FAST if self.throw_away else ())
        words = [str(self.programs.folder / "postgres"), "-D", str(self.data)]
        words += ["-p", str(self.port), "-k", ""]
        return words + [word for option in options for word in ("-c", option)]

    def answers(self) -> bool:
        """Return whether the server accepts connections."""
        try:
            psycopg.connect(self.url("quintet_admin", "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def options(self) -> dict[str, Any]:
        """Return what `subprocess` needs to start the server as the right user."""
        return places.as_server_user()

    def is_passing(self, failure: ServerFailed) -> bool:
        """Return whether another attempt may succeed: a killed server needs a moment to be gone."""
        gone_soon = ("pre-existing shared memory block", '"postmaster.pid" already exists')
        return super().is_passing(failure) or any(words in str(failure) for words in gone_soon)

    def mark(self) -> str:
        """Return the word of its command line by which the server is told from others."""
        return str(self.data)

    def _passwords(self) -> dict[str, str]:
        file = self.folder / "passwords.json"
        if not file.exists():
            unfinished = file.with_suffix(".unfinished")
            unfinished.touch(mode=0o600)
            unfinished.write_text(json.dumps({role: secrets.token_urlsafe(24) for role in ROLES}))
            unfinished.rename(file)
        passwords: dict[str, str] = json.loads(file.read_text())
        return passwords

    def _initialise(self) -> None:
        """Make the data beside its place and move it there when it is whole.

        Binaries that fail at it are passed over for the next ones.
        """
        problems = []
        for candidate in binaries.candidates():
            try:
                self._initialise_with(candidate)
            except subprocess.CalledProcessError as failure:
                problems.append(f"{candidate}: {failure.stderr.decode(errors='replace')[-500:]}")
            else:
                self._programs = candidate
                return
        raise binaries.NoPostgres("\n".join(["No PostgreSQL could make its data.", *problems]))

    def _initialise_with(self, candidate: binaries.Binaries) -> None:
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.folder))
        places.give_to_server_user(unfinished)
        options = ["-D", str(unfinished), "-U", "quintet_admin", "-E", "UTF8"]
        options += ["--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        with tempfile.NamedTemporaryFile("w", dir="/tmp") as password:
            password.write(self._passwords()["quintet_admin"])
            password.flush()
            places.give_to_server_user(Path(password.name))
            method = "trust" if self.throw_away else "scram-sha-256"
            options += ["-A", method, f"--pwfile={password.name}"]
            _run(candidate.folder / "initdb", *options)
        setup = SETUP.format(**self._passwords())
        _run(
            candidate.folder / "postgres", "--single", "-D", str(unfinished), "postgres", say=setup
        )
        unfinished.rename(self.data)


def _run(program: Path, *options: str, say: str = "") -> None:
    subprocess.run(  # noqa: S603  our own command
        [program, *options],
        input=say.encode(),
        capture_output=True,
        check=True,
        timeout=120,
        **places.as_server_user(),
    )
