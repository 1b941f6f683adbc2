from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import DBAPIError

from backend.core import audit, database
from backend.core.audit import AuditEvent
from backend.core.database import aside, db, transaction


def _record(action="test.do", **options):
    with transaction():
        audit.record(action=action, **options)


def _events():
    return db.session.scalars(
        select(AuditEvent).order_by(AuditEvent.chain, AuditEvent.sequence)
    ).all()


@pytest.fixture
def as_owner(real_database):
    """Run a statement as the owner, past the trigger, as somebody with the server's keys could."""
    engine = create_engine(
        database.driver_url(real_database.extensions["settings"].database_owner_url)
    )

    def run(statement):
        with engine.begin() as connection:
            connection.execute(text("alter table audit_event disable trigger all"))
            connection.execute(text(statement))

    yield run
    engine.dispose()


def test_a_row_says_who_did_what_to_which_state(app):
    actor = uuid4()
    _record(
        "test.approve",
        actor_id=actor,
        object_type="claim",
        object_id=7,
        before={"state": "submitted"},
        after={"state": "approved", "payment": uuid4()},
    )
    (event,) = _events()
    assert (event.chain, event.sequence) == ("platform", 1)
    assert (event.actor_id, event.action) == (actor, "test.approve")
    assert (event.object_type, event.object_id) == ("claim", "7")
    assert event.before == {"state": "submitted"}
    assert event.after["state"] == "approved"


def test_what_is_rolled_back_is_not_recorded_and_an_aside_is(app):
    def refused():
        with transaction():
            audit.record(action="test.do")
            aside(lambda: audit.record(action="test.refuse"))
            raise LookupError

    with pytest.raises(LookupError):
        refused()
    assert [each.action for each in _events()] == ["test.refuse"]


def test_what_a_savepoint_undid_is_not_recorded(app):
    with transaction():
        audit.record(action="test.before")
        outer = db.session.begin_nested()
        audit.record(action="test.outer")
        with db.session.begin_nested():
            audit.record(action="test.inner")
        outer.rollback()
        with db.session.begin_nested():
            audit.record(action="test.kept")
    assert [each.action for each in _events()] == ["test.before", "test.kept"]


def test_each_chain_counts_for_itself_and_each_row_carries_the_hash_before_it(app):
    for chain in ("b", "a", "b"):
        _record(chain=chain)
    events = _events()
    assert [(each.chain, each.sequence) for each in events] == [("a", 1), ("b", 1), ("b", 2)]
    assert events[2].previous_hash == events[1].hash
    assert events[0].previous_hash == events[1].previous_hash == "0" * 64


@pytest.mark.parametrize("number", [0.5, 1e16, -0.0, float("nan"), {"deep": [1e22]}])
def test_a_float_is_refused_since_the_database_would_write_it_otherwise(app, number):
    with pytest.raises(TypeError, match="is a float"):
        _record(after={"amount": number})
    _record(after={"amount": "0.50", "count": 10**20})
    assert _events()[0].after == {"amount": "0.50", "count": 10**20}


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_event set action = 'other'",
        "delete from audit_event",
        "truncate audit_event",
        "alter table audit_event disable trigger all",
        "drop table audit_event",
    ],
)
def test_the_application_s_role_cannot_change_what_was_recorded(app, statement):
    _record()
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        db.session.execute(text(statement))
    db.session.rollback()
    assert [each.action for each in _events()] == ["test.do"]


@pytest.mark.parametrize(
    "statement",
    ["update audit_event set action = 'other'", "delete from audit_event", "truncate audit_event"],
)
def test_even_the_owner_is_refused_by_the_trigger(real_database, statement):
    _record()
    settings = real_database.extensions["settings"]
    engine = create_engine(database.driver_url(settings.database_owner_url))
    with pytest.raises(DBAPIError, match="rows are only ever added"), engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_chain_that_nobody_touched_is_whole(app, quintet):
    for chain in ("one", "one", "two"):
        _record(chain=chain, actor_id=uuid4(), object_type="thing", object_id="ä", after={"n": 1})
    result = quintet("audit", "verify")
    assert result.exit_code == 0
    assert "chain one: 2 rows are whole" in result.stdout
    assert "chain two: 1 rows are whole" in result.stdout
    assert _events()[1].hash in result.stdout


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "update audit_event set action = 'other' where sequence = 2",
            "row 2: its content is not what was hashed",
        ),
        (
            "update audit_event set after = '{\"n\": 2}' where sequence = 3",
            "row 3: its content is not what was hashed",
        ),
        (
            "update audit_event set occurred_at = occurred_at - interval '1d' where sequence = 1",
            "row 1: its content is not what was hashed",
        ),
        ("delete from audit_event where sequence = 2", "row 2: it is missing"),
        (
            "update audit_event set previous_hash = repeat('0', 64) where sequence = 3",
            "row 3: it does not follow from the row before it",
        ),
    ],
)
def test_the_first_row_that_was_changed_is_named(quintet, as_owner, statement, message):
    for _ in range(4):
        _record(after={"n": 1})
    as_owner(statement)
    result = quintet("audit", "verify")
    assert result.exit_code == 1
    assert f"chain platform, {message}" in result.stderr


def test_many_who_record_at_once_make_one_chain(real_database, quintet):
    def record(number):
        with real_database.app_context():
            for _ in range(10):
                _record(f"test.{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(record, range(4)))
    assert "chain platform: 40 rows are whole" in quintet("audit", "verify").stdout
