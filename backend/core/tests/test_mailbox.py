from dataclasses import replace
from uuid import uuid4

import pytest

from backend.app import create_app
from backend.core import mail

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


@pytest.fixture
def staff(app, monkeypatch, tmp_path, signed_in):
    settings = replace(app.extensions["settings"], files_url=str(tmp_path))
    monkeypatch.setitem(app.extensions, "settings", settings)
    return signed_in("staff")


def test_staff_read_the_e_mails_that_were_kept_and_follow_their_links(staff):
    message_id = str(uuid4())
    text = "Open\n\nhttp://127.0.0.1:8000/x/abc\n\n<b>"
    message = mail.Message(message_id=message_id, to="ada@quintet.test", subject="Hi", text=text)
    assert "No e-mail has been written yet" in staff.get("/admin/mail").text
    mail.send(message)
    page = staff.get("/admin/mail").text
    assert f'href="/admin/mail/{message_id}">Hi</a>' in page
    assert "ada@quintet.test" in page
    shown = staff.get(f"/admin/mail/{message_id}").text
    assert 'href="http://127.0.0.1:8000/x/abc"' in shown
    assert "<p>&lt;b&gt;</p>" in shown


def test_an_e_mail_that_is_not_there_is_not_found(staff):
    assert staff.get(f"/admin/mail/{uuid4()}").status_code == 404
    assert staff.get("/admin/mail/..%2f..%2fsecret").status_code == 404


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"mail_url": "smtp://127.0.0.1:1"},
        {
            "environment": "dev",
            "mail_url": "smtp://127.0.0.1:1",
            "secret_key": "of its own",
            "public_url": "https://quintet.test",
            "jwt_keys": (
                "-----BEGIN PRIVATE KEY-----\n"
                "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
                "-----END PRIVATE KEY-----\n"
            ),
        },
    ],
)
def test_where_e_mails_are_sent_there_is_neither_page_nor_link(elsewhere):
    there = create_app(database_url=NOWHERE, **elsewhere)
    assert there.test_client().get("/admin/mail").status_code == 404
    assert "mail_console" not in there.blueprints


def test_the_console_links_to_the_e_mails(staff):
    assert 'href="/admin/mail"' in staff.get("/admin/").text
