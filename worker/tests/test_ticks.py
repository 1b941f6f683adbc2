from datetime import timedelta

from backend.core.database import db, transaction
from backend.core.outbox import Job, topics
from worker import ticks
from worker.tests.relaying import add, change


def test_a_tick_is_inserted_once_by_however_many_relays(real_database, known):
    topics.task("test.collect", every=timedelta(days=1))(lambda **_: None)
    first, second = ticks.Ticks(), ticks.Ticks()
    with transaction():
        assert [first.insert_due(), second.insert_due(), first.insert_due()] == [1, 0, 0]
    assert first._settled == second._settled != {}
    (job,) = db.session.query(Job).all()
    assert job.topic == "test.collect"
    assert set(job.payload) == {"tick"}


def test_a_tick_is_skipped_while_the_previous_one_is_undone(real_database, known):
    topics.task("test.collect", every=timedelta(seconds=0.001))(lambda **_: None)
    plan = ticks.Ticks()
    with transaction():
        assert [plan.insert_due(), plan.insert_due()] == [1, 0]
    change("done_at = clock_timestamp()", *[job.id for job in db.session.query(Job)])
    with transaction():
        assert [plan.insert_due(), plan.insert_due()] == [1, 0]
    change("dead_at = clock_timestamp()", *[job.id for job in db.session.query(Job)])
    with transaction():
        assert plan.insert_due() == 1


def test_a_job_of_another_kind_does_not_hold_up_the_schedule(real_database, known):
    topics.task("test.collect", every=timedelta(days=1))(lambda **_: None)
    add(topic="test.collect")
    with transaction():
        assert ticks.Ticks().insert_due() == 1
