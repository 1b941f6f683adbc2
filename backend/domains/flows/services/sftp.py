"""A connection to somebody else's server by SFTP, of which little is taken for granted.

It proves by its host key to be the one that is known, answers in time, and may have files whose
names are no text.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any
from urllib.parse import unquote, urlsplit

import paramiko  # type: ignore[import-untyped]  # it has no types

from backend.core.config import InvalidSettings, current_settings

PATIENCE = 10.0  # Seconds for each step of a connection.
SILENCE = 30.0  # Seconds without an answer, and for all the steps until the folder is open.


class Barred(Exception):
    """The server did not prove to be the one that is known."""


class Away(Exception):
    """The server did not answer, or no longer."""


class _OnlyKnown(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # untyped upstream
    def missing_host_key(self, client: object, hostname: str, key: object) -> None:  # noqa: ARG002
        raise Barred("its host key is unknown")


class _Names(paramiko.Message):  # type: ignore[misc]  # untyped upstream
    def get_text(self) -> str:
        name: bytes = self.get_string()
        return name.decode("utf-8", "surrogateescape")


class Client(paramiko.SFTPClient):  # type: ignore[misc]  # untyped upstream
    """A client that lists a folder also when some names in it are no text."""

    def _request(self, kind: int, *words: object) -> tuple[int, Any]:
        kind, answer = super()._request(kind, *words)
        if kind == paramiko.sftp.CMD_NAME:
            answer.__class__ = _Names
        return kind, answer


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect with our key to a server whose key is known; no password is ever sent.

    :raises Barred: when its key is not the one that is known
    :raises Away: when it does not answer, or no longer, also while it is used
    """
    try:
        with _connection(address) as server:
            yield server
    except (OSError, EOFError, paramiko.SSHException, paramiko.SFTPError) as error:
        raise Away(type(error).__name__) from error


@contextmanager
def _connection(address: str) -> Iterator[Client]:
    parts = urlsplit(address)
    if parts.scheme != "sftp" or not parts.hostname or parts.password:
        raise InvalidSettings("QUINTET_FLOWS_SFTP is like sftp://user@host:22/folder")
    with paramiko.SSHClient() as client:
        _load_keys(client)
        # Some steps wait without end for a server that is there and says nothing.
        watchdog = Timer(SILENCE, client.close)
        watchdog.start()
        try:
            _connect(client, parts.hostname, parts.port or 22, unquote(parts.username or ""))
            server = Client.from_transport(client.get_transport())
            server.get_channel().settimeout(SILENCE)
        except paramiko.BadHostKeyException as error:
            raise Barred("its host key has changed") from error
        finally:
            watchdog.cancel()
        with server:
            yield server


def _load_keys(client: paramiko.SSHClient) -> None:
    client.set_missing_host_key_policy(_OnlyKnown())
    if path := current_settings().flows_sftp_host_keys:
        try:
            client.load_host_keys(path)
        except OSError as error:
            raise Barred("the file of its host keys cannot be read") from error


def _connect(client: paramiko.SSHClient, host: str, port: int, user: str) -> None:
    client.connect(
        host,
        port,
        username=user,
        key_filename=current_settings().flows_sftp_key or None,
        allow_agent=False,
        look_for_keys=False,
        timeout=PATIENCE,
        banner_timeout=PATIENCE,
        auth_timeout=PATIENCE,
        channel_timeout=PATIENCE,
    )


def raw(name: str) -> bytes:
    """Return a listed name as the server has it."""
    return name.encode("utf-8", "surrogateescape")
