import re
import socket
from dataclasses import replace
from io import BytesIO

import pytest
from sqlalchemy import func, select, text

from backend.core import database, outbox
from backend.core.audit import AuditEvent
from backend.core.database import db
from backend.domains.flows.models import FlowFile, FlowQuarantine, FlowReading, FlowWaiting
from backend.domains.flows.services import receipts, waiting


@pytest.fixture
def staff(signed_in):
    return signed_in("staff")


def status(file_id):
    db.session.rollback()
    return db.session.scalar(select(FlowFile.status).where(FlowFile.id == file_id))


def actions():
    db.session.rollback()
    query = select(AuditEvent.action).where(AuditEvent.action.startswith("flows."))
    return db.session.scalars(query.order_by(AuditEvent.sequence)).all()


def run_jobs():
    for _ in range(4):
        outbox.run_due()
    db.session.rollback()


@pytest.fixture
def with_error(real_database, take_in, example):
    """A file whose first MPAN has a wrong check digit, imported without it."""
    return take_in(example.swap(2, "9900123456780", "9900123456781")).file_id


def count(file_id):
    db.session.rollback()
    query = select(func.count()).select_from(FlowReading).where(FlowReading.file_id == file_id)
    return db.session.scalar(query)


@pytest.fixture
def lenient(real_database, monkeypatch):
    """Only warn of wrong check digits from now on."""
    settings = replace(real_database.extensions["settings"], flows_check_digit="warn")
    monkeypatch.setitem(real_database.extensions, "settings", settings)


def test_a_file_processed_again_replaces_its_own_rows(staff, with_error, lenient):
    assert (status(with_error), count(with_error)) == ("imported_with_errors", 2)

    staff.post(f"/admin/flows/files/{with_error}/repetition")
    run_jobs()

    assert (status(with_error), count(with_error)) == ("imported", 4)
    assert actions() == ["flows.ask-reprocess", "flows.reprocess"]
    last = db.session.scalars(
        select(AuditEvent).where(AuditEvent.action == "flows.reprocess")
    ).one()
    assert last.actor_id == staff.person.id
    assert last.before == {"status": "imported_with_errors", "readings": 2}
    assert last.after == {"status": "imported", "readings": 4}
    assert last.object_id == str(with_error)


def test_a_file_refused_when_it_is_processed_again_stays_as_it_was(quintet, with_error):
    result = quintet("flows", "reprocess", with_error, "--strict")

    assert result.exit_code == 4, result.output
    assert (status(with_error), count(with_error)) == ("imported_with_errors", 2)
    errors = db.session.scalar(select(FlowFile.errors_total))
    assert errors > 0
    assert "refused (rejected), and what was there stays as file" in result.stderr
    assert "rejected as file" not in result.stderr


def test_a_refusal_is_recorded_and_told_on_the_page_with_its_reason(staff, with_error):
    before = db.session.get_one(FlowFile, with_error).message
    for _ in range(2):
        staff.post(f"/admin/flows/files/{with_error}/repetition", data={"strict": "1"})
        run_jobs()

    assert (status(with_error), count(with_error)) == ("imported_with_errors", 2)
    assert actions() == ["flows.ask-reprocess", "flows.reprocess"] * 2
    event = db.session.scalars(
        select(AuditEvent).where(AuditEvent.action == "flows.reprocess").limit(1)
    ).one()
    assert (event.actor_id, event.object_id) == (staff.person.id, str(with_error))
    assert event.before == {"status": "imported_with_errors", "readings": 2}
    assert event.after == {"refused": "rejected"}
    page = staff.get(f"/admin/flows/files/{with_error}").text
    assert f"{before} Processing it again was refused on" in page
    assert re.search(r"\(rejected\), and what was there stays. \d+ errors? in strict mode", page)
    assert page.count("was refused on") == 1


def test_a_refusal_is_forgotten_when_the_file_is_processed_again_for_good(
    quintet, with_error, monkeypatch, app
):
    quintet("flows", "reprocess", with_error, "--strict")
    settings = replace(app.extensions["settings"], flows_check_digit="warn")
    monkeypatch.setitem(app.extensions, "settings", settings)
    assert quintet("flows", "reprocess", with_error, "--no-strict").exit_code == 0
    assert db.session.get_one(FlowFile, with_error).message == "4 readings imported."


def test_a_failure_while_processing_again_changes_nothing(
    quintet, with_error, lenient, broken_table
):
    result = quintet("flows", "reprocess", with_error)

    assert result.exit_code == 1, result.output
    assert (status(with_error), count(with_error)) == ("imported_with_errors", 2)


def test_the_command_processes_again_at_once_and_records_who_asked(
    quintet, with_error, lenient, monkeypatch
):
    """In a container the user may have no name at all."""
    monkeypatch.setattr("getpass.getuser", lambda: {}["uid"])
    result = quintet("flows", "reprocess", with_error)
    assert result.exit_code == 0, result.output
    assert (status(with_error), count(with_error)) == ("imported", 4)
    last = db.session.scalars(
        select(AuditEvent).where(AuditEvent.action == "flows.reprocess")
    ).one()
    assert last.actor_id is None
    assert last.after["by"] == f"nobody@{socket.gethostname()}"


def test_a_good_file_is_not_processed_again(quintet, real_database, take_in, example):
    result = quintet("flows", "reprocess", take_in(example).file_id)
    assert result.exit_code == 1
    assert "is imported, and only files that ended with errors are processed" in result.stderr
    assert "nothing is left to do" in result.stderr


OFFER = "<summary>Process again</summary>"


def test_processing_again_is_offered_only_where_the_bytes_are_kept(
    quintet, staff, with_error, bring
):
    gone = bring(status="failed")
    assert OFFER in staff.get(f"/admin/flows/files/{with_error}").text
    assert OFFER not in staff.get(f"/admin/flows/files/{gone.id}").text
    told = quintet("flows", "reprocess", gone.id).stderr
    assert "no longer kept. Ask its sender for the file, and import it." in told


def test_a_failed_upload_that_waits_again_says_nothing_of_how_it_ended(staff, given_up):
    page = f"/admin/flows/files/{given_up}"
    assert OFFER in staff.get(page).text
    staff.post(f"{page}/repetition")
    file = db.session.get_one(FlowFile, given_up)
    assert (file.status, file.message, file.finished_at) == ("waiting", "", None)


@pytest.fixture
def undecided(real_database, take_in, example):
    """A file of test data that lay in the drop folder, and was rejected there."""
    file = FlowFile(name="test.uff", channel="drop", status="waiting")
    db.session.add(file)
    db.session.commit()
    take_in(example.replace("OPER", "TR01"), delivery={"receipt_id": file.id})
    assert db.session.get(FlowQuarantine, file.id) is not None
    return file.id


def test_a_file_that_was_imported_after_all_waits_for_no_decision(quintet, staff, undecided):
    assert quintet("flows", "reprocess", undecided, "--allow-test").exit_code == 0

    assert db.session.get(FlowQuarantine, undecided) is None
    assert "<h2>Decide</h2>" not in staff.get(f"/admin/flows/files/{undecided}").text
    discarded = quintet("flows", "discard", undecided, "--reason", "no")
    assert (discarded.exit_code, count(undecided)) == (1, 4)
    assert "which is imported" in discarded.stderr


@pytest.mark.parametrize("what", ["release", "discard"])
def test_a_file_that_is_imported_just_now_cannot_be_decided_about(staff, undecided, what):
    db.session.rollback()
    with database.apart() as importer:
        key = {"key": receipts.lock_key(undecided)}
        importer.execute(text("select pg_advisory_xact_lock(:key)"), key)
        answer = staff.post(f"/admin/flows/files/{undecided}/{what}", data={"reason": "no"})

    assert answer.status_code == 409
    assert "being imported just now" in answer.text
    assert db.session.get_one(FlowQuarantine, undecided).decision is None


def test_a_file_that_is_imported_just_now_is_not_processed_again_beside_it(quintet, undecided):
    with database.apart() as importer:
        key = {"key": receipts.lock_key(undecided)}
        importer.execute(text("select pg_advisory_xact_lock(:key)"), key)
        result = quintet("flows", "reprocess", undecided, "--allow-test")

    assert result.exit_code == 1
    assert f"File {undecided} is being imported just now. Try again" in result.stderr


def test_a_file_that_waits_again_is_not_discarded_meanwhile(staff, undecided):
    db.session.get_one(FlowFile, undecided).status = "waiting"
    assert "<h2>Decide</h2>" not in staff.get(f"/admin/flows/files/{undecided}").text
    answer = staff.post(f"/admin/flows/files/{undecided}/discard", data={"reason": "no"})
    assert answer.status_code == 409


def test_an_original_is_processed_again_though_an_older_receipt_was_released_beside_it(
    quintet, real_database, take_in, example
):
    older = FlowFile(name="older.uff", channel="cli", status="waiting")
    db.session.add(older)
    db.session.commit()
    original = take_in(example.swap(5, "1987.5", "19X7.5")).file_id
    delivery = {"receipt_id": older.id}
    assert take_in(example, delivery=delivery).status == "quarantined"
    db.session.get_one(FlowFile, older.id).status = "waiting"
    db.session.commit()
    assert take_in(example, delivery=delivery | {"is_released": True}).status == "imported"

    result = quintet("flows", "reprocess", original)

    assert result.exit_code == 3, result.output
    assert "3 readings imported" in result.output


@pytest.fixture
def given_up(real_database, staff, example, monkeypatch, tmp_path):
    """An upload for the background that failed as often as it is tried, and whose bytes wait."""
    settings = real_database.extensions["settings"]
    settings = replace(settings, flows_async_bytes=100, files_url=str(tmp_path / "files"))
    monkeypatch.setitem(real_database.extensions, "settings", settings)
    sent = {"files": [(BytesIO(example.encode()), "big.uff")]}
    file_id = staff.post("/api/flows/files", data=sent).json["data"][0]["file_id"]
    db.session.get_one(FlowWaiting, file_id).tries = waiting.TRIES
    db.session.commit()
    run_jobs()
    assert status(file_id) == "failed"
    return file_id


def test_the_command_has_a_failed_upload_imported_by_a_worker(quintet, given_up):
    result = quintet("flows", "reprocess", given_up)

    assert (result.exit_code, result.stderr) == (0, "")
    assert f"file {given_up} waits to be processed again" in result.stdout
    run_jobs()
    assert (status(given_up), count(given_up)) == ("imported", 4)
