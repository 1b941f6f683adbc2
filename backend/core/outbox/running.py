"""Doing a job: lease it, then work and mark "done" in one transaction, or record the failure."""

import json
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text

from backend.core import logs
from backend.core.database import at_once, db, first_row, transaction
from backend.core.outbox import traces
from backend.core.outbox.crashes import crash_point
from backend.core.outbox.renewal import renewed
from backend.core.outbox.topics import TOPICS, Topic

log = structlog.get_logger(__name__)

LONGEST_BACKOFF = timedelta(minutes=15)
LONGEST_ERROR = 2000

# A topic that is gone, or that only a newer version knows, matches nothing: its job stays undone.
# Nothing outside depends on a local job's lease, and a crash of the database ends its run with it:
# its commit need not wait for the disk. The commit of the effect always does.
# Should this process die, the job is published again as soon as its lease is over; its next
# publication is left where it is if that is soon enough, so that no index has to be written.
# The mark is asked for in words that the index of due jobs does not match. The planner may think
# that index empty and read all of it for each job of a burst.
LEASE = """
    update outbox set attempts = attempts + 1, publishes = 0,
           lease_until = clock_timestamp() + make_interval(secs => known.lease),
           next_at = least(next_at, clock_timestamp() + make_interval(secs => known.lease))
      from jsonb_to_recordset(%(topics)s::jsonb)
        as known (topic text, lease float8, most int, is_local boolean)
     where id = %(id)s and outbox.topic = known.topic and attempts < known.most
       and coalesce(done_at, dead_at) is null
       and (lease_until is null or lease_until < clock_timestamp())
    returning outbox.topic, payload, trace, attempts,
              case when is_local then set_config('synchronous_commit', 'off', true) end
"""
# The row is locked from here on. A process that hangs, machine and all, lets go of it in time.
DONE = """
    update outbox set done_at = clock_timestamp(), lease_until = null
     where id = %(id)s and done_at is null and (attempts = %(mine)s or not %(is_renewed)s)
    returning id, set_config('idle_in_transaction_session_timeout', %(most)s, true)
"""
FAILED = text("""
    update outbox set last_error = :error, lease_until = null,
           next_at = clock_timestamp() + :delay,
           dead_at = case when :is_permanent or attempts >= :most then clock_timestamp() end
     where id = :id and coalesce(done_at, dead_at) is null and attempts = :mine
    returning dead_at is not null
""")
DUE = text("""
    select id from outbox
     where done_at is null and dead_at is null and next_at <= clock_timestamp()
       and (lease_until is null or lease_until < clock_timestamp())
       and topic = any(:known)
     order by next_at limit :limit
""")


class Permanent(Exception):
    """The work can never succeed, however often it is tried: it is dead at once."""


class _OvertakenError(Exception):
    """Another run of this job came to its end first."""


@dataclass(frozen=True)
class Run:
    """One attempt at a job."""

    id: UUID
    topic: Topic
    payload: dict[str, Any]
    trace: dict[str, str]
    attempt: int


def run(job_id: UUID) -> str:
    """Do the job unless it is finished, leased or unknown, and return what became of it.

    A failure of the work is recorded in its row and not raised.
    """
    crash_point("before-lease")
    started = _lease(job_id)
    if started is None:
        return "skipped"
    crash_point("after-lease")
    with traces.bound(started.trace, topic=started.topic.name, outbox_id=str(job_id)):
        try:
            _do(started)
        except _OvertakenError:
            log.info("job overtaken", attempt=started.attempt)
            return "overtaken"
        except Exception as error:  # noqa: BLE001  whatever the work raises is its failure
            return _fail(started, error)
        log.info("job done", attempt=started.attempt)
        return "done"


def run_due(limit: int = 100) -> dict[UUID, str]:
    """Do the jobs that are due, here and without a broker, and return how each ended."""
    with transaction():
        due = db.session.scalars(DUE, {"known": list(TOPICS), "limit": limit}).all()
    return {job_id: run(job_id) for job_id in due}


def _lease(job_id: UUID) -> Run | None:
    row = at_once(LEASE, {"id": job_id, "topics": _limits()})
    if row is None:
        return None
    topic, payload, trace, attempt, _ = row
    return Run(job_id, TOPICS[topic], payload, trace, attempt)


def _limits() -> str:
    """Return what a lease has to know of the topics, as JSON."""
    return json.dumps(
        [
            {
                "topic": topic.name,
                "lease": topic.limits.lease.total_seconds(),
                "most": topic.limits.max_attempts,
                "is_local": topic.call is None,
            }
            for topic in TOPICS.values()
        ]
    )


def _do(job: Run) -> None:
    if job.topic.call and job.topic.apply:
        _do_outside(job)
    elif job.topic.is_renewed:
        with transaction():
            with renewed(job.id, attempt=job.attempt, lease=job.topic.limits.lease):
                job.topic.run(**job.payload)
            # Marked first, the row would be locked against its own renewal for the whole time.
            _mark_done(job)
            crash_point("before-commit")
    else:
        with transaction():
            _mark_done(job)
            job.topic.run(**job.payload)
            crash_point("before-commit")


def _do_outside(job: Run) -> None:
    assert job.topic.call is not None  # noqa: S101  for the type checker
    assert job.topic.apply is not None  # noqa: S101
    with transaction():
        prepared = job.topic.run(**job.payload)
    answer = None if prepared is None else job.topic.call(prepared)
    crash_point("after-call")
    with transaction():
        _mark_done(job)
        if prepared is not None:
            job.topic.apply(prepared, answer)
        crash_point("before-commit")


def _mark_done(job: Run) -> None:
    values = {"id": job.id, "mine": job.attempt, "is_renewed": job.topic.is_renewed}
    values["most"] = f"{job.topic.limits.time_limit.total_seconds() * 1000:.0f}"
    if first_row(DONE, values) is None:
        raise _OvertakenError


def _fail(job: Run, error: Exception) -> str:
    values = {
        "id": job.id,
        "mine": job.attempt,
        "most": job.topic.limits.max_attempts,
        "error": _told(error),
        "is_permanent": isinstance(error, Permanent),
        "delay": _backoff(job.topic, job.attempt),
    }
    with transaction():
        is_dead = db.session.scalar(FAILED, values)
    outcome = "dead" if is_dead else "failed"
    log.warning("job %s", outcome, attempt=job.attempt, exc_info=error)
    return outcome


def _told(error: Exception) -> str:
    """Return what may be kept of an error, whatever it says."""
    words = logs.mask(f"{type(error).__name__}: {error}").replace("\0", "\ufffd")
    return words.encode("utf-8", "backslashreplace").decode()[:LONGEST_ERROR]


def _backoff(topic: Topic, attempt: int) -> timedelta:
    delay: timedelta = topic.backoff * 2 ** min(attempt, 20)
    spread = random.uniform(0.8, 1.2)  # noqa: S311  spreads retries, protects nothing
    return min(LONGEST_BACKOFF / 1.2, delay) * spread
