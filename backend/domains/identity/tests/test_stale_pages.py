"""What was open for too long, in two tabs or for somebody else leads on instead of ending."""

import re

from sqlalchemy import text

from backend.core import outbox
from backend.core.database import db

LIST = "/admin/identity/people"
GRACE = "grace@quintet.test"


def test_another_invitation_ends_the_links_before(signed_in, submit, postbox, visitor):
    console = signed_in("staff")
    page = submit(console, f"{LIST}/new", LIST, email=GRACE, name="Grace").location
    outbox.run_due()
    submit(console, page, f"{page}/invitations")
    assert visitor.get(postbox.links[0]).status_code == 404
    outbox.run_due()
    first, second = postbox.links
    assert visitor.get(first).status_code == 404
    assert visitor.choose(second).location == "/login"


def test_what_was_typed_for_a_new_person_stays_in_the_form(signed_in, submit):
    console = signed_in("staff")
    for email, status in (("a@b", 422), (console.person.email, 409)):
        answer = submit(console, f"{LIST}/new", LIST, email=email, name="Grace H", roles="staff")
        assert answer.status_code == status
        assert f'value="{email}"' in answer.text
        assert 'value="Grace H"' in answer.text
        assert re.search(r'value="staff"\s+checked', answer.text)
        assert 'id="error-email-1"' in answer.text
        (field,) = re.findall(r'<input id="field-email"[^>]*>', answer.text)
        assert ' required aria-invalid="true" aria-describedby=" error-email-1" ' in field


def test_a_form_that_is_too_old_leads_back_to_itself(app, member, visitor):
    user = member()
    stale = {"email": user.email, "password": "correct horse battery", "next": "/expenses"}
    client = app.test_client()
    refused = client.post("/login", data=stale)
    assert (refused.status_code, refused.headers.getlist("Set-Cookie")) == (400, [])
    client.environ_base["HTTP_REFERER"] = "http://localhost/login"
    answer = client.post("/login", data=stale | {"csrf_token": "old"})
    assert answer.location == "/login?next=/expenses"
    assert "open for too long" in client.get(answer.location).text
    answer = client.post("/password-reset", data={"csrf_token": "old"})
    assert answer.location == "/password-reset"
    assert client.post("/logout").location == "/login"


def test_a_second_tab_whose_person_is_signed_in_already_goes_on(signed_in):
    console = signed_in("staff")
    console.environ_base["HTTP_REFERER"] = "http://localhost/login"
    answer = console.post("/login", data={"next": "/admin/", "csrf_token": "old"})
    assert answer.location == "/admin/"


def test_whose_session_ended_is_led_back_to_the_form(signed_in, app):
    console = signed_in("staff")
    db.session.execute(text("update identity_user set tokens_valid_after = clock_timestamp()"))
    for referrer, where in (
        (f"http://localhost{LIST}/new", f"{LIST}/new"),
        ("https://evil.example/x", None),
        (None, None),
    ):
        headers = {"Referer": referrer} if referrer else {}
        answer = console.post(LIST, data={"email": GRACE}, headers=headers)
        assert answer.location == (f"/login?next={where}" if where else "/login")
        assert bool(where) == bool(answer.headers.getlist("Set-Cookie"))
    assert "signed out meanwhile" in console.get("/login").text


def test_a_password_that_is_chosen_ends_the_session_of_whoever_used_the_browser(
    signed_in, submit, postbox
):
    console = signed_in("staff")
    submit(console, f"{LIST}/new", LIST, email=GRACE, name="Grace")
    outbox.run_due()
    link = postbox.links[0]
    answer = submit(console, link, password="a new password", again="a new password")
    assert answer.location == "/login"
    assert "Your password is set" in console.get("/login").text
    assert console.get(LIST).status_code == 302
