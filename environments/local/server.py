"""What the checkout's own servers have in common: started on a free port, found after a crash."""

import signal
import time
from pathlib import Path
from typing import Any, ClassVar

import psutil

from environments.local import processes
from environments.local.processes import PortTaken, ServerFailed
from environments.local.supervision import Program

PATIENCE = 20


class Server:
    """One server, with its data and its log in a folder."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    pid_file: Path
    user: str | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / f"{self.name}.log"
        self.port = 0

    def prepare(self) -> None:
        """Make what the server needs, and stop what an earlier run left behind."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """Return the command line of the server."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Return whether the server accepts connections."""
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """Return what `subprocess` needs to start the server as the right user."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the server on a free port and wait for it. A predecessor is stopped first.

        :raises LocalProblem: when there is no server program that works
        :raises ServerFailed: with the end of the server's log
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            self.prepare()
            self.port = processes.free_port()
            try:
                processes.launch(
                    self.command(), log=self.log, answers=self.answers, options=self.options()
                )
            except ServerFailed as failure:
                if not self.is_passing(failure) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def is_passing(self, failure: ServerFailed) -> bool:
        """Return whether another attempt may succeed."""
        return isinstance(failure, PortTaken)

    def stop(self) -> None:
        """Stop the server, whoever started it; clients are disconnected."""
        if process := self.process():
            processes.end(process, self.stop_signal, patience=30)

    def process(self) -> psutil.Process | None:
        """Return the server that runs on this data."""
        pid = self.last_pid()
        return processes.running(pid, mark=self.mark()) if pid else None

    def mark(self) -> str:
        """Return the word of its command line by which the server is told from others."""
        raise NotImplementedError

    def last_pid(self) -> int | None:
        """Return the number of the last server on this data that did not end well, or yet."""
        try:
            return int(self.pid_file.read_text().split("\n")[0])
        except (FileNotFoundError, ValueError):
            return None

    def program(self) -> Program:
        """Return the server as supervisor keeps it, on the port that it had."""
        return Program(
            name=self.name,
            command=self.command(),
            directory=Path("/"),
            stop_signal=self.stop_signal.name.removeprefix("SIG"),
            user=self.user,
        )
