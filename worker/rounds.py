"""What the relay says to the database: which jobs are due, published, dead, or long done."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from backend.core.database import db, transaction
from backend.core.outbox.topics import TOPICS
from worker.broker import Message

BATCH = 100
SWEEP_BATCH = 1_000
KICK_BATCH = 10_000
KEPT = timedelta(days=30)

# Topics that this version does not know are left to a relay that does. A full queue's jobs are not
# even looked at: there may be very many.
DUE = text("""
    select job.* from unnest(cast(:queues as text[])) as open (queue) cross join lateral (
        select id, topic, queue, trace ->> 'request_id' as request_id from outbox
         where outbox.queue = open.queue and done_at is null and dead_at is null
           and next_at <= clock_timestamp()
           and (lease_until is null or lease_until < clock_timestamp())
           and topic = any(:known)
         order by next_at limit :limit for update skip locked) as job
""")
# A burst of jobs is news to the planner for a minute. It would sort all of them for each batch.
IN_ORDER = text("set local enable_sort = off")
# A relay that hangs, machine and all, would hold rows that every worker then waits for.
LET_GO = text("select set_config('idle_in_transaction_session_timeout', :most, true)")
LONGEST_PAUSE = timedelta(seconds=10)
# Nothing is believed to have arrived: a job is published again and again until it is done.
PUBLISHED = text("""
    update outbox set publishes = publishes + 1,
           next_at = clock_timestamp()
                   + least(interval '60 s', interval '5 s' * power(2, least(publishes, 4)))
     where id = any(:ids)
""")
# What was published and not begun since; delayed jobs and those that failed keep their time.
# A row that somebody holds is not waited for, as a process that hangs may hold it for long.
KICK = text("""
    update outbox set next_at = clock_timestamp() where id in (
        select id from outbox where done_at is null and dead_at is null and publishes > 0
           and next_at > clock_timestamp()
         limit :limit for update skip locked)
    returning id
""")
# Jobs that were asked for before their topic was given another queue would wait there for ever.
MOVE = text("""
    update outbox set queue = moved.new_queue
      from (select id, known.queue as new_queue from outbox
              join unnest(cast(:topics as text[]), cast(:queues as text[]))
                as known (topic, queue) using (topic)
             where outbox.queue <> known.queue and done_at is null and dead_at is null
               for update of outbox skip locked) as moved
     where outbox.id = moved.id
    returning outbox.id
""")
SWEEP = text("""
    delete from outbox where id in (
        select id from outbox where done_at < clock_timestamp() - :kept
         order by done_at limit :limit for update skip locked)
    returning id
""")


@contextmanager
def brief() -> Iterator[None]:
    """Make the block a transaction that ends by itself where the block stands still."""
    with transaction():
        most = f"{LONGEST_PAUSE.total_seconds() * 1000:.0f}"
        db.session.execute(LET_GO, {"most": most})
        yield


def due(queues: Collection[str]) -> list[tuple[Message, str | None]]:
    """Lock and return the next jobs of each queue to publish, each with its request's id."""
    values = {"known": list(TOPICS), "queues": list(queues), "limit": BATCH}
    db.session.execute(IN_ORDER)
    rows = db.session.execute(DUE, values)
    return [(Message(row.id, row.topic, row.queue), row.request_id) for row in rows]


def remember(job_ids: Collection[UUID]) -> None:
    """Note that the jobs were published."""
    db.session.execute(PUBLISHED, {"ids": list(job_ids)})


def kick() -> bool:
    """Have much of what the broker may have lost published again; tell whether that was all."""
    return len(db.session.execute(KICK, {"limit": KICK_BATCH}).all()) < KICK_BATCH


def move() -> int:
    """Move undone jobs to the queue that their topic has now, and return how many there were."""
    queues = {name: topic.queue for name, topic in TOPICS.items()}
    values = {"topics": list(queues), "queues": list(queues.values())}
    return len(db.session.execute(MOVE, values).all())


def sweep() -> int:
    """Delete some of the jobs that were done long ago, and return how many."""
    return len(db.session.execute(SWEEP, {"kept": KEPT, "limit": SWEEP_BATCH}).all())
