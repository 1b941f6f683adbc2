import threading
from datetime import timedelta

import pytest
from prometheus_client import generate_latest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from backend.core import metrics
from backend.core.database import db, transaction
from backend.core.outbox import Job
from worker import rounds
from worker.relay import DATABASE_AWAY, Relay
from worker.tests.relaying import Post, add, change, hurry, wait_of


def test_a_job_is_published_again_and_again_ever_less_often(real_database, known):
    (job,) = add()
    post = Post()
    relay = Relay(post)
    for wait in (5, 10, 20, 40, 60, 60):
        assert relay.turn() == 1
        assert relay.turn() == 0
        assert wait - 1 < wait_of(job) <= wait
        change("next_at = clock_timestamp()", job)
    assert post.sent == [job] * 6


def test_only_what_is_due_free_and_known_is_published(real_database, known):
    done, dead, leased, later, unknown, due = add(6)
    change("done_at = clock_timestamp()", done)
    change("dead_at = clock_timestamp()", dead)
    change("lease_until = clock_timestamp() + interval '9 s'", leased)
    change("next_at = clock_timestamp() + interval '9 s'", later)
    change("topic = 'test.newer'", unknown)
    post = Post()
    Relay(post).turn()
    assert post.sent == [due]


def test_a_full_queue_holds_up_itself_alone(real_database, known):
    add(topic="test.mail", queue="email")
    (note,) = add()
    post = Post()
    post.open = {"default"}
    Relay(post).turn()
    assert post.sent == [note]


def test_a_burst_of_jobs_is_taken_in_order_without_sorting_all_of_it(real_database, known):
    """With 200,000 rows that nobody has counted yet, a sorted batch takes twenty times as long."""
    with transaction():
        rounds.due(["default"])
        assert db.session.scalar(text("show enable_sort")) == "off"
    with transaction():
        assert db.session.scalar(text("show enable_sort")) == "on"


def test_a_job_follows_its_topic_to_another_queue(real_database, known):
    waiting, done = add(2, topic="test.mail", queue="default")
    change("done_at = clock_timestamp()", done)
    post = Post()
    post.open = {"email"}
    Relay(post).turn()
    assert post.sent == [waiting]
    with transaction():
        assert [db.session.get_one(Job, each).queue for each in (waiting, done)] == [
            "email",
            "default",
        ]


def test_two_relays_share_what_is_due(real_database, known):
    """While one has its batch in hand, the other takes the rest."""
    add(rounds.BATCH + 50)
    slow, quick = Post(), Post()

    def publish(messages):
        other = threading.Thread(target=turn_other)
        other.start()
        other.join()
        slow.sent += [message.job_id for message in messages]

    def turn_other():
        with real_database.app_context():
            Relay(quick).turn()

    slow.publish = publish
    assert Relay(slow).turn() == rounds.BATCH
    assert len(quick.sent) == 50
    assert not set(slow.sent) & set(quick.sent)


def test_what_was_published_is_published_at_once_when_the_broker_is_back(real_database, known):
    published, failed, delayed, crashed = add(4)
    change("publishes = 1, next_at = clock_timestamp() + interval '60 s'", published)
    change("attempts = 1, next_at = clock_timestamp() + interval '60 s'", failed)
    change("attempts = 1, publishes = 1, next_at = clock_timestamp() + interval '60 s'", crashed)
    change("next_at = clock_timestamp() + interval '60 s'", delayed)
    post = Post()
    post.is_away = True
    relay = Relay(post)
    assert relay.turn() == 0
    post.is_away = False
    hurry(relay)
    relay.turn()
    assert set(post.sent) == {published, crashed}


def test_a_broker_that_lost_its_memory_is_given_everything_again(real_database, known):
    (job,) = add()
    post = Post()
    relay = Relay(post)
    relay.turn()
    post.has_lost_memory = True
    hurry(relay)
    relay.turn()
    assert post.sent == [job, job]


def test_a_broker_that_is_away_is_not_called_for_each_new_job(real_database, known):
    post = Post()
    post.is_away = True
    relay, calls = Relay(post), []
    post.look = lambda: calls.append(1) or Post.look(post)
    for _ in range(5):
        add()
        relay.turn()
    assert calls == [1]


def test_a_broker_that_goes_away_while_publishing_leaves_the_batch_as_it_was(real_database, known):
    (job,) = add()
    post = Post()
    relay = Relay(post)
    post.publish = lambda _: post.missing()
    post.missing = lambda: (_ for _ in ()).throw(ConnectionError())
    assert relay.turn() == 0
    assert wait_of(job) <= 0


def test_what_was_lost_is_published_when_the_database_comes_back_after_the_broker(
    real_database, known, monkeypatch
):
    (job,) = add()
    post = Post()
    relay = Relay(post)
    relay.turn()
    post.has_lost_memory = True
    hurry(relay)
    with monkeypatch.context() as broken:
        broken.setattr(rounds, "KICK", text("select from a_table_that_is_away"))
        with pytest.raises(ProgrammingError):
            relay.turn()
    hurry(relay)
    relay.turn()
    assert post.sent == [job, job]


def test_rows_that_a_hanging_process_holds_hold_up_no_relay(real_database, known):
    held, lost = add(2)
    change("publishes = 1, next_at = clock_timestamp() + interval '60 s'", held, lost)
    change("attempts = 8", held)
    post = Post()
    with db.engine.connect() as hanging:
        hanging.execute(text("select from outbox where id = :id for update"), {"id": held})
        Relay(post).turn()
        assert post.sent == [lost]
    Relay(post).turn()
    with transaction():
        assert db.session.get_one(Job, held).dead_at is not None


def test_a_relay_that_hangs_lets_go_of_the_jobs_that_it_was_publishing(
    real_database, known, monkeypatch
):
    monkeypatch.setattr(rounds, "LONGEST_PAUSE", timedelta(seconds=0.3))
    (job,) = add()

    def hang():
        with rounds.brief():
            assert [message.job_id for message, _ in rounds.due(["default"])] == [job]
            with db.engine.begin() as worker:
                worker.execute(text("set local lock_timeout = '10s'"))
                worker.execute(text("select from outbox where id = :id for update"), {"id": job})
            rounds.remember([job])

    with pytest.raises(DATABASE_AWAY):
        hang()
    post = Post()
    Relay(post).turn()
    assert post.sent == [job]


def test_very_many_jobs_are_kicked_a_part_at_a_time(real_database, known, monkeypatch):
    monkeypatch.setattr(rounds, "KICK_BATCH", 2)
    jobs = add(5)
    change("publishes = 1, next_at = clock_timestamp() + interval '60 s'", *jobs)
    post = Post()
    Relay(post).turn()
    assert sorted(post.sent) == sorted(jobs)


def test_gauges_are_read_while_the_database_may_be_read_only(real_database, known, monkeypatch):
    monkeypatch.setattr(metrics, "_read", metrics._LastRead())
    add()
    with transaction():
        db.session.execute(text("set session characteristics as transaction read only"))
    try:
        with pytest.raises(DATABASE_AWAY):
            Relay(Post()).turn()
    finally:
        db.session.rollback()
        with transaction():
            db.session.execute(text("set session characteristics as transaction read write"))
    assert 'outbox_undone{queue="default"} 1.0' in generate_latest(metrics.registry).decode()


def test_a_relay_goes_on_when_the_database_may_be_read_only(real_database, known):
    db.session.execute(text("set transaction read only"))
    with pytest.raises(DATABASE_AWAY):
        rounds.kick()
    db.session.rollback()


def test_done_jobs_are_deleted_after_thirty_days_and_others_never(real_database, known):
    old, recent, undone, dead = add(4)
    change("done_at = clock_timestamp() - interval '31 days'", old)
    change("done_at = clock_timestamp() - interval '29 days'", recent)
    change("created_at = clock_timestamp() - interval '99 days'", undone, dead)
    change("dead_at = clock_timestamp() - interval '99 days'", dead)
    Relay(Post()).turn()
    assert {job.id for job in db.session.query(Job)} == {recent, undone, dead}


def test_done_jobs_are_deleted_a_part_in_each_turn_so_that_no_job_waits_for_it(
    real_database, known, monkeypatch
):
    monkeypatch.setattr(rounds, "SWEEP_BATCH", 2)
    change("done_at = clock_timestamp() - interval '31 days'", *add(5))
    relay, left = Relay(Post()), []
    for _ in range(4):
        relay.turn()
        left.append(db.session.query(Job).count())
    assert left == [3, 1, 0, 0]
