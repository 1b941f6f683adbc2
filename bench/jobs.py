"""Jobs: how long from commit to effect, and how many in a second against plain Celery.

    python -m bench.jobs

Both sides use the same PostgreSQL (fsync on), the same Valkey, as many processes, and the same code
to commit one row; the plain side has neither lease nor mark and may lose or repeat its work.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from celery import Celery
from sqlalchemy import text

from backend.core.database import db, transaction
from backend.core.outbox.enqueuing import CHANNEL
from bench import outbox_work  # noqa: F401  registers its topic
from bench.keeping import keep
from e2e.faults.stand import Stand
from worker.settings import TRANSPORT, settings

PROBES = 60
JOBS = 2_000
ROUNDS = 3
CONCURRENCY = 2

# As a service does it that asks for much at once, in one statement.
MANY = text(f"""
    with job as (
        insert into outbox (id, topic, ref_id, payload)
        select gen_random_uuid(), 'bench.write', gen_random_uuid(),
               jsonb_build_object('ref', number)
          from generate_series(1, :count) number
        returning id)
    select pg_notify('{CHANNEL}', '') from job limit 1
""")  # noqa: S608  a constant


def latency(stand: Stand) -> dict[str, float]:
    """Return the time from a commit to the commit of its job, with nothing else to do."""
    with stand.database.connect("quintet_owner") as watch:
        watch.execute("""
            create function tell() returns trigger language plpgsql as
            $$ begin perform pg_notify('effects', new.ref); return new; end $$;
            create trigger tell after insert on fault_effect for each row execute function tell();
            listen effects
        """)
        times = []
        for _ in range(PROBES):
            stand.enqueue("bench.write")
            started = time.perf_counter()
            arrived = list(watch.notifies(timeout=10, stop_after=1))
            times.append(time.perf_counter() - started)
            assert arrived
            time.sleep(0.13)
        watch.execute("drop trigger tell on fault_effect")
    times.sort()
    return {"p50": statistics.median(times), "p95": times[int(len(times) * 0.95)], "max": times[-1]}


def outbox_rate(stand: Stand) -> float:
    """Return how many jobs of a backlog are done in a second."""

    def ask() -> None:
        with stand.app.app_context(), transaction():
            db.session.execute(MANY, {"count": JOBS})

    return _rate(stand, ask)


def plain_rate(stand: Stand, celery: Celery) -> float:
    """Return how many plain tasks are done in a second."""

    def ask() -> None:
        with celery.connection_for_write() as connection:
            producer = celery.amqp.Producer(connection, auto_declare=False)
            for first in range(0, JOBS, 100):
                with producer.batch(max_size=100):
                    for number in range(first, first + 100):
                        celery.send_task(
                            "plain", args=[str(number)], queue="plain", producer=producer
                        )

    return _rate(stand, ask)


def _rate(stand: Stand, ask: Callable[[], None]) -> float:
    target, started = _count(stand) + JOBS, time.monotonic()
    ask()
    stand.until(lambda: _count(stand) >= target, within=120)
    took = time.monotonic() - started
    time.sleep(1)
    assert _count(stand) == target
    return JOBS / took


def _count(stand: Stand) -> int:
    ((count,),) = stand.rows("select count(*) from fault_effect")
    return count


def main() -> None:
    """Measure, print and keep the figures."""
    with tempfile.TemporaryDirectory(prefix="quintet-bench-") as folder:
        stand = Stand(Path(folder)).start()
        try:
            figures = measure(stand)
        finally:
            stand.stop()
    print(json.dumps(figures, indent=2))
    keep("jobs", figures)


def measure(stand: Stand) -> dict[str, object]:
    """Return all figures."""
    celery = Celery("bench", broker=stand.broker.url, set_as_current=False)
    celery.conf.update(settings(TRANSPORT))
    processes = ("-c", str(CONCURRENCY), "-n")
    worker = stand.keep("bench.outbox_work", ("worker", *processes, "outbox@bench"), {})
    relay = stand.keep("bench.outbox_work", ("relay",), {})
    plain = stand.keep("bench.plain_worker", (*processes, "plain@bench"), {})
    stand.ready(worker, relay, plain)
    idle = latency(stand)
    with stand.database.connect("quintet_owner") as connection:
        connection.execute("truncate fault_effect")
    ours, theirs = [], []
    for number in range(ROUNDS + 1):
        each = plain_rate(stand, celery), outbox_rate(stand)
        print(f"plain {each[0]:.0f}/s, outbox {each[1]:.0f}/s", flush=True)
        if number:  # The first warms both up.
            theirs.append(each[0])
            ours.append(each[1])
    return {
        "commit to effect, idle, s": {name: round(value, 4) for name, value in idle.items()},
        "jobs/s": [round(value) for value in ours],
        "plain Celery/s": [round(value) for value in theirs],
        "ratio": round(statistics.median(ours) / statistics.median(theirs), 3),
    }


if __name__ == "__main__":
    main()
