import re
from html import unescape

import pytest

from backend.core import outbox
from backend.core.outbox import Permanent

LIST = "/admin/outbox"


@pytest.fixture
def dead(app, jobs):
    def fail(**_):
        raise Permanent("no account of <b>nobody</b>")

    jobs.add("test.pay", fail)
    job = jobs.ask("test.pay")
    outbox.run(job)
    return job


@pytest.fixture
def waiting(app, jobs):
    jobs.add("test.wait", lambda **_: None)
    return jobs.ask("test.wait")


def test_the_console_begins_with_the_dead_and_every_state_can_be_chosen(
    dead, waiting, signed_in, jobs
):
    staff = signed_in("staff")
    page = staff.get(LIST).text
    assert "no account of &lt;b&gt;nobody&lt;/b&gt;" in page
    assert "test.wait" not in page
    assert "test.wait" in staff.get(f"{LIST}?state=waiting").text
    everything = staff.get(f"{LIST}?state=").text
    assert "test.wait" in everything
    assert "test.pay" in everything


def test_the_filter_that_a_list_begins_with_can_be_taken_away(dead, waiting, signed_in):
    staff = signed_in("staff")
    (chip,) = re.findall(r'<a href="([^"]*)" title="Without', staff.get(LIST).text)
    assert "test.wait" in staff.get(unescape(chip)).text


def test_a_dead_job_is_replayed_from_its_row_or_its_page(dead, signed_in, jobs):
    staff = signed_in("staff")
    for page in (LIST, f"{LIST}/{dead}"):
        assert f'action="{LIST}/{dead}/replay"' in staff.get(page).text
    assert staff.post(f"{LIST}/{dead}/replay").location == LIST
    assert jobs.find(dead).dead_at is None
    assert "No job has failed for good." in staff.get(LIST).text
    assert f"{LIST}/{dead}/replay" not in staff.get(f"{LIST}/{dead}").text
    assert staff.post(f"{LIST}/{dead}/replay").status_code == 409


def test_programs_of_staff_read_jobs_without_what_they_carry(dead, signed_in):
    (found,) = signed_in("staff").get("/api/outbox/jobs?state=dead").json["data"]
    assert (found["id"], found["topic"], found["attempts"]) == (str(dead), "test.pay", 1)
    assert "payload" not in found
    assert signed_in().get("/api/outbox/jobs").status_code == 403
