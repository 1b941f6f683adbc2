import pytest

from backend.core import audit
from backend.core.database import db


@pytest.fixture
def staff(signed_in):
    client = signed_in("staff")
    for number in range(3):
        audit.record(
            action="test.change",
            actor_id=client.person.id,
            object_type="thing",
            object_id=number,
            after={"state": "<b>done</b>"},
            chain="bank:a-b",
        )
        db.session.commit()
    return client


def test_staff_read_what_was_done_the_latest_first(staff):
    page = staff.get("/admin/audit").text
    assert page.count("test.change") >= 3
    assert "&lt;b&gt;done&lt;/b&gt;" in page
    assert f"/admin/identity/people/{staff.person.id}" in page
    found = staff.get("/api/audit/events?object_type=thing").json["data"]
    assert [each["object_id"] for each in found] == ["2", "1", "0"]


def test_an_event_is_named_by_its_number_and_chain(staff):
    found = staff.get("/api/audit/events?object_type=thing&object_id=1").json["data"][0]
    assert found["id"] == "2-bank:a-b"
    assert staff.get(f"/api/audit/events/{found['id']}").json["data"] == found
    assert "bank:a-b" in staff.get(f"/admin/audit/{found['id']}").text
    for wrong in ("2", "2-bank:a", "x-bank:a-b"):
        assert staff.get(f"/api/audit/events/{wrong}").status_code == 404


def test_nothing_of_the_audit_log_can_be_changed_through_its_collection(staff):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert staff.open("/api/audit/events/2-bank:a-b", method=method).status_code == 405
        assert staff.open("/admin/audit/2-bank:a-b", method=method).status_code == 405


def test_a_person_leads_to_what_they_did(staff):
    page = staff.get(f"/admin/identity/people/{staff.person.id}").text
    assert f'href="/admin/audit?actor_id={staff.person.id}"' in page


def test_only_staff_read_it(signed_in, client):
    assert client.get("/admin/audit").status_code == 302
    assert client.get("/api/audit/events").status_code == 401
    assert signed_in("underwriter").get("/admin/audit").status_code == 403
    assert signed_in("underwriter").get("/api/audit/events").status_code == 403
