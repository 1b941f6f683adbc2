"""The whole on one machine: servers, relays and workers that are started again when they die."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
from flask import Flask

from backend.app import create_app
from backend.core import database, migrations, outbox
from e2e.faults import topics
from e2e.faults.cradle import Cradle
from e2e.faults.servers import Broker, Database
from environments.local import places

PAUSE = 0.3  # As a supervisor waits before it starts a process again.


class Keeper:
    """One process, started again whenever it dies, in a group of its own."""

    def __init__(
        self, start: Callable[[], psutil.Process], *, module: str, health: Path, log: Path
    ) -> None:
        self.module = module
        self.health = health
        self.log = log
        self._start = start
        self._is_over = threading.Event()
        self.starts = 1
        self.process = start()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        """Kill the process and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def kill_child(self, choose: Callable[[list[psutil.Process]], psutil.Process]) -> None:
        """Kill one of the process's children."""
        with contextlib.suppress(psutil.Error, IndexError):
            choose(self.process.children()).kill()

    def stop(self) -> None:
        """Stop the process for good."""
        self._is_over.set()
        self.kill()
        self._thread.join()
        self.kill()
        self.process.wait()

    def _keep(self) -> None:
        while not self._is_over.wait(0.05):
            if self._has_ended():
                self.kill()  # Children that outlived it would do its work beside the next one.
                if not self._is_over.wait(PAUSE):
                    self.starts += 1
                    self.process = self._start()

    def _has_ended(self) -> bool:
        if isinstance(self.process, psutil.Popen):
            return self.process.poll() is not None
        return not self.process.is_running()


def from_file(
    module: str, words: Iterable[str], environ: Mapping[str, str], log: Path
) -> psutil.Popen:
    """Start a process of the module from its file, in a group of its own."""
    with log.open("ab") as output:
        return psutil.Popen(
            [sys.executable, "-m", module, *words],
            cwd=places.CHECKOUT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


class Stand:
    """What a fault test hurts, and what it asks afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.crashes = folder / "crashes"
        self.crashes.mkdir()
        self.database = Database(places.own_folder(folder / "servers"))
        self.broker = Broker(places.own_folder(folder / "servers"))
        self.keepers: list[Keeper] = []
        self.acknowledged: list[str] = []
        self._cradle = Cradle(dict(os.environ) | {"QUINTET_CRASH_FOLDER": str(self.crashes)})
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def start(self) -> "Stand":
        """Start the servers and make the tables."""
        folder = self.folder
        while folder != folder.parent and places.IS_ROOT:
            # PostgreSQL runs as another user, who has to get as far as its data.
            folder.chmod(folder.stat().st_mode | 0o011)
            folder = folder.parent
        self.database.start()
        self.broker.start()
        url, owner_url = self.database.url(), self.database.url("quintet_owner")
        self.app: Flask = create_app(
            database_url=url, database_owner_url=owner_url, broker_url=self.broker.url
        )
        migrations.migrate(owner_url=owner_url, application_url=url)
        with self.database.connect("quintet_owner") as connection:
            connection.execute(topics.TABLES)
        return self

    def clear(self) -> None:
        """Stop all processes but the servers, and forget what they did."""
        for keeper in self.keepers:
            keeper.stop()
        self.keepers.clear()
        self.acknowledged.clear()
        for file in (*self.crashes.iterdir(), *self.folder.glob("*.log")):
            file.unlink(missing_ok=True)
        self.broker.flush()
        with self.database.connect("quintet_owner") as connection:
            connection.execute("truncate outbox, fault_effect, fault_call, fault_cure")

    def stop(self) -> None:
        """Stop everything that was started."""
        for keeper in self.keepers:
            keeper.stop()
        self._cradle.stop()
        with self.app.app_context():
            database.db.engine.dispose()
        if self._connection is not None:
            self._connection.close()
        self.broker.stop()
        self.database.stop()

    def relay(self, module: str = "e2e.faults.run_relay", **variables: str) -> Keeper:
        """Start a relay."""
        return self.keep(module, (), variables)

    def worker(
        self,
        concurrency: int = 2,
        module: str = "e2e.faults.run_worker",
        words: Iterable[str] = (),
        **variables: str,
    ) -> Keeper:
        """Start a worker."""
        name = f"{uuid4().hex[:6]}@stand"
        return self.keep(module, ("-c", str(concurrency), "-n", name, *words), variables)

    def keep(self, module: str, words: Iterable[str], variables: Mapping[str, str]) -> Keeper:
        """Start a process of the module, and again whenever it dies."""
        name = f"{module.rpartition('.')[2]}-{len(self.keepers)}"
        health, log = self.folder / f"health-{name}", self.folder / f"{name}.log"
        environ = dict(os.environ) | {
            "DATABASE_URL": self.database.url(),
            "REDIS_URL": self.broker.url,
            "QUINTET_CRASH_FOLDER": str(self.crashes) if module.startswith("e2e.") else "",
            "QUINTET_HEALTH_FOLDER": str(health),
        }
        # The cradle forks what dies at crash points. The API's server starts processes of its own,
        # and a benchmark measures what is deployed.
        is_other = module == "e2e.faults.run_api" or "LD_PRELOAD" in variables
        is_other |= not module.startswith("e2e.")
        begin = from_file if is_other else self._cradle.start
        start = partial(begin, module, tuple(words), environ | variables, log)
        keeper = Keeper(start, module=module, health=health, log=log)
        self.keepers.append(keeper)
        return keeper

    def ready(self, *keepers: Keeper, within: float = 30) -> None:
        """Wait until the processes say that they are ready."""
        self.until(lambda: all((each.health / "ready").exists() for each in keepers), within)

    def enqueue(self, topic: str, count: int = 1, **arguments: object) -> list[str]:
        """Ask for jobs, each in a transaction of its own, and return what was acknowledged."""
        made = []
        with self.app.app_context():
            for _ in range(count):
                ref = uuid4().hex
                with database.transaction():
                    outbox.enqueue(topic, ref=ref, **arguments)
                made.append(ref)
        self.acknowledged += made
        return made

    def order_crash(self, point: str, reach: str = "process") -> Path:
        """Have whoever comes to the point next die there."""
        order = self.crashes / point
        unfinished = self.folder / point
        unfinished.write_text(reach)
        return unfinished.rename(order)

    def effects(self) -> Counter[str]:
        """Return how often each job took effect."""
        return Counter(ref for (ref,) in self.rows("select ref from fault_effect"))

    def calls(self) -> Counter[str]:
        """Return how often the outside was called under each key."""
        return Counter(key for (key,) in self.rows("select key from fault_call"))

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Return what the database says; a connection that a fault ended is made anew."""
        if self._connection is not None:
            try:
                return self._connection.execute(query, values).fetchall()
            except psycopg.OperationalError:
                self._connection.close()
                self._connection = None
        self._connection = self.database.connect()
        return self._connection.execute(query, values).fetchall()

    def until(self, holds: Callable[[], object], within: float) -> float:
        """Wait until it holds, and return how long that took.

        :raises TimeoutError: with the ends of all logs, when it does not
        """
        started = time.monotonic()
        while time.monotonic() - started < within:
            with contextlib.suppress(psycopg.OperationalError):
                if holds():
                    return time.monotonic() - started
            time.sleep(0.05)
        raise TimeoutError(f"not within {within} s\n{self._logs()}")

    def drain(self, within: float = 60) -> float:
        """Wait until no job is undone, and return how long that took."""
        query = "select count(*) from outbox where done_at is null and dead_at is null"
        query += " and topic like 'faults.%%'"
        return self.until(lambda: self.rows(query) == [(0,)], within)

    def check(self) -> None:
        """Fail unless every acknowledged job took effect once."""
        lost, doubled = self.judge()
        if lost or doubled:
            raise AssertionError(f"{lost} lost, {doubled} doubled\n{self._logs()}")

    def judge(self) -> tuple[int, int]:
        """Return how many acknowledged jobs had no effect, and how many had more than one."""
        effects = self.effects()
        lost = sum(effects[ref] == 0 for ref in self.acknowledged)
        return lost, sum(count > 1 for count in effects.values())

    def _logs(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"== {log.name}\n{log.read_text()[-1500:]}" for log in logs)
