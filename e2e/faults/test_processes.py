"""F1, F3, F11, F12: processes that die, clocks that are wrong, work that can never succeed."""

import os
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import pytest

from backend.core.database import transaction
from backend.core.outbox import letters
from e2e.faults import topics
from e2e.faults.needs import needed
from environments.local import processes

POINTS = ("before-lease", "after-lease", "after-call", "before-commit")
FAKETIME = "vendor/libfaketime/src/libfaketime.so.1"


@pytest.mark.parametrize("reach", ["process", "group"])
def test_f1_a_worker_killed_at_any_point_pays_once(stand, tell, reach):
    workers = [stand.worker(concurrency=1) for _ in POINTS]
    stand.ready(stand.relay(), *workers)
    for point in POINTS:
        order = stand.order_crash(point, reach)
        stand.enqueue("faults.pay")
        stand.until(lambda order=order: not order.exists(), within=20)
    tell(f"F1 {reach}: drained in {stand.drain(within=40):.1f} s")
    stand.check()
    assert len(stand.calls()) == len(POINTS)
    assert max(stand.calls().values()) <= 2
    if reach == "group":
        assert sum(worker.starts for worker in workers) == len(POINTS) * 2


def test_f3_a_relay_killed_after_publishing_publishes_again_and_the_effect_is_one(stand, tell):
    order = stand.order_crash("published")
    stand.enqueue("faults.write", 50)
    relay = stand.relay()
    stand.until(lambda: stand.broker.length("default") >= 100, within=30)
    assert (order.exists(), relay.starts) == (False, 2)
    stand.worker()
    tell(f"F3: drained in {stand.drain(within=30):.1f} s")
    stand.check()


def test_a_process_that_has_done_its_share_is_replaced_at_once(stand, tell):
    """Celery would leave its place empty for two seconds and a half on average, and do so often."""
    worker = stand.worker(concurrency=1, words=("--max-tasks-per-child", "1"))
    stand.ready(stand.relay(), worker)
    stand.enqueue("faults.write", 20)
    tell(f"20 processes, one after another: {stand.drain(within=15):.1f} s")
    stand.check()


@pytest.mark.parametrize("hours", ["-1h", "+1h"])
def test_f11_a_worker_whose_clock_is_wrong_neither_steals_a_lease_nor_loses_work(
    stand, tell, hours
):
    wrong = needed("libfaketime for this system", wrong_clock(hours))
    relay, worker, other = stand.relay(), stand.worker(), stand.worker(**wrong)
    stand.ready(relay, worker, other)
    stand.enqueue("faults.load", 4, seconds=4)
    stand.enqueue("faults.pay", 30)
    tell(f"F11 {hours}: drained in {stand.drain(within=40):.1f} s")
    stand.check()
    assert stand.rows("select max(attempts) from outbox where topic like 'faults.%%'") == [(1,)]


def test_f12_poison_ends_as_dead_letters_while_the_others_flow_and_can_be_replayed(stand, tell):
    port = processes.free_port()
    relay = stand.relay(QUINTET_METRICS_PORT=str(port))
    worker = stand.worker(concurrency=4)
    stand.ready(relay, worker)
    poisons = ("faults.fail", "faults.die", "faults.hang")
    poison = [ref for topic in poisons for ref in stand.enqueue(topic)]
    good = stand.enqueue("faults.write", 60)
    stand.until(lambda: set(good) <= set(stand.effects()), within=30)
    dead = "select count(*) from outbox where dead_at is not null and attempts = %s"
    stand.until(lambda: stand.rows(dead, topics.TRIES) == [(3,)], within=60)
    stand.until(lambda: gauge(port, "outbox_dead") == len(poisons), within=15)
    assert not set(poison) & set(stand.effects())
    cure(stand)
    with stand.app.app_context(), transaction():
        assert [letters.replay_topic(topic) for topic in poisons] == [1, 1, 1]
        assert [letters.replay_topic(topic) for topic in poisons] == [0, 0, 0]
    tell(f"F12: replayed and drained in {stand.drain(within=30):.1f} s")
    stand.check()


def wrong_clock(hours):
    """Return the variables by which a process reads the wrong time, if that works here."""
    (package,) = find_spec("libfaketime").submodule_search_locations
    variables = {
        "LD_PRELOAD": str(Path(package) / FAKETIME),
        "FAKETIME": hours,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    told = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env=os.environ | variables,
        capture_output=True,
        check=True,
    )
    return variables if abs(float(told.stdout) - time.time()) > 3000 else None


def cure(stand):
    with stand.database.connect() as connection:
        connection.execute("insert into fault_cure values (true)")


def gauge(port, name):
    text = urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1])
