"""E-mail: one function that sends, a folder of messages locally and SMTP elsewhere."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from socket import SHUT_RDWR
from threading import Timer
from time import monotonic
from urllib.parse import parse_qs, unquote, urlsplit

import fsspec  # type: ignore[import-untyped]  # it has no types
import jinja2

from backend.core.config import current_settings
from backend.core.outbox import Permanent

TIMEOUT = 10  # Seconds for each step; `?timeout=` in the address changes it.
WHOLE_TIMEOUT = 20  # A job that calls outside is killed after 25.

PERMANENT = 500
SUBJECT = "Subject: "


class MailRefused(Permanent):
    """The mail server will never take this message; sending it again would not help."""


class MailUnavailable(Exception):
    """The mail server did not take the message now; sending it again may help."""


@dataclass(frozen=True)
class Message:
    """One e-mail; `message_id` is stable, so that a repeat can be recognised."""

    message_id: str
    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)


def written(template: Path, **values: object) -> tuple[str, str]:
    """Return subject and text of an e-mail from a template, whose first line is `Subject: …`."""
    environment = jinja2.Environment(  # noqa: S701  plain text, in which nothing is escaped
        loader=jinja2.FileSystemLoader(template.parent), undefined=jinja2.StrictUndefined
    )
    first, _, text = environment.get_template(template.name).render(values).partition("\n")
    return first.removeprefix(SUBJECT).strip(), f"{text.strip()}\n"


def send(message: Message) -> None:
    """Hand the message to the mail server, or to the folder that stands in for one locally.

    Twice the same message id replaces the file in the folder; a mail server may deliver both.

    :raises MailRefused: if the server refuses it for good, or an address or subject is malformed
    :raises MailUnavailable: if the server cannot be reached or answers with a temporary error
    """
    url = current_settings().mail_url
    if url:
        _send_by_smtp(url, _render(message))
    else:
        folder, path = _folder()
        folder.makedirs(path, exist_ok=True)
        folder.pipe_file(f"{path}/{message.message_id}.eml", bytes(_render(message)))


def kept(limit: int | None = None) -> list[EmailMessage]:
    """Return the messages in the local folder, newest first, at most so many."""
    folder, path = _folder()
    files = sorted(folder.glob(f"{path}/*.eml"), key=folder.modified, reverse=True)
    return [_read(folder.cat_file(file)) for file in files[:limit]]


def find(message_id: str) -> EmailMessage | None:
    """Return the message of that id in the local folder, if there is one."""
    folder, path = _folder()
    file = f"{path}/{message_id}.eml"
    return _read(folder.cat_file(file)) if folder.exists(file) else None


def _folder() -> tuple[fsspec.AbstractFileSystem, str]:
    filesystem, path = fsspec.url_to_fs(current_settings().files_url)
    return filesystem, f"{path}/mail"


def _read(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def _render(message: Message) -> EmailMessage:
    rendered = EmailMessage(policy=policy.SMTP)
    try:
        rendered["From"] = current_settings().mail_from
        rendered["To"] = Address(addr_spec=message.to)
        rendered["Subject"] = message.subject
    except ValueError as error:
        raise MailRefused(f"an address or subject is malformed: {error}") from error
    rendered["Message-ID"] = (
        f"<{message.message_id}@{urlsplit(current_settings().public_url).hostname}>"
    )
    rendered["Date"] = formatdate()
    rendered["Auto-Submitted"] = "auto-generated"
    rendered.set_content(message.text)
    return rendered


def _send_by_smtp(url: str, message: EmailMessage) -> None:
    """Send by `smtp://` (plain), `smtp+starttls://` or `smtps://`, signed in if a user is given."""
    until = monotonic() + WHOLE_TIMEOUT
    try:
        server = _connect(url)
        with _cut_off(server, until - monotonic()):
            _sign_in(server, url)
            server.send_message(message)
            # It is accepted. Whatever goes wrong from here on must not have it sent again.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
    except smtplib.SMTPRecipientsRefused as error:
        ((code, said),) = error.recipients.values()
        raise _judge(code, said) from error
    except smtplib.SMTPDataError as error:
        raise _judge(error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPResponseException as error:
        # A refusal of us or of the sender is about the settings and not about this message.
        raise MailUnavailable(_quoted(error.smtp_code, error.smtp_error)) from error
    except (OSError, smtplib.SMTPException) as error:
        raise MailUnavailable(f"the server did not take it: {type(error).__name__}") from error


def _connect(url: str) -> smtplib.SMTP:
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    timeout = float(parse_qs(parts.query).get("timeout", [TIMEOUT])[0])
    # Asked for its own name, the machine might wait for a name server.
    own_name = urlsplit(current_settings().public_url).hostname
    if parts.scheme == "smtps":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, parts.port or 465, own_name, timeout=timeout, context=context)
    return smtplib.SMTP(host, parts.port or 25, own_name, timeout=timeout)


def _sign_in(server: smtplib.SMTP, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "smtp+starttls":
        server.starttls(context=ssl.create_default_context())
    if parts.username:
        server.login(unquote(parts.username), unquote(parts.password or ""))


@contextmanager
def _cut_off(server: smtplib.SMTP, seconds: float) -> Iterator[None]:
    """End the conversation after that time, even when each of its steps is quick enough."""

    def cut() -> None:
        if server.sock:
            server.sock.shutdown(SHUT_RDWR)

    timer = Timer(max(0, seconds), cut)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        server.close()


def _judge(code: int, said: bytes | str) -> Exception:
    """Return what the answer to a recipient or a text means: 5xx for good, else for now.

    530 to 538 ask for a password or for TLS, which is about the settings.
    """
    is_final = code >= PERMANENT and code not in range(530, 540)
    return (MailRefused if is_final else MailUnavailable)(_quoted(code, said))


def _quoted(code: int, said: bytes | str) -> str:
    words = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"the server answered {code} {words}"
