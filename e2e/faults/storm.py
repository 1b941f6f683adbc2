"""Faults at random, while work is asked for all the time."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

from e2e.faults.stand import Keeper, Stand

TOPICS = ("faults.write", "faults.pay", "faults.pay", "faults.load")


class Faults:
    """Hurts something every one to two and a half seconds, and counts what it did."""

    def __init__(self, stand: Stand, dice: random.Random) -> None:
        self._stand = stand
        self._dice = dice
        self.counts: Counter[str] = Counter()

    def strike(self) -> None:
        """Do one fault."""
        fault: Callable[[], None] = self._dice.choice(
            [
                self.worker_killed,
                self.child_killed,
                self.relay_killed,
                self.crash_point,
                self.broker_killed,
                self.broker_flushed,
                self.broker_paused,
                self.database_killed,
            ]
        )
        fault()
        self.counts[fault.__name__] += 1

    def worker_killed(self) -> None:
        """Kill a worker with all its children."""
        self._one("worker").kill()

    def child_killed(self) -> None:
        """Kill one of a worker's children."""
        self._one("worker").kill_child(self._dice.choice)

    def relay_killed(self) -> None:
        """Kill a relay."""
        self._one("relay").kill()

    def crash_point(self) -> None:
        """Have somebody die at a chosen moment."""
        points = ("before-lease", "after-lease", "after-call", "before-commit", "published")
        self._stand.order_crash(self._dice.choice(points), self._dice.choice(["process", "group"]))

    def broker_killed(self) -> None:
        """Kill the broker; it starts again with nothing."""
        self._stand.broker.kill()
        time.sleep(self._dice.uniform(0, 1))
        self._stand.broker.start()

    def broker_flushed(self) -> None:
        """Empty the broker."""
        self._stand.broker.flush()

    def broker_paused(self) -> None:
        """Have the broker hang."""
        self._stand.broker.pause()
        time.sleep(self._dice.uniform(0.5, 3))
        self._stand.broker.resume()

    def database_killed(self) -> None:
        """Kill the database; it recovers what was committed."""
        self._stand.database.kill(self._dice.choice([signal.SIGKILL, signal.SIGQUIT]))
        time.sleep(0.5)
        self._stand.database.start()

    def _one(self, role: str) -> Keeper:
        return self._dice.choice([each for each in self._stand.keepers if role in each.module])


def ask(stand: Stand, dice: random.Random, is_over: threading.Event) -> None:
    """Ask for work, a little all the time; what is not acknowledged is not counted."""
    while not is_over.wait(0.1):
        topic = dice.choice(TOPICS)
        seconds = {"seconds": dice.uniform(0, 4)} if topic == "faults.load" else {}
        try:
            stand.enqueue(topic, **seconds)
        except Exception:  # noqa: BLE001, S112  the database is down, and the caller knows it
            continue


def go_through(stand: Stand, faults: Faults, dice: random.Random, seconds: float) -> None:
    """Ask for work and hurt whoever does it, for so long."""
    is_over = threading.Event()
    own = random.Random(dice.random())  # noqa: S311  so that a seed repeats it
    asking = threading.Thread(target=ask, args=(stand, own, is_over))
    asking.start()
    until = time.monotonic() + seconds
    while (began := time.monotonic()) < until:
        faults.strike()
        # What a fault itself takes is part of the time until the next one.
        time.sleep(max(0.0, began + dice.uniform(1, 2.5) - time.monotonic()))
    is_over.set()
    asking.join()
    for order in stand.crashes.iterdir():
        order.unlink(missing_ok=True)


def summary(build: str, stand: Stand, faults: Faults, drained: float) -> str:
    """Return what was done and what came of it."""
    lost, doubled = stand.judge()
    repeated = sum(count - 1 for count in stand.calls().values())
    ((attempts,),) = stand.rows("select sum(attempts) from outbox")
    return (
        f"{build}: {faults.counts.total()} faults, {len(stand.acknowledged)} jobs acknowledged,"
        f" {lost} lost, {doubled} doubled; {repeated} calls repeated under the same key,"
        f" {attempts} attempts; drained in {drained:.1f} s"
        f"\n  {dict(sorted(faults.counts.items()))}"
    )
