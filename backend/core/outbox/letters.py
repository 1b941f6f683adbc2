"""Dead letters: jobs that were tried as often as they may be, and what people decide about them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Row, bindparam, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from backend.core import audit
from backend.core.database import db
from backend.core.errors import Conflict, NotFound
from backend.core.outbox.table import Job
from backend.core.outbox.topics import TOPICS

IS_DEAD = (Job.dead_at.is_not(None), Job.done_at.is_(None))

# A process that died could not record its failure, so its last attempt is found by its lease.
MARK = text("""
    update outbox set dead_at = clock_timestamp(),
           last_error = coalesce(last_error, 'The process ended before the work did.')
     where id in (
        select id from outbox join unnest(:topics, :most) as known (topic, most) using (topic)
         where attempts >= known.most and done_at is null and dead_at is null
           and (lease_until is null or lease_until < clock_timestamp())
           for update of outbox skip locked)
    returning id
""").bindparams(bindparam("topics", type_=ARRAY(TEXT)))


class JobNotFound(NotFound):
    """There is no such job. Jobs that are done are removed after 30 days."""


class NotDead(Conflict):
    """The job is not dead, so it cannot be replayed. It is done, or it will still be tried."""


def mark_dead() -> int:
    """Mark the jobs dead that have no attempt left and nobody at work, and return their number."""
    limits = {name: topic.limits.max_attempts for name, topic in TOPICS.items()}
    values = {"topics": list(limits), "most": list(limits.values())}
    return len(db.session.execute(MARK, values).all())


def dead(*, topic: str | None = None, before: UUID | None = None, limit: int = 50) -> list[Job]:
    """Return dead jobs, the latest first, of one topic if given, those after the job `before`."""
    query = select(Job).where(*IS_DEAD).order_by(Job.dead_at.desc(), Job.id.desc()).limit(limit)
    if topic:
        query = query.where(Job.topic == topic)
    if before and (last := db.session.get(Job, before)):
        query = query.where(tuple_(Job.dead_at, Job.id) < (last.dead_at, last.id))
    return list(db.session.scalars(query))


def find(job_id: UUID) -> Job:
    """Return the job.

    :raises JobNotFound: when there is none
    """
    job = db.session.get(Job, job_id)
    if job is None:
        raise JobNotFound(f"No job {job_id}.")
    return job


def replay(job_id: UUID, *, actor_id: UUID | None = None) -> None:
    """Give the dead job all its attempts again, under the id and keys that it always had.

    :raises JobNotFound: when there is none
    :raises NotDead: when it is not dead
    """
    if not _revive(Job.id == job_id, actor_id):
        find(job_id)
        raise NotDead(f"Job {job_id} is not dead.")


def replay_topic(topic: str, *, actor_id: UUID | None = None) -> int:
    """Give every dead job of the topic all its attempts again, and return their number."""
    return len(_revive(Job.topic == topic, actor_id))


def close(*, topic: str, ref_id: UUID) -> bool:
    """Mark the dead job done without doing it, in the transaction of the decision that replaces it.

    Returns whether there was such a job.
    """
    closed = update(Job).where(*IS_DEAD, Job.topic == topic, Job.ref_id == ref_id)
    closed = closed.values(done_at=func.clock_timestamp(), lease_until=None)
    return bool(db.session.scalars(closed.returning(Job.id)).all())


def _revive(which: ColumnElement[bool], actor_id: UUID | None) -> Sequence[Row[UUID, str]]:
    now = func.clock_timestamp()
    fresh = {"dead_at": None, "attempts": 0, "publishes": 0, "lease_until": None, "next_at": now}
    revived = update(Job).where(*IS_DEAD, which).values(fresh).returning(Job.id, Job.topic)
    jobs = db.session.execute(revived).all()
    for job in jobs:
        audit.record(
            action="outbox.replay",
            actor_id=actor_id,
            object_type="job",
            object_id=str(job.id),
            after={"topic": job.topic},
        )
    return jobs
