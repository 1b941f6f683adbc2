"""The relay: publishes jobs until they are done, and keeps the schedule: `quintet-relay`.

Any number may run at once; each takes rows that no other has locked.
"""

import signal
import time
from dataclasses import dataclass, field
from threading import Event

import structlog
from flask import Flask
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.app import create_app
from backend.core import metrics
from backend.core.config import Settings
from backend.core.outbox import letters
from backend.core.outbox.crashes import crash_point
from worker import rounds
from worker.app import create_celery
from worker.broker import FAILURES, Broker
from worker.health import Files
from worker.listening import Listener
from worker.settings import RELAY_TRANSPORT, queues
from worker.ticks import Ticks

log = structlog.get_logger(__name__)

POLL = 0.5  # Between looks when no notification comes.
HELD_UP = 0.05  # The same while a queue is full.
# The last but one is what a database says that may only be read for the time being.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError, PoolTimeout)


@dataclass
class Rhythm:
    """Says once in each period that it is time."""

    period: float
    _next: float = field(default=0.0, init=False)

    def is_due(self) -> bool:
        """Whether the period is over; if so, a new one begins."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self.period
        return True

    def hurry(self) -> None:
        """Have the next period begin at once."""
        self._next = 0.0


class Relay:
    """One relay's state between turns: what it knows of the broker, and when it does what."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._open: set[str] = set()
        self._is_broker_well = False
        self._ticks = Ticks()
        self._looks, self._schedule = Rhythm(1), Rhythm(1)
        self._gauges, self._accounts, self._sweeps = Rhythm(10), Rhythm(10), Rhythm(3600)

    @property
    def patience(self) -> float:
        """How long to wait for a notification before the next turn."""
        return HELD_UP if self._is_held_up else POLL

    @property
    def _is_held_up(self) -> bool:
        return self._is_broker_well and len(self._open) < len(queues())

    def turn(self) -> int:
        """Do what is due, publish one batch, and return its size."""
        self._do_chores()
        # While the broker is away, not every new job is a reason to call it.
        if self._looks.is_due() or self._is_held_up:
            self._look()
        if not self._is_broker_well:
            return 0
        if published := self._publish():
            self._look()
        return published

    def _do_chores(self) -> None:
        # A database that may only be read for the time being is no reason for old figures.
        if self._gauges.is_due():
            with rounds.brief():
                metrics.refresh()
        if self._schedule.is_due():
            with rounds.brief():
                self._ticks.insert_due()
        if self._accounts.is_due():
            with rounds.brief():
                if died := letters.mark_dead():
                    log.warning("jobs dead", count=died)
            with rounds.brief():
                if moved := rounds.move():
                    log.info("jobs moved to the queue of their topic", count=moved)
        if self._sweeps.is_due():
            with rounds.brief():
                if rounds.sweep():
                    self._sweeps.hurry()  # A part in each turn holds up no job for long.

    def _look(self) -> None:
        """Ask how the broker is, and publish anew what it may have lost while it was away."""
        was_well, self._is_broker_well = self._is_broker_well, False
        try:
            self._open, has_lost_memory = self._broker.look()
        except FAILURES as error:
            if was_well:
                log.warning("broker away", error=type(error).__name__)
            return
        if has_lost_memory or not was_well:
            log.info("broker back")
            self._kick()
        # Not before: if the database is away, the next look has to find the same.
        self._is_broker_well = True

    def _kick(self) -> None:
        """Kick a part at a time, so that no worker waits long for a row."""
        is_whole = False
        while not is_whole:
            with rounds.brief():
                is_whole = rounds.kick()

    def _publish(self) -> int:
        with rounds.brief():
            batch = rounds.due(self._open)
            if not batch:
                return 0
            try:
                self._broker.publish([message for message, _ in batch])
            except FAILURES as error:
                self._is_broker_well = False
                log.warning("broker away", error=type(error).__name__)
                return 0
            crash_point("published")
            rounds.remember([message.job_id for message, _ in batch])
        for message, request_id in batch:
            log.info(
                "job published",
                outbox_id=str(message.job_id),
                topic=message.topic,
                **({"request_id": request_id} if request_id else {}),
            )
        return len(batch)


def run(app: Flask, is_over: Event) -> None:
    """Relay until told to stop; a database that is away is waited for."""
    settings: Settings = app.extensions["settings"]
    files = Files(settings.health_folder)
    files.clear()
    broker = Broker(create_celery(app, RELAY_TRANSPORT))
    relay, listener = Relay(broker), Listener(settings.database_url)
    while not is_over.is_set():
        try:
            with app.app_context():
                published = relay.turn()
        except DATABASE_AWAY as error:
            log.warning("database away", error=type(error).__name__)
            files.write(is_live=True, is_ready=False)
            is_over.wait(POLL)
            continue
        files.write(is_live=True, is_ready=True)
        if published < rounds.BATCH:
            listener.wait(relay.patience)
    files.write(is_ready=False)
    listener.close()
    broker.close()


def main() -> None:
    """Run a relay until it is told to stop."""
    app = create_app()
    metrics.serve(app)
    is_over = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: is_over.set())
    run(app, is_over)


if __name__ == "__main__":
    main()
