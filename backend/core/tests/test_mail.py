import contextlib
import socket

import pytest
from aiosmtpd.controller import Controller

from backend.core import mail
from backend.core.config import InvalidSettings, Settings


class Postbox:
    """A mail server that keeps what it is sent, or answers as it is told."""

    def __init__(self):
        self.messages = []
        self.answer = "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802  aiosmtpd's name
        if self.answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  aiosmtpd's name
        self.messages.append(envelope.content.decode())
        return "250 OK"


@pytest.fixture
def postbox():
    box = Postbox()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    box.url = f"smtp://127.0.0.1:{port}?timeout=2"
    yield box
    controller.stop()


@pytest.fixture
def settings(app, monkeypatch, tmp_path):
    def change(**values):
        own = Settings.from_environment({}, database_url="postgresql://unused", **values)
        monkeypatch.setitem(app.extensions, "settings", own)

    change(files_url=str(tmp_path))
    return change


MESSAGE = mail.Message(message_id="5f0c", to="ada@quintet.test", subject="Zähler", text="Grüße\n")


def test_locally_a_message_is_a_file_that_can_be_read(settings):
    mail.send(MESSAGE)
    mail.send(MESSAGE)
    (kept,) = mail.kept()
    assert (kept["To"], kept["Subject"]) == ("ada@quintet.test", "Zähler")
    assert kept.get_content().split() == ["Grüße"]


def test_a_message_reaches_the_server_with_a_stable_id(settings, postbox):
    settings(mail_url=postbox.url)
    mail.send(MESSAGE)
    mail.send(MESSAGE)
    assert [text.count("Message-ID: <5f0c@127.0.0.1>") for text in postbox.messages] == [1, 1]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("550 No such user", mail.MailRefused), ("451 Try later", mail.MailUnavailable)],
)
def test_a_refusal_for_good_differs_from_one_for_now(settings, postbox, answer, kind):
    settings(mail_url=postbox.url)
    postbox.answer = answer
    with pytest.raises(kind):
        mail.send(MESSAGE)
    assert postbox.messages == []


def test_a_server_that_is_away_or_hangs_is_a_passing_trouble(settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}?timeout=0.2"
        settings(mail_url=url)
        with pytest.raises(mail.MailUnavailable):
            mail.send(MESSAGE)
    with pytest.raises(mail.MailUnavailable):
        mail.send(MESSAGE)


@pytest.mark.parametrize("field", ["to", "subject"])
def test_a_line_break_cannot_add_a_header(settings, field):
    values = {"message_id": "1", "to": "a@b.test", "subject": "x", "text": "y"}
    values[field] = "a@b.test\r\nBcc: everybody@quintet.test"
    with pytest.raises(mail.MailRefused):
        mail.send(mail.Message(**values))
    assert mail.kept() == []


def test_outside_local_the_folder_is_refused():
    environ = {"QUINTET_ENVIRONMENT": "dev", "DATABASE_URL": "postgresql://x"}
    with pytest.raises(InvalidSettings, match="QUINTET_MAIL_URL"):
        Settings.from_environment(environ)
