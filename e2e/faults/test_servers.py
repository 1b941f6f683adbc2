"""F4, F6 to F9: brokers and databases that are emptied, hang, go dark, die, repeat themselves."""

import signal
import time
from uuid import UUID

import pytest

from e2e.faults.proxy import Proxy
from worker.app import create_celery
from worker.broker import Broker, Message
from worker.settings import RELAY_TRANSPORT


def test_f4_an_emptied_broker_loses_nothing(stand, tell):
    relay = stand.relay()
    stand.ready(relay)
    stand.enqueue("faults.write", 300)
    stand.until(lambda: stand.broker.length("default") >= 100, within=10)
    stand.broker.flush()
    stand.worker(concurrency=4)
    tell(f"F4: drained in {stand.drain(within=60):.1f} s")
    stand.check()


def test_f6_a_broker_that_hangs_or_goes_dark_is_left_and_found_again(stand, tell):
    proxy = Proxy(stand.broker.port)
    relay = stand.relay()
    worker = stand.worker(REDIS_URL=proxy.url)
    stand.ready(relay, worker)
    pid = worker.process.pid
    stand.broker.pause()
    stand.enqueue("faults.pay", 20)
    time.sleep(4)
    stand.broker.resume()
    tell(f"F6: after a pause drained in {stand.drain(within=60):.1f} s")
    proxy.go_dark()
    stand.enqueue("faults.pay", 20)
    tell(f"F6: in the dark drained in {stand.drain(within=30):.1f} s")
    stand.check()
    assert worker.process.pid == pid
    proxy.close()


def test_f7_a_broker_that_dies_six_times_leaves_the_worker_as_it_was(stand, dice, tell):
    relay, worker = stand.relay(), stand.worker()
    stand.ready(relay, worker)
    pid = worker.process.pid
    for _ in range(6):
        stand.enqueue("faults.pay", 20)
        stand.broker.kill()
        stand.enqueue("faults.write", 20)
        time.sleep(dice.uniform(0.2, 1.5))
        stand.broker.start()
        time.sleep(dice.uniform(0.2, 1.5))
    tell(f"F7: drained in {stand.drain(within=60):.1f} s")
    stand.check()
    assert (worker.process.pid, worker.starts, relay.starts) == (pid, 1, 1), stand._logs()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT])
def test_f8_a_database_that_dies_loses_nothing_that_was_acknowledged(stand, tell, how):
    relay, worker = stand.relay(), stand.worker()
    stand.ready(relay, worker)
    pids = relay.process.pid, worker.process.pid
    stand.enqueue("faults.pay", 40)
    stand.enqueue("faults.write", 40)
    stand.database.kill(how)
    time.sleep(1)
    stand.database.start()
    stand.enqueue("faults.write", 20)
    tell(f"F8 {how.name}: drained in {stand.drain(within=60):.1f} s")
    stand.check()
    assert (relay.process.pid, worker.process.pid) == pids


def test_f9_messages_delivered_three_times_and_out_of_order_have_one_effect_each(stand, tell, dice):
    stand.enqueue("faults.write", 60)
    stand.enqueue("faults.pay", 60)
    rows = stand.rows("select id, topic, queue from outbox")
    messages = [Message(UUID(str(row[0])), str(row[1]), str(row[2])) for row in rows] * 3
    dice.shuffle(messages)
    broker = Broker(create_celery(stand.app, RELAY_TRANSPORT))
    broker.publish(messages)
    broker.close()
    stand.worker(concurrency=8)
    tell(f"F9: drained in {stand.drain(within=60):.1f} s")
    stand.check()
    assert set(stand.calls().values()) <= {1, 2}  # Twice where a slow machine outran a lease.
