from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from sqlalchemy import select, update

from backend.core import database
from backend.core.audit import AuditEvent
from backend.core.database import db
from backend.domains.flows.models import FlowFile, FlowFinding, FlowReading
from backend.domains.flows.services import archive, files, retention


@pytest.fixture
def keep(real_database, monkeypatch):
    """Set for how many days originals and findings are kept."""

    def choose(originals=0, findings=0):
        settings = replace(
            real_database.extensions["settings"],
            flows_archive_days=originals,
            flows_findings_days=findings,
        )
        monkeypatch.setitem(real_database.extensions, "settings", settings)

    return choose


def age(file_id, days):
    received = datetime.now(UTC) - timedelta(days=days)
    db.session.execute(update(FlowFile).where(FlowFile.id == file_id).values(started_at=received))
    db.session.commit()


def has_original(file_id):
    db.session.rollback()
    try:
        archive.original(db.session.get_one(FlowFile, file_id)).close()
    except FileNotFoundError:
        return False
    return True


def test_originals_go_after_their_time_and_readings_stay(keep, take_in, example):
    keep(originals=30)
    old = take_in(example).file_id
    new = take_in(example.sent("QT00000002", "20250403061500")).file_id
    age(old, 31)
    age(new, 29)

    removed = retention.enforce()

    assert removed == {"originals": 1, "findings_of_files": 0, "unclaimed_bytes": 0}
    assert (has_original(old), has_original(new)) == (False, True)
    assert len(db.session.scalars(select(FlowReading)).all()) == 8
    assert files.lines_if_kept(db.session.get_one(FlowFile, old), 4) == []
    event = db.session.scalars(select(AuditEvent)).one()
    assert (event.action, event.after) == ("flows.enforce_retention", removed)


def test_an_original_stays_while_somebody_has_to_decide_about_it(keep, take_in, example):
    keep(originals=30)
    take_in(example)
    open_one = take_in(example.swap(4, "4521.0", "4522.0")).file_id
    age(open_one, 1000)

    retention.enforce()

    assert has_original(open_one)


def test_an_original_stays_while_a_newer_receipt_has_the_same_bytes(keep, take_in, example):
    keep(originals=30)
    cut = example.line(14, None)
    old, new = take_in(cut).file_id, take_in(cut).file_id
    age(old, 31)
    retention.enforce()
    assert (has_original(old), has_original(new)) == (True, True)


def test_an_original_stays_while_the_same_bytes_are_imported(keep, take_in, example, real_database):
    keep(originals=30)
    cut = example.line(14, None)
    old = take_in(cut).file_id
    age(old, 31)
    key = db.session.get_one(FlowFile, old).archive_key
    with database.transaction():
        archive.keep(BytesIO(cut.encode()), key.rpartition("/")[2])
        assert removed_by_another(real_database) == 0
    assert has_original(old)
    assert removed_by_another(real_database) == 1


def removed_by_another(app):
    def work():
        with app.app_context():
            return retention.enforce()["originals"]

    with ThreadPoolExecutor(1) as other:
        return other.submit(work).result()


def test_findings_go_after_their_time_and_totals_stay(keep, take_in, example):
    keep(findings=7)
    file_id = take_in(example.swap(5, "1987.5", "19X7.5")).file_id
    age(file_id, 8)

    assert retention.enforce() == {"originals": 0, "findings_of_files": 1, "unclaimed_bytes": 0}

    assert db.session.scalars(select(FlowFinding)).all() == []
    assert db.session.get_one(FlowFile, file_id).errors_total == 1


def test_nothing_goes_unless_it_is_set(keep, take_in, example):
    keep()
    file_id = take_in(example.swap(5, "1987.5", "19X7.5")).file_id
    age(file_id, 10_000)
    assert retention.enforce() == {"originals": 0, "findings_of_files": 0, "unclaimed_bytes": 0}
    assert has_original(file_id)
    assert db.session.scalars(select(AuditEvent)).all() == []
