import pytest
from sqlalchemy import select

from backend.core import outbox
from backend.core.audit import AuditEvent
from backend.core.database import db
from backend.domains.flows.models import FlowFile, FlowQuarantine, FlowWaiting
from backend.domains.flows.services import notices, readings
from backend.domains.flows.services.readings import Query
from backend.domains.flows.services.terms import Term


@pytest.fixture
def staff(signed_in):
    return signed_in("staff")


@pytest.fixture
def conflict(real_database, take_in, example):
    """A file in quarantine: the day register of the first one has another value."""
    take_in(example)
    return take_in(example.swap(4, "4521.0", "4522.0")).file_id


def decide(client, file_id, what, reason="the sender confirmed it"):
    return client.post(f"/admin/flows/files/{file_id}/{what}", data={"reason": reason})


def status(file_id):
    db.session.rollback()
    return db.session.scalar(select(FlowFile.status).where(FlowFile.id == file_id))


def values():
    found = readings.search(Query(term=Term.of("QA1000001"))).hits
    return {(each.register, each.value_text) for each in found}


def actions():
    db.session.rollback()
    query = select(AuditEvent.action).where(AuditEvent.action.startswith("flows."))
    return db.session.scalars(query.order_by(AuditEvent.sequence)).all()


def run_jobs():
    for _ in range(4):
        outbox.run_due()
    db.session.rollback()


def test_a_released_file_is_imported_beside_the_other_and_counts(staff, conflict):
    assert decide(staff, conflict, "release").status_code == 302
    assert status(conflict) == "waiting"
    file = db.session.get_one(FlowFile, conflict)
    assert (file.message, file.finished_at) == ("", None)

    run_jobs()

    assert status(conflict) == "imported"
    assert values() == {("DY", "4522.0"), ("NT", "1987.5")}
    assert actions() == ["flows.release"]
    page = staff.get(f"/admin/flows/files/{conflict}").text
    assert "the sender confirmed it" in page
    assert staff.person.email in page


def test_a_discarded_file_stays_out_with_its_reason(staff, conflict):
    decide(staff, conflict, "discard")

    run_jobs()

    assert status(conflict) == "quarantined"
    assert values() == {("DY", "4521.0"), ("NT", "1987.5")}
    assert actions() == ["flows.discard"]
    page = staff.get(f"/admin/flows/files/{conflict}").text
    assert "Discarded by" in page
    assert "It was discarded, and nothing of it was imported." in page
    assert "has to decide" not in page


@pytest.mark.parametrize("what", ["release", "discard"])
def test_a_decision_needs_its_reason(staff, quintet, conflict, what):
    assert decide(staff, conflict, what, " ").status_code == 422
    told = quintet("flows", what, conflict, "--reason", " ").stderr
    assert told.endswith("Write in a sentence why the file is released or discarded.\n")


@pytest.mark.parametrize("what", ["release", "discard"])
def test_a_reason_is_kept_as_it_is_or_refused(staff, conflict, what):
    refused = decide(staff, conflict, what, "x" * 501)
    assert refused.status_code == 422
    assert "501 characters, and 500 can be kept" in refused.text
    assert decide(staff, conflict, what, "x" * 500).status_code == 302
    assert db.session.get_one(FlowQuarantine, conflict).reason == "x" * 500


def test_a_file_that_is_only_rejected_is_not_released_and_told_what_can_be_done(
    quintet, conflict, bring
):
    file = bring(status="rejected", channel="drop")
    db.session.add(FlowQuarantine(file_id=file.id))
    result = quintet("flows", "release", file.id, "--reason", "x")
    assert result.exit_code == 1
    assert "Discard it, or process it again." in result.stderr
    assert db.session.get_one(FlowQuarantine, file.id).decision is None


@pytest.mark.parametrize("what", ["release", "discard"])
def test_what_is_decided_stays_decided(staff, conflict, what):
    decide(staff, conflict, "discard")
    assert decide(staff, conflict, what).status_code == 409
    assert actions() == ["flows.discard"]


def test_a_file_that_was_imported_cannot_be_released(staff, take_in, example):
    assert decide(staff, take_in(example).file_id, "release").status_code == 409


def test_the_commands_do_the_same(quintet, conflict):
    result = quintet("flows", "release", conflict, "--reason", "confirmed by telephone")
    assert result.exit_code == 0, result.output
    run_jobs()
    assert status(conflict) == "imported"
    again = quintet("flows", "discard", conflict, "--reason", "no")
    assert again.exit_code == 1
    assert "Nothing is to be decided" in again.output


@pytest.fixture
def two_conflicts(conflict, take_in, example):
    take_in(example.swap(4, "4521.0", "4523.0"), name="second.uff")
    return conflict


def test_staff_are_told_once_of_all_files_in_quarantine(staff, signed_in, two_conflicts, postbox):
    signed_in("underwriter")
    for _ in range(2):
        notices.report_quarantine()
        db.session.commit()

    run_jobs()

    (message,) = postbox.messages
    assert message["To"] == staff.person.email
    assert message["Subject"] == "2 flow files need somebody to look at"
    content = message.get_content()
    assert f"/admin/flows/files/{two_conflicts}" in content
    assert "second.uff" in content
    assert "9900123456780" not in content


def test_nobody_is_told_of_what_is_decided_already(staff, conflict, postbox):
    decide(staff, conflict, "discard")
    notices.report_quarantine()
    db.session.commit()
    run_jobs()
    assert postbox.messages == []


def test_a_rejected_upload_is_the_senders_to_see_and_not_in_quarantine(take_in, example):
    take_in(example.line(14, None))
    assert db.session.scalars(select(FlowQuarantine)).all() == []


def test_the_page_of_a_running_file_shows_how_far_it_is_and_renews_itself(staff, app):
    file = FlowFile(name="big.uff", channel="rest", status="running")
    db.session.add(file)
    db.session.flush()
    row = FlowWaiting(file_id=file.id, place="staged", location="x")
    row.records_done, row.records_total = 20_000, 80_000
    db.session.add(row)
    db.session.commit()

    response = staff.get(f"/admin/flows/files/{file.id}")

    assert response.headers["Refresh"] == "2"
    assert "20,000 of 80,000 records" in response.text
    assert "What was found" not in response.text
    progress = staff.get(f"/api/flows/files/{file.id}/progress").json["data"]
    assert progress == {"status": "running", "progress": {"done": 20_000, "total": 80_000}}
