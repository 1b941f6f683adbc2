"""PostgreSQL with fsync and Valkey without persistence, to be hurt and started again."""

import os
import signal
import time

import psycopg
import redis

from environments.local import processes
from environments.local.postgres import Postgres
from environments.local.server import PATIENCE, Server
from environments.local.valkey import Valkey


class Hurt(Server):
    """A server that stays on its port, whatever is done to it."""

    def start(self) -> None:
        """Start it, for the first time on a free port, and wait until it answers."""
        if not self.port:
            super().start()
            return
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                processes.launch(
                    self.command(), log=self.log, answers=self.answers, options=self.options()
                )
            except processes.ServerFailed:
                # The children of a killed server hold its memory and its port for a moment.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill it: KILL as by the machine, QUIT as by an administrator in a hurry."""
        process = self.process()
        if process is not None:
            process.send_signal(how)
            process.wait(PATIENCE)

    def pause(self) -> None:
        """Have it hang: connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        process = self.process()
        if process is not None:
            os.kill(process.pid, number)


class Database(Hurt, Postgres):
    """One PostgreSQL."""

    def connect(self, role: str = "quintet_app") -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection that commits every statement."""
        return psycopg.connect(self.url(role), autocommit=True, connect_timeout=5)


class Broker(Hurt, Valkey):
    """One Valkey."""

    def length(self, queue: str) -> int:
        """Return how many messages wait in the queue."""
        with redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=5) as client:
            length: int = client.llen(queue)
        return length

    def flush(self) -> None:
        """Empty it."""
        with redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=5) as client:
            client.flushall()
