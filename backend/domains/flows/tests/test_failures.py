import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from threading import Thread

import pytest
from sqlalchemy import create_engine, event, func, select, text

from backend.core import database
from backend.core.config import current_settings
from backend.core.database import db
from backend.domains.flows import d0010, sample
from backend.domains.flows.models import FlowFile, FlowReading
from backend.domains.flows.services import imports, receipts, recovery
from backend.domains.flows.services.receipts import Delivery


@pytest.fixture
def owner(real_database):
    """Connections of the tables' owner, who can do to them what a fault would."""
    engine = create_engine(database.driver_url(current_settings().database_owner_url))
    yield engine
    engine.dispose()


@contextmanager
def blocked_tables(owner):
    """Let every import stand still at its first row, and go on when the block ends."""
    with owner.begin() as connection:
        connection.execute(text("lock table flow_reading in access exclusive mode"))
        yield


def wait_for(condition):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


def ask(query):
    """Answer in a transaction that is over, so that it holds up nobody's lock."""
    with database.apart() as session:
        return session.scalars(query).all()


def statuses():
    return ask(select(FlowFile.status).order_by(FlowFile.id))


def readings():
    return ask(select(func.count()).select_from(FlowReading))[0]


def start_command(*words):
    settings = current_settings()
    return subprocess.Popen(
        [sys.executable, "-m", "backend.cli", *words],
        env=os.environ
        | {"DATABASE_URL": settings.database_url, "QUINTET_FILES_URL": settings.files_url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def bring(content, name="one.uff"):
    delivery = Delivery(name=name, channel="cli")
    return imports.import_file(
        BytesIO(content.encode()), delivery=delivery, options=d0010.Options()
    )


def bring_at_once(app, owner, *contents):
    outcomes = []

    def work(content):
        with app.app_context():
            outcomes.append(bring(content))

    threads = [Thread(target=work, args=(content,)) for content in contents]
    with blocked_tables(owner):
        for thread in threads:
            thread.start()
        wait_for(lambda: statuses() == ["running"] * len(contents))
    for thread in threads:
        thread.join()
    return sorted(outcomes, key=lambda each: each.status)


def test_one_file_brought_by_two_at_once_is_imported_once(real_database, owner, example):
    loser, winner = bring_at_once(real_database, owner, example, example)

    assert (loser.status, winner.status) == ("duplicate", "imported")
    assert loser.duplicate_of_id == winner.file_id
    assert sorted(statuses()) == ["duplicate", "imported"]
    assert readings() == 4
    totals = ask(select(FlowFile.records_total)), ask(select(FlowFile.roots_total))
    assert totals == ([12, 12], [2, 2])


@contextmanager
def just_before(words, act):
    """Do something once, at the moment at which a statement with these words is sent."""
    is_done = []

    def look(connection, cursor, statement, *_):
        if words in statement and not is_done:
            is_done.append(True)
            act()

    event.listen(db.engine, "before_cursor_execute", look)
    yield
    event.remove(db.engine, "before_cursor_execute", look)
    assert is_done


def in_another_process(app, act):
    """Do something with connections of its own, and wait for it."""

    def work():
        with app.app_context():
            act()

    thread = Thread(target=work)
    thread.start()
    thread.join()


def test_a_file_that_another_brings_between_two_looks_is_a_duplicate(real_database, example):
    winner = partial(in_another_process, real_database, partial(bring, example))

    with just_before("flow_file.file_identifier = ", winner):
        loser = bring(example)

    assert (loser.status, loser.duplicate_of_id) == ("duplicate", 1)
    assert (sorted(statuses()), readings()) == (["duplicate", "imported"], 4)


def test_two_contents_of_one_business_key_at_once_leave_one_in_quarantine(
    real_database, owner, example
):
    changed = example.swap(4, "4521.0", "4522.0")

    winner, loser = bring_at_once(real_database, owner, example, changed)

    assert (winner.status, loser.status) == ("imported", "quarantined")
    assert loser.conflicts_with_id == winner.file_id
    assert readings() == 4


def test_two_files_at_once_are_both_imported(real_database, owner, example):
    outcomes = bring_at_once(
        real_database, owner, example, example.sent("QT00000002", "20250403061500")
    )
    assert [each.status for each in outcomes] == ["imported", "imported"]
    assert readings() == 8


def test_a_failure_leaves_nothing_and_a_retry_succeeds(owner, example):
    with owner.begin() as connection:
        connection.execute(
            text("alter table flow_reading add constraint fault check (line_number < 13)")
        )

    failed = bring(example)

    assert failed.status == "failed"
    assert "nothing of it was kept" in failed.message
    assert (statuses(), readings()) == (["failed"], 0)
    with owner.begin() as connection:
        connection.execute(text("alter table flow_reading drop constraint fault"))
    assert bring(example).status == "imported"
    assert (statuses(), readings()) == (["failed", "imported"], 4)


def test_a_failure_is_logged_and_told_without_what_a_line_says(owner, example, caplog, capsys):
    with owner.begin() as connection:
        connection.execute(text("alter table flow_reading add constraint fault check (value < 9)"))

    outcome = bring(example)

    said = outcome.message + caplog.text + capsys.readouterr().out
    assert "CheckViolation" in said
    assert "9900123456780" not in said
    assert "QA 1000001" not in said


def test_nothing_is_seen_of_an_import_before_it_has_ended(real_database, owner, example):
    def work():
        with real_database.app_context():
            bring(example)

    thread = Thread(target=work)
    with owner.begin() as connection:
        # The last of the tables to be written: the readings are there when this one is waited for.
        connection.execute(text("lock table flow_site_visit in access exclusive mode"))
        thread.start()
        wait_for(lambda: statuses() == ["running"] and is_waiting())
        assert readings() == 0
    thread.join()
    assert (statuses(), readings()) == (["imported"], 4)


def is_waiting():
    return ask(text("select true from pg_locks where not granted and relation is not null"))


def test_a_running_file_without_its_owner_becomes_failed(real_database):
    db.session.add(FlowFile(name="dead.uff", channel="cli"))
    db.session.commit()

    assert [file.name for file in recovery.recover()] == ["dead.uff"]

    file = db.session.scalars(select(FlowFile)).one()
    assert (file.status, file.finished_at is not None) == ("failed", True)
    assert recovery.recover() == []


def test_a_running_file_whose_owner_lives_is_left_alone(real_database):
    file = FlowFile(name="alive.uff", channel="cli")
    db.session.add(file)
    db.session.commit()
    with database.apart() as owner:
        owner.execute(
            text("select pg_advisory_xact_lock(:key)"), {"key": receipts.lock_key(file.id)}
        )
        assert recovery.recover() == []
    assert statuses() == ["running"]


def test_an_import_that_is_killed_is_failed_and_the_next_one_imports_each_reading_once(
    real_database, owner, quintet, tmp_path
):
    path = tmp_path / "killed.uff"
    with path.open("wb") as out:
        sample.write_sample(out, readings=500)
    with blocked_tables(owner):
        killed = start_command("flows", "import", path)
        wait_for(lambda: statuses() == ["running"])
        killed.kill()
        killed.wait()

    result = quintet("flows", "import", path)

    assert result.exit_code == 0, result.output
    assert "file 1 (killed.uff)" in result.stderr
    assert "interrupted" in result.stderr
    assert (statuses(), readings()) == (["failed", "imported"], 500)


def test_a_lost_connection_is_a_failure_that_is_recorded(real_database, owner, example):
    outcomes = []

    def work():
        with real_database.app_context():
            outcomes.append(bring(example))

    thread = Thread(target=work)
    with blocked_tables(owner):
        thread.start()
        wait_for(lambda: statuses() == ["running"] and is_waiting())
        ask(text("select pg_terminate_backend(pid) from pg_locks where not granted"))
        thread.join()

    assert [each.status for each in outcomes] == ["failed"]
    assert (statuses(), readings()) == (["failed"], 0)
    assert bring(example).status == "imported"


def test_an_import_that_is_stopped_by_hand_says_so_at_once(real_database, owner, tmp_path, example):
    path = tmp_path / "stopped.uff"
    path.write_text(example)
    with blocked_tables(owner):
        stopped = start_command("flows", "import", path)
        wait_for(lambda: statuses() == ["running"] and is_waiting())
        stopped.send_signal(signal.SIGINT)
        assert stopped.wait(20) == 1

    assert (statuses(), readings()) == (["failed"], 0)
