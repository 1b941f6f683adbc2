"""Asking for work: one row in the transaction of the change that wants it."""

from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import JSON, bindparam, text

from backend.core.database import db
from backend.core.outbox import traces
from backend.core.outbox.topics import TOPICS

CHANNEL = "outbox"

# The notification leaves with the commit. It only saves the relay from waiting for its next look.
INSERT = text(f"""
    with job as (
        insert into outbox (id, topic, queue, ref_id, payload, trace, next_at)
        values (:id, :topic, :queue, :ref_id, :payload, :trace, clock_timestamp() + :delay)
        returning id)
    select pg_notify('{CHANNEL}', '') from job
""").bindparams(bindparam("payload", type_=JSON), bindparam("trace", type_=JSON))  # noqa: S608  a constant


def enqueue(
    name: str, *, ref_id: UUID | None = None, delay: timedelta = timedelta(), **arguments: object
) -> UUID:
    """Ask for the topic to be done once the present transaction has committed, and return its id.

    The arguments are ids and plain JSON values, never personal data. Give `ref_id`, what the job is
    about, where a second job would be a second effect: there is one for each topic and `ref_id`.

    :raises LookupError: when no task has that name
    :raises sqlalchemy.exc.IntegrityError: when the topic has a job for this `ref_id` already
    """
    topic = TOPICS.get(name)
    if topic is None:
        raise LookupError(f"no task is called {name}")
    job_id = uuid4()
    db.session.execute(
        INSERT,
        {
            "id": job_id,
            "topic": name,
            "queue": topic.queue,
            "ref_id": ref_id or uuid4(),
            "payload": arguments,
            "trace": traces.current(),
            "delay": delay,
        },
    )
    return job_id
