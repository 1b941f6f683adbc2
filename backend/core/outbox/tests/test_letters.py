from uuid import uuid4

import pytest
from sqlalchemy import select

from backend.core import outbox
from backend.core.audit import AuditEvent
from backend.core.database import db, transaction
from backend.core.outbox import Permanent, letters


@pytest.fixture
def dead(jobs):
    """Make a job that failed for good."""

    def make(topic="test.pay"):
        if topic not in letters.TOPICS:
            jobs.add(topic, fail)
        job = jobs.ask(topic)
        assert outbox.run(job) == "dead"
        return job

    return make


def fail(**_):
    raise Permanent("no such account")


def is_dead(jobs, job):
    return jobs.find(job).dead_at is not None


def test_a_replayed_job_has_all_its_attempts_again_and_keeps_its_id(app, jobs, dead):
    job = dead()
    with transaction():
        letters.replay(job)
    row = jobs.find(job)
    assert (row.dead_at, row.attempts, row.publishes) == (None, 0, 0)
    assert outbox.run(job) == "dead"


def test_a_replay_is_audited(app, jobs, dead):
    job, person = dead(), uuid4()
    with transaction():
        letters.replay(job, actor_id=person)
    event = db.session.scalars(select(AuditEvent)).one()
    assert (event.action, event.object_id, event.actor_id) == ("outbox.replay", str(job), person)
    assert event.after == {"topic": "test.pay"}


def test_what_is_not_dead_is_not_replayed(app, jobs):
    jobs.add("test.note", lambda **_: None)
    job = jobs.ask("test.note")
    with pytest.raises(letters.NotDead):
        letters.replay(job)
    with pytest.raises(letters.JobNotFound):
        letters.replay(uuid4())


def test_jobs_whose_process_died_at_the_last_attempt_are_marked_dead(app, jobs):
    jobs.add("test.note", lambda **_: None, max_attempts=1)
    jobs.add("test.other", lambda **_: None, max_attempts=2)
    crashed, running, tried = jobs.ask("test.note"), jobs.ask("test.note"), jobs.ask("test.other")
    for job, lease in ((crashed, -1), (running, 60), (tried, -1)):
        db.session.get(outbox.Job, job).attempts = 1
        jobs.change(job, lease_until=lease)
    with transaction():
        assert letters.mark_dead() == 1
    assert [is_dead(jobs, job) for job in (crashed, running, tried)] == [True, False, False]
    assert jobs.find(crashed).last_error == "The process ended before the work did."


def test_dead_letters_are_listed_the_latest_first_in_pages(app, jobs, dead):
    made = [dead(), dead(), dead("test.mail")]
    assert [job.id for job in letters.dead()] == made[::-1]
    assert [job.id for job in letters.dead(before=made[2])] == made[1::-1]
    assert [job.id for job in letters.dead(topic="test.mail")] == [made[2]]
    assert [job.id for job in letters.dead(limit=1)] == [made[2]]


def test_the_commands_list_replay_and_run(app, jobs, dead, quintet):
    job = dead()
    assert f"{job}  " in quintet("outbox", "dead").stdout
    assert "Permanent: no such account" in quintet("outbox", "dead").stdout
    assert quintet("outbox", "dead", "--topic", "test.mail").stdout == ""
    assert quintet("outbox", "replay", job).stdout == "1 job will be tried again\n"
    assert f"{job}  dead\n" in quintet("outbox", "run").stdout
    assert (
        quintet("outbox", "replay", "--topic", "test.pay").stdout == "1 job will be tried again\n"
    )
    assert quintet("outbox", "replay").exit_code == 2
