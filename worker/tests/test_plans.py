"""What the queue's statements read while very many jobs wait that the planner has not heard of."""

import json

import pytest
from sqlalchemy import text

from backend.core import database
from backend.core.database import db, raw_connection
from backend.core.outbox import running
from worker import rounds

BURST = 5_000
# A page for each level of an index, and a few of the table: far from reading all of either.
FEW = 60
MANY = text("""
    insert into outbox (id, topic, queue, ref_id)
    select gen_random_uuid(), 'test.note', 'default', gen_random_uuid()
      from generate_series(1, :count)
""")


@pytest.fixture
def burst(real_database):
    """Very many jobs, of a table that was empty when its rows were counted last."""
    engine = database.engine(real_database.extensions["settings"].database_owner_url)
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(
            "vacuum analyze outbox"
        )
    engine.dispose()
    db.session.execute(MANY, {"count": BURST})
    return db.session.scalar(text("select id from outbox order by next_at desc limit 1"))


def pages(plan):
    """Return how many pages a plan touched."""
    return plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]


def touched(statement, values):
    explain = f"explain (analyze, buffers, format json) {statement}"
    return pages(raw_connection().execute(explain, values).fetchone()[0])


def test_a_job_is_leased_without_a_look_at_the_others(burst):
    topics = [{"topic": "test.note", "lease": 9, "most": 8, "is_local": True}]
    values = {"id": burst, "topics": json.dumps(topics)}
    assert touched(running.LEASE, values) < FEW
    assert db.session.scalar(text("select attempts from outbox where id = :id"), {"id": burst}) == 1


def test_a_full_queue_costs_the_others_nothing(burst):
    db.session.execute(rounds.IN_ORDER)
    explained = text(f"explain (analyze, buffers, format json) {rounds.DUE}")
    values = {"known": ["test.note"], "queues": ["email"], "limit": rounds.BATCH}
    assert pages(db.session.scalar(explained, values)) < FEW


def test_a_batch_is_taken_from_a_burst_without_reading_all_of_it(burst):
    db.session.execute(rounds.IN_ORDER)
    explained = text(f"explain (analyze, buffers, format json) {rounds.DUE}")
    values = {"known": ["test.note"], "queues": ["default"], "limit": 10}
    assert pages(db.session.scalar(explained, values)) < FEW
