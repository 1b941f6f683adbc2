import threading
from datetime import timedelta
from uuid import uuid4

import pytest
import structlog
from flask import g
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from backend.core import outbox
from backend.core.database import db, transaction
from backend.core.outbox import Job, Permanent, close, enqueue, running


@pytest.fixture
def effects():
    return []


def test_a_job_and_the_change_that_wants_it_are_committed_together_or_not_at_all(
    real_database, jobs
):
    jobs.add("test.note", lambda **_: None)
    asked = []

    def ask_and_fail():
        with transaction():
            asked.append(enqueue("test.note"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask_and_fail()
    kept = jobs.ask("test.note", claim_id="7")
    assert jobs.find(asked[0]) is None
    assert jobs.find(kept).payload == {"claim_id": "7"}


def test_a_job_that_no_task_takes_is_refused_at_once(app):
    with pytest.raises(LookupError, match=r"test\.unheard"):
        enqueue("test.unheard")


def test_a_second_job_about_the_same_thing_is_refused(app, jobs):
    jobs.add("test.pay", lambda **_: None)
    payment = uuid4()
    enqueue("test.pay", ref_id=payment)
    with pytest.raises(IntegrityError), db.session.begin_nested():
        enqueue("test.pay", ref_id=payment)


def test_a_job_is_done_once_with_its_arguments(real_database, jobs, effects):
    jobs.add("test.note", lambda *, claim_id, **_: effects.append(claim_id))
    job = jobs.ask("test.note", claim_id="7")
    assert [outbox.run(job), outbox.run(job)] == ["done", "skipped"]
    assert effects == ["7"]
    assert jobs.find(job).done_at is not None
    assert jobs.find(job).lease_until is None


def test_effect_and_mark_are_one_transaction(real_database, jobs):
    def work(**_):
        enqueue("test.follow")
        raise ValueError("halfway")

    jobs.add("test.work", work)
    jobs.add("test.follow", lambda **_: None)
    job = jobs.ask("test.work")
    assert outbox.run(job) == "failed"
    assert db.session.query(Job).filter_by(topic="test.follow").count() == 0
    assert jobs.find(job).done_at is None


def test_a_failure_is_recorded_without_personal_data_and_tried_again_later(real_database, jobs):
    def work(**_):
        raise ValueError("no mailbox ada@quintet.test")

    jobs.add("test.work", work)
    job = jobs.ask("test.work")
    assert outbox.run(job) == "failed"
    row = jobs.find(job)
    assert row.last_error == "ValueError: no mailbox [e-mail]"
    assert row.attempts == 1
    assert row.lease_until is None
    assert row.dead_at is None
    wait = row.next_at - row.created_at
    assert timedelta(seconds=7) < wait < timedelta(seconds=13)


def test_the_waits_double_up_to_a_quarter_of_an_hour(jobs):
    jobs.add("test.work", lambda **_: None)
    topic = running.TOPICS["test.work"]
    waits = [running._backoff(topic, attempt).total_seconds() for attempt in (1, 2, 3, 7, 60)]
    for wait, expected in zip(waits, [10, 20, 40, 640, 750], strict=True):
        assert 0.8 * expected <= wait <= min(900, 1.2 * expected)


def test_attempts_are_counted_before_the_work_and_the_last_failure_is_death(real_database, jobs):
    seen = []

    def work(**_):
        with db.engine.connect() as other:
            seen.append(other.execute(text("select attempts from outbox")).scalar())
        raise ValueError

    jobs.add("test.work", work, max_attempts=2)
    job = jobs.ask("test.work")
    assert [outbox.run(job) for _ in range(3)] == ["failed", "dead", "skipped"]
    assert seen == [1, 2]


def test_a_permanent_failure_is_death_at_once(real_database, jobs):
    def work(**_):
        raise Permanent("no such account")

    jobs.add("test.work", work)
    job = jobs.ask("test.work")
    assert outbox.run(job) == "dead"
    assert jobs.find(job).last_error == "Permanent: no such account"


def test_a_live_lease_keeps_others_away_and_a_past_one_does_not(real_database, jobs, effects):
    jobs.add("test.note", lambda **_: effects.append(1))
    job = jobs.ask("test.note")
    jobs.change(job, lease_until=60)
    assert outbox.run(job) == "skipped"
    jobs.change(job, lease_until=-1)
    assert outbox.run(job) == "done"


@pytest.mark.parametrize("next_publication", [5, 60])
def test_a_job_whose_process_died_is_due_when_its_lease_is_over(
    real_database, jobs, next_publication
):
    def work(**_):
        raise SystemExit

    jobs.add("test.work", work, lease=timedelta(seconds=30), time_limit=timedelta(seconds=20))
    job = jobs.ask("test.work")
    jobs.change(job, next_at=next_publication)
    with pytest.raises(SystemExit):
        outbox.run(job)
    row = jobs.find(job)
    assert row.done_at is None
    assert row.publishes == 0
    due = max(row.next_at, row.lease_until)
    assert due - row.lease_until < timedelta(seconds=0.1)
    assert timedelta(seconds=29) < row.lease_until - row.created_at < timedelta(seconds=31)


def test_a_topic_that_this_version_does_not_know_stays_undone(real_database, jobs):
    jobs.add("test.newer", lambda **_: None)
    job = jobs.ask("test.newer")
    del running.TOPICS["test.newer"]
    assert outbox.run(job) == "skipped"
    row = jobs.find(job)
    assert (row.done_at, row.dead_at, row.attempts) == (None, None, 0)


def test_a_run_that_outlived_its_lease_and_came_second_has_no_effect(real_database, jobs, effects):
    outcomes = []

    def run_again():
        with real_database.app_context():
            jobs.change(job, lease_until=-1)
            outcomes.append(outbox.run(job))

    def call(_):
        if not outcomes:
            other = threading.Thread(target=run_again)
            outcomes.append("started")
            other.start()
            other.join()

    jobs.add("test.pay", lambda **_: "k", call=call, apply=lambda *_: effects.append(1))
    job = jobs.ask("test.pay")
    assert outbox.run(job) == "overtaken"
    assert outcomes == ["started", "done"]
    assert effects == [1]


def test_an_outside_call_is_made_with_no_transaction_open(real_database, jobs):
    seen = []

    def call(prepared):
        with db.engine.connect() as other:
            query = text(
                "select count(*) from pg_stat_activity where state like 'idle in%'"
                " and datname = current_database()"
            )
            seen.append((prepared, other.execute(query).scalar()))
        return "receipt"

    jobs.add(
        "test.pay",
        lambda *, key, **_: key,
        call=call,
        apply=lambda prepared, answer: seen.append((prepared, answer)),
    )
    assert outbox.run(jobs.ask("test.pay", key="k1")) == "done"
    assert seen == [("k1", 0), ("k1", "receipt")]


def test_nothing_is_called_when_there_is_nothing_to_prepare(real_database, jobs, effects):
    jobs.add("test.pay", lambda **_: None, call=effects.append, apply=effects.append)
    job = jobs.ask("test.pay")
    assert outbox.run(job) == "done"
    assert effects == []
    assert jobs.find(job).done_at is not None


def test_long_work_keeps_its_lease(real_database, jobs):
    seen = []

    def work(**_):
        for _ in range(2):
            threading.Event().wait(0.5)
            with db.engine.connect() as other:
                left = "select lease_until > clock_timestamp() from outbox"
                seen.append(other.execute(text(left)).scalar())

    jobs.add("test.load", work, is_renewed=True, lease=timedelta(seconds=0.6))
    assert outbox.run(jobs.ask("test.load")) == "done"
    assert seen == [True, True]


def test_long_work_that_lost_its_lease_is_rolled_back(real_database, jobs):
    def work(*, job_hint=None, **_):
        with db.engine.begin() as other:
            other.execute(text("update outbox set attempts = attempts + 1"))
        enqueue("test.follow")

    jobs.add("test.load", work, is_renewed=True)
    jobs.add("test.follow", lambda **_: None)
    assert outbox.run(jobs.ask("test.load")) == "overtaken"
    assert db.session.query(Job).filter_by(topic="test.follow").count() == 0


def test_a_delayed_job_waits(real_database, jobs, effects):
    jobs.add("test.note", lambda **_: effects.append(1))
    jobs.ask("test.note", delay=timedelta(hours=1))
    assert outbox.run_due() == {}
    now = jobs.ask("test.note")
    assert outbox.run_due() == {now: "done"}


def test_a_decision_closes_a_dead_job_without_doing_it(real_database, jobs, effects):
    def work(**_):
        raise Permanent

    jobs.add("test.pay", work)
    payment = uuid4()
    job = jobs.ask("test.pay", ref_id=payment)
    with transaction():
        assert not close(topic="test.pay", ref_id=payment)
    outbox.run(job)
    with transaction():
        assert close(topic="test.pay", ref_id=payment)
    assert jobs.find(job).done_at is not None


def test_the_ids_of_a_request_reach_the_log_of_its_job_and_of_the_jobs_that_follow(
    real_database, jobs
):
    structlog.contextvars.clear_contextvars()  # An earlier test's request may have left its id.
    seen = []

    def work(**_):
        context = structlog.contextvars.get_contextvars()
        seen.append((g.request_id, context["request_id"], context["user_id"], context["topic"]))
        enqueue("test.follow")

    jobs.add("test.work", work)
    jobs.add("test.follow", lambda **_: None)
    structlog.contextvars.clear_contextvars()
    parent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    with (
        real_database.test_request_context(headers={"traceparent": parent}),
        structlog.contextvars.bound_contextvars(request_id="r1", user_id="u1"),
    ):
        job = jobs.ask("test.work")
    trace = {"request_id": "r1", "actor_id": "u1", "traceparent": parent}
    assert jobs.find(job).trace == trace
    assert outbox.run(job) == "done"
    assert seen == [("r1", "r1", "u1", "test.work")]
    follower = db.session.query(Job).filter_by(topic="test.follow").one()
    assert follower.trace == trace
    assert "request_id" not in structlog.contextvars.get_contextvars()
