from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from backend.core.audit import AuditEvent
from backend.core.database import db
from backend.domains.identity.services import people

HOUR = 3600 * 1_000_000


@pytest.fixture
def browser(app, member, submit):
    """A browser whose person, on the staff, has signed in."""
    client = app.test_client()
    client.person = member("staff", email="ada@quintet.test")
    client.answer = submit(
        client, "/login", email="ada@quintet.test", password="correct horse battery"
    )
    return client


def test_a_person_signs_in_and_is_led_to_where_they_wanted_to_go(app, member, submit):
    client = app.test_client()
    user = member("staff")
    away = client.get("/admin/identity/people?name=a%26b")
    assert away.location == "/login?next=/admin/identity/people%3Fname%3Da%2526b"
    form = client.get(away.location).text
    assert 'name="next" value="/admin/identity/people?name=a%26b"' in form
    answer = submit(
        client,
        away.location,
        "/login",
        email=user.email,
        password="correct horse battery",
        next="/admin/identity/people?name=a%26b",
    )
    assert (answer.status_code, answer.location) == (302, "/admin/identity/people?name=a%26b")
    assert client.get(answer.location).status_code == 200
    assert client.get("/login?next=/admin/").location == "/admin/"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "///evil.test",
        "javascript:alert(1)",
        "evil",
        "",
    ],
)
def test_nobody_is_led_to_another_site(target, app, member, submit):
    client = app.test_client()
    user = member()
    answer = submit(
        client, "/login", email=user.email, password="correct horse battery", next=target
    )
    assert (answer.status_code, answer.location) == (302, "/")
    assert client.get("/login", query_string={"next": target}).location == "/"


def test_a_form_that_was_posted_is_not_come_back_to(client):
    assert client.post("/admin/identity/people").location == "/login"


def test_a_wrong_password_is_told_beside_the_form_which_keeps_the_address(client, member, submit):
    user = member()
    answer = submit(client, "/login", email=user.email, password="wrong", next="/admin/")
    assert answer.status_code == 401
    assert "The e-mail address or the password is wrong" in answer.text
    assert f'value="{user.email}"' in answer.text
    assert 'name="next" value="/admin/"' in answer.text
    assert "wrong&" not in answer.text
    assert client.get("/admin/").status_code == 302


def test_the_form_helps_password_managers_and_readers(client):
    form = client.get("/login").text
    for part in (
        'autocomplete="username"',
        'autocomplete="current-password"',
        '<label for="field-email"',
        '<label for="field-password"',
    ):
        assert part in form


def test_a_form_without_its_token_is_refused(client, browser, member):
    user = member()
    body = {"email": user.email, "password": "correct horse battery"}
    answer = client.post("/login", data=body)
    assert answer.status_code == 400
    assert "Open our page again" in client.get("/problems/form-refused").text
    assert browser.post("/logout").status_code == 400
    assert browser.get("/admin/").status_code == 200


def test_the_cookie_is_kept_from_scripts_and_other_sites(browser):
    cookie = browser.get_cookie("quintet")
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert cookie.path == "/"
    remaining = cookie.expires - datetime.now(UTC)
    assert timedelta(hours=7.9) < remaining <= timedelta(hours=8)


def test_signing_out_ends_the_session_even_for_a_copy_of_its_cookie(browser, submit, app):
    copy = browser.get_cookie("quintet").value
    assert submit(browser, "/admin/", "/logout").location == "/login"
    assert browser.get("/admin/").status_code == 302
    other = app.test_client()
    other.set_cookie("quintet", copy)
    assert other.get("/admin/").status_code == 302
    actions = db.session.scalars(select(AuditEvent.action).order_by(AuditEvent.sequence)).all()
    assert actions == ["identity.sign-in", "identity.sign-out"]


def test_a_session_ends_when_all_of_a_person_s_sessions_are_ended(browser, submit):
    people.end_sessions(user_id=browser.person.id, actor_id=None)
    assert browser.get("/admin/").status_code == 302
    submit(browser, "/login", email="ada@quintet.test", password="correct horse battery")
    assert browser.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    ("field", "age", "status"),
    [
        ("seen_at", 7.9 * HOUR, 200),
        ("seen_at", 8.1 * HOUR, 302),
        ("signed_in_at", 167 * HOUR, 200),
        ("signed_in_at", 169 * HOUR, 302),
    ],
)
def test_a_session_ends_8_hours_after_the_last_page_and_7_days_after_signing_in(
    field, age, status, browser
):
    with browser.session_transaction() as cookie:
        cookie[field] -= int(age)
    assert browser.get("/admin/").status_code == status


def test_a_page_renews_the_session_and_the_api_neither_reads_nor_renews_it(browser):
    with browser.session_transaction() as cookie:
        cookie["seen_at"] -= HOUR
    api = browser.get("/api/auth/me")
    assert api.status_code == 401
    assert "Set-Cookie" not in api.headers
    assert "Cookie" not in api.headers.get("Vary", "")
    page = browser.get("/admin/")
    assert "quintet=" in page.headers["Set-Cookie"]
    assert "Set-Cookie" not in browser.get("/admin/").headers


def test_a_session_whose_content_is_not_ours_is_nobody_s(browser):
    for change in ({"user_id": "x"}, {"session_id": 7}, {"signed_in_at": "x"}, {"seen_at": None}):
        with browser.session_transaction() as cookie:
            before = dict(cookie)
            cookie.update(change)
        assert browser.get("/admin/").status_code == 302
        with browser.session_transaction() as cookie:
            cookie.update(before)
    assert browser.get("/admin/").status_code == 200


def test_no_page_of_a_signed_in_person_is_kept_by_caches(browser):
    assert browser.get("/admin/").headers["Cache-Control"] == "no-store"
    assert browser.get("/").headers["Cache-Control"] == "no-store"
