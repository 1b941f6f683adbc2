"""The processes of `make run`, kept alive by supervisor, and what it says of them."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from environments.local import places, processes

MARK = "QUINTET_RUN_FOLDER"

# It reads from us and is told nothing: its input ends when we do, be it by a KILL.
GUARD = ("/bin/sh", "-c", 'read -r _; kill -TERM "$1"', "guard")

SUPERVISOR = """\
[supervisord]
nodaemon = true
silent = true
nocleanup = true
minfds = 256
minprocs = 50
logfile = {logs}/supervisor.log
logfile_maxbytes = 1MB
logfile_backups = 1
childlogdir = {logs}
pidfile = {folder}/supervisor.pid
{user}
"""

PROGRAM = """
[program:{name}]
command = {command}
directory = {directory}
priority = {priority}
autorestart = true
startretries = 1000000
stopsignal = {stop_signal}
stopwaitsecs = 30
killasgroup = true
redirect_stderr = true
stdout_logfile = {log}
stdout_logfile_maxbytes = 5MB
stdout_logfile_backups = 1
{environment}
{user}
"""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A process that is started again when it dies. The last one in a list is stopped first."""

    name: str
    command: Sequence[str]
    directory: Path = places.CHECKOUT
    stop_signal: str = "TERM"
    user: str | None = None
    # What it alone knows, beside what all of them do.
    variables: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """Supervisor in a session of its own, with its configuration and logs in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = places.own_folder(folder / "logs")
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._read = 0

    def start(self, programs: Sequence[Program], variables: Mapping[str, str]) -> None:
        """Start the programs, each with the variables in its environment."""
        configuration = self.folder / "supervisor.conf"
        configuration.write_text(self.configuration(programs))
        (self.logs / "supervisor.log").unlink(missing_ok=True)
        with (self.logs / "supervisor.out").open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  our own command
                [sys.executable, "-m", "supervisor.supervisord", "-c", configuration],
                env=os.environ | variables | {MARK: str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._guard = subprocess.Popen(  # noqa: S603  our own command
            [*GUARD, str(self._process.pid)], stdin=subprocess.PIPE, start_new_session=True
        )

    def configuration(self, programs: Sequence[Program]) -> str:
        """Return supervisor's configuration file."""
        root = "user = root" if places.IS_ROOT else ""
        whole = SUPERVISOR.format(logs=_text(self.logs), folder=_text(self.folder), user=root)
        for priority, each in enumerate(programs, start=1):
            whole += PROGRAM.format(
                name=each.name,
                command=_text(shlex.join(each.command)),
                directory=_text(each.directory),
                priority=priority,
                stop_signal=each.stop_signal,
                log=_text(self.log(each.name)),
                environment=_environment(each.variables),
                user=f"user = {each.user}" if each.user else "",
            )
        return whole

    def log(self, name: str) -> Path:
        """Return the file that holds what a program wrote."""
        return self.logs / f"{name}.log"

    def is_alive(self) -> bool:
        """Return whether supervisor itself runs."""
        return self._process is not None and self._process.poll() is None

    def deaths(self) -> Iterator[tuple[str, str]]:
        """Yield the programs that ended without being asked since the last call, and how."""
        try:
            with (self.logs / "supervisor.log").open() as log:
                log.seek(self._read)
                news = log.read()
                self._read = log.tell()
        except FileNotFoundError:
            return
        yield from re.findall(r"exited: (\S+) \((.*?)(?:; .*)?\)", news)

    def tail(self, name: str) -> str:
        """Return the end of what a program wrote."""
        log = self.log(name)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join(lines[-30:])

    def stop(self) -> None:
        """Stop all programs, in the reverse order, and then whatever is left of them."""
        if self._process is not None and self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._process.terminate()
            self._process.wait()
        end_leftovers(self.folder)


def end_leftovers(folder: Path) -> None:
    """End what an earlier run started in that folder, should it have died without doing so.

    Its supervisor goes first, so that it starts nothing again. PostgreSQL is left to its driver.
    """
    left = [each for each in processes.marked(MARK, str(folder)) if not _is_postgres(each)]
    for each in sorted(left, key=lambda process: process.pid):
        processes.end(each, signal.SIGTERM, patience=40)


def _is_postgres(process: psutil.Process) -> bool:
    try:
        return process.name() == "postgres"
    except psutil.Error:
        return False


def _environment(variables: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_text(value)}"' for name, value in variables.items())
    return f"environment = {pairs}" if pairs else ""


def _text(value: object) -> str:
    """Return the value as supervisor's configuration wants it: percent signs doubled."""
    return str(value).replace("%", "%%")
