import pytest

from backend.core import outbox
from backend.core.outbox import Permanent


@pytest.fixture
def dead(jobs):
    def fail(**_):
        raise Permanent("no account of <b>ada@quintet.test</b>")

    jobs.add("test.pay", fail)
    job = jobs.ask("test.pay")
    outbox.run(job)
    return job


def test_staff_see_dead_letters_and_replay_them(app, jobs, dead, signed_in):
    staff = signed_in("staff")
    page = staff.get("/admin/outbox").text
    assert "no account of &lt;b&gt;[e-mail]&lt;/b&gt;" in page
    assert str(jobs.find(dead).ref_id) in page
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    answer = staff.post(f"/admin/outbox/{dead}/replay", data={"csrf_token": token})
    assert answer.location == "/admin/outbox"
    assert jobs.find(dead).dead_at is None
    assert "No job has failed for good." in staff.get("/admin/outbox").text


def test_nobody_else_sees_them(client, signed_in):
    assert client.get("/admin/outbox").status_code == 302
    assert signed_in().get("/admin/outbox").status_code == 403


def test_a_parameter_that_the_list_does_not_know_is_named(signed_in):
    answer = signed_in("staff").get("/admin/outbox?before=x")
    assert answer.status_code == 400
    assert "before" in answer.text
