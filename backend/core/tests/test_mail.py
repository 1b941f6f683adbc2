import socket
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from backend.core import mail
from backend.core.config import InvalidSettings, Settings

MESSAGE = mail.Message(message_id="5f0c", to="ada@quintet.test", subject="Zähler", text="Grüße\n")


@pytest.fixture
def settings(app, monkeypatch, tmp_path):
    def change(**values):
        own = replace(app.extensions["settings"], **values)
        monkeypatch.setitem(app.extensions, "settings", own)

    change(files_url=str(tmp_path))
    return change


@contextmanager
def speaking(*lines, pause=0):
    """A server that says these lines, whatever it is told, and holds the line from then on."""
    is_over = threading.Event()

    def speak():
        connection, _ = listener.accept()
        with connection:
            for line in lines:
                for letter in line if pause else [line]:
                    if is_over.wait(pause):
                        return
                    connection.sendall(letter.encode())
            is_over.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=speak)
        thread.start()
        yield f"smtp://127.0.0.1:{listener.getsockname()[1]}?timeout=0.3"
        is_over.set()
        thread.join()


def test_locally_a_message_is_a_file_that_can_be_read(settings):
    mail.send(MESSAGE)
    mail.send(MESSAGE)
    (kept,) = mail.kept()
    assert (kept["To"], kept["Subject"]) == ("ada@quintet.test", "Zähler")
    assert kept.get_content().split() == ["Grüße"]
    assert mail.find("5f0c")["Subject"] == "Zähler"
    assert mail.find("5f0d") is None


def test_a_message_reaches_the_server_with_a_stable_id(postbox):
    mail.send(MESSAGE)
    mail.send(MESSAGE)
    ids = [message["Message-ID"] for message in postbox.messages]
    assert ids == ["<5f0c@127.0.0.1>"] * 2
    assert postbox.messages[0]["Subject"] == "Zähler"
    assert postbox.messages[0]["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    ("step", "answer", "kind"),
    [
        ("RCPT", "550 No such user", mail.MailRefused),
        ("RCPT", "501 Bad address", mail.MailRefused),
        ("RCPT", "451 Try later", mail.MailUnavailable),
        ("RCPT", "530 Sign in first", mail.MailUnavailable),
        ("DATA", "554 Unwanted", mail.MailRefused),
        ("DATA", "452 Full", mail.MailUnavailable),
        ("MAIL", "553 Not your address", mail.MailUnavailable),
        ("MAIL", "421 Closing", mail.MailUnavailable),
    ],
)
def test_a_refusal_of_the_message_is_for_good_and_any_other_for_now(postbox, step, answer, kind):
    postbox.answers = {step: answer}
    with pytest.raises(kind, match=answer):
        mail.send(MESSAGE)
    assert postbox.messages == []


def test_what_was_accepted_is_sent_even_if_the_goodbye_fails(postbox):
    postbox.answers = {"QUIT": "421 Gone"}
    mail.send(MESSAGE)
    assert len(postbox.messages) == 1


def test_a_server_that_is_away_hangs_or_lets_nobody_in_is_a_passing_trouble(settings):
    for lines in ([], ["554 No service\r\n"], ["220 Hello\r\n", "250 Hello\r\n"]):
        with speaking(*lines) as url:
            settings(mail_url=url)
            with pytest.raises(mail.MailUnavailable):
                mail.send(MESSAGE)
    with pytest.raises(mail.MailUnavailable):
        mail.send(MESSAGE)


def test_a_server_without_encryption_gets_nothing_where_encryption_is_asked_for(settings, postbox):
    settings(mail_url=postbox.url.replace("smtp:", "smtp+starttls:"))
    with pytest.raises(mail.MailUnavailable):
        mail.send(MESSAGE)
    assert postbox.messages == []


def test_a_server_that_is_never_silent_and_never_done_is_cut_off(settings, monkeypatch):
    monkeypatch.setattr(mail, "WHOLE_TIMEOUT", 0.5)
    with speaking("220 Hello\r\n", "250-" + "x" * 200, pause=0.02) as url:
        settings(mail_url=url)
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


def test_a_message_shows_neither_address_nor_text_where_it_is_logged():
    assert repr(MESSAGE) == "Message(message_id='5f0c')"


def test_an_e_mail_is_written_from_a_template_that_names_its_subject(tmp_path):
    template = tmp_path / "hello.txt"
    template.write_text("Subject: For {{ name }}\n\nDear {{ name }},\n\n<b>\n")
    written = mail.written(template, name="Ada & Co")
    assert written == ("For Ada & Co", "Dear Ada & Co,\n\n<b>\n")
    with pytest.raises(Exception, match="undefined"):
        mail.written(template)
