"""E-mail: one function that sends, a folder of messages locally and SMTP elsewhere."""

import smtplib
import ssl
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import parse_qs, unquote, urlsplit

import fsspec

from backend.core.config import current_settings

TIMEOUT = 10  # Seconds for each step; a job's own limit is above the sum of what is usual.


class MailRefused(Exception):
    """The mail server will never take this message; sending it again would not help."""


class MailUnavailable(Exception):
    """The mail server did not take the message now; sending it again may help."""


@dataclass(frozen=True)
class Message:
    """One e-mail; `message_id` is stable, so that a repeat can be recognised."""

    message_id: str
    to: str
    subject: str
    text: str


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


def kept() -> list[EmailMessage]:
    """Return the messages in the local folder, newest first."""
    folder, path = _folder()
    files = folder.glob(f"{path}/*.eml")
    files.sort(key=folder.modified, reverse=True)
    return [message_from_bytes(folder.cat_file(file), policy=policy.default) for file in files]


def _folder() -> tuple[fsspec.AbstractFileSystem, str]:
    filesystem, path = fsspec.url_to_fs(current_settings().files_url)
    return filesystem, f"{path}/mail"


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
    try:
        with _connect(url) as server:
            parts = urlsplit(url)
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _kind(codes[0])("the recipient was refused") from error
    except smtplib.SMTPResponseException as error:
        raise _kind(error.smtp_code)(f"the server answered {error.smtp_code}") from error
    except (OSError, smtplib.SMTPException) as error:
        raise MailUnavailable(f"the server did not take it: {type(error).__name__}") from error


def _connect(url: str) -> smtplib.SMTP:
    parts = urlsplit(url)
    host, timeout = (
        parts.hostname or "localhost",
        float(parse_qs(parts.query).get("timeout", [TIMEOUT])[0]),
    )
    if parts.scheme == "smtps":
        return smtplib.SMTP_SSL(
            host, parts.port or 465, timeout=timeout, context=ssl.create_default_context()
        )
    server = smtplib.SMTP(host, parts.port or 25, timeout=timeout)
    if parts.scheme == "smtp+starttls":
        server.starttls(context=ssl.create_default_context())
    return server


def _kind(code: int) -> type[Exception]:
    """Return what an SMTP answer means: 5xx for good, except for authentication, else for now."""
    return MailRefused if 550 <= code < 560 else MailUnavailable  # noqa: PLR2004  SMTP's own numbers
