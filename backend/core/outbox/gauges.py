"""What watchers see of the outbox, and a heartbeat that proves the whole way through it."""

from datetime import timedelta

from sqlalchemy import text

from backend.core import metrics
from backend.core.database import db
from backend.core.outbox.topics import task

UNDONE = text("""
    select queue, count(*) from outbox where done_at is null and dead_at is null group by queue
""")
# A delayed job is not late: it has not been published, and its time has not come.
OLDEST = text("""
    select extract(epoch from clock_timestamp() - min(created_at)) from outbox
     where done_at is null and dead_at is null
       and (publishes > 0 or attempts > 0 or next_at <= clock_timestamp())
""")
DEAD = text("select count(*) from outbox where dead_at is not null and done_at is null")
HEARTBEAT = text("""
    select extract(epoch from clock_timestamp() - coalesce(max(done_at), min(created_at)))
      from outbox where topic = 'outbox.heartbeat'
""")
FORGET = text("""
    delete from outbox where topic = 'outbox.heartbeat'
       and done_at < clock_timestamp() - interval '1 hour'
""")


@task("outbox.heartbeat", every=timedelta(minutes=1))
def heartbeat(**_: object) -> None:
    """Be done, which is all that is asked of a heartbeat; forget those of long ago."""
    db.session.execute(FORGET)


def _undone() -> dict[str, float]:
    counts = {queue: float(count) for queue, count in db.session.execute(UNDONE)}
    return {"default": 0.0} | counts


def _oldest() -> float:
    return float(db.session.scalar(OLDEST) or 0)


def _dead() -> float:
    return float(db.session.scalar(DEAD) or 0)


def _heartbeat_age() -> float:
    return float(db.session.scalar(HEARTBEAT) or 0)


def register() -> None:
    """Have the relay publish these gauges."""
    metrics.gauge("outbox_undone", "Jobs that are not done", _undone, label="queue")
    metrics.gauge("outbox_oldest_age_seconds", "Age of the oldest job that is not done", _oldest)
    metrics.gauge("outbox_dead", "Jobs that failed for good", _dead)
    metrics.gauge(
        "worker_heartbeat_age_seconds", "Time since a worker did the heartbeat", _heartbeat_age
    )
