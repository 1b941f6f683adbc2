"""What the relay's tests share: a broker that keeps what it is given, and rows of jobs."""

from uuid import uuid4

from sqlalchemy import text

from backend.core.database import db, transaction
from backend.core.outbox import Job


class Post:
    """A broker that keeps what it is given, or is away."""

    def __init__(self):
        self.sent = []
        self.is_away = self.has_lost_memory = False
        self.open = {"default", "email"}

    def look(self):
        if self.is_away:
            raise ConnectionError
        lost, self.has_lost_memory = self.has_lost_memory, False
        return self.open, lost

    def publish(self, messages):
        if self.is_away:
            raise ConnectionError
        self.sent += [message.job_id for message in messages]


def add(count=1, *, topic="test.note", queue="default", **columns):
    rows = [Job(topic=topic, queue=queue, ref_id=uuid4(), **columns) for _ in range(count)]
    with transaction():
        db.session.add_all(rows)
    return [row.id for row in rows]


def change(sets, *job_ids):
    with transaction():
        db.session.execute(
            text(f"update outbox set {sets} where id = any(:ids)"), {"ids": list(job_ids)}
        )


def wait_of(job_id):
    query = text("select next_at - clock_timestamp() from outbox where id = :id")
    with transaction():
        return db.session.scalar(query, {"id": job_id}).total_seconds()


def hurry(relay):
    for rhythm in (relay._looks, relay._schedule, relay._accounts, relay._sweeps):
        rhythm._next = 0
