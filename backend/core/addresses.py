"""Addresses that settings give, judged before anything is sent there.

What is said of a wrong one never quotes it, as a password that was written in a wrong way may stand
anywhere in it.
"""

from collections.abc import Sequence
from email import policy
from email.errors import MessageError
from email.headerregistry import Address
from math import isfinite
from urllib.parse import SplitResult, parse_qs, urlsplit

_MAIL = {"smtp", "smtp+starttls", "smtps"}


def mail_server(text: str) -> str:
    """Return the address of a mail server as it is, or nothing where there is none.

    :raises ValueError: when it is none
    """
    parts = _split(text)
    if text and (parts is None or parts.scheme not in _MAIL or not _is_plain(parts)):
        raise ValueError(
            "an address like smtps://user:password@host:465 is expected, with smtp, smtp+starttls"
            " or smtps, and ?timeout= only with seconds above 0; in user and password, characters"
            " like # / ? @ % are written %23 %2F %3F %40 %25"
        )
    return text


def sftp_folder(text: str) -> str:
    """Return the address of a folder on a server as it is, or nothing where there is none.

    :raises ValueError: when it is none, or has a password
    """
    parts = _split(text)
    is_good = parts and parts.scheme == "sftp" and parts.username and parts.password is None
    if text and not (parts and is_good and not parts.query and not parts.fragment):
        raise ValueError(
            "an address like sftp://user@host:22/folder is expected, without a password; in user"
            " and folder, characters like # ? @ % are written %23 %3F %40 %25"
        )
    return text


def sender(text: str) -> str:
    """Return the sender of e-mails as it is.

    :raises ValueError: when it is no address, or more than one
    """
    found = _people(text)
    if not (
        len(found) == 1 and found[0].username and found[0].domain and found[0].addr_spec.isascii()
    ):
        raise ValueError("one address is expected, like Quintet <no-reply@example.com>")
    return text


def _people(text: str) -> Sequence[Address]:
    try:
        header = policy.SMTP.header_factory("From", text)
    except (MessageError, ValueError, IndexError):
        return ()  # The library has more than one way to trip over what is none.
    return header.addresses if text.isprintable() and not header.defects else ()


def _split(text: str) -> SplitResult | None:
    """Return the parts of an address with a host and a port that can be read, if it has them."""
    try:
        parts = urlsplit(text)
        is_good = text.isprintable() and " " not in text and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if is_good else None


def _is_plain(parts: SplitResult) -> bool:
    """Return whether nothing follows the host and the port but a good time limit."""
    if parts.path.strip("/") or parts.fragment:
        return False
    try:
        asked = parse_qs(parts.query, strict_parsing=True) if parts.query else {"timeout": ["1"]}
        seconds = [float(each) for each in asked.pop("timeout")]
    except (ValueError, KeyError):
        return False
    return not asked and len(seconds) == 1 and isfinite(seconds[0]) and seconds[0] > 0
