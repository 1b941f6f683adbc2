"""A connection to somebody else's server by SFTP, of which little is taken for granted.

It proves by its host key to be the one that is known, answers in time, and may have files whose
names are no text.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any
from urllib.parse import unquote, urlsplit

import paramiko  # type: ignore[import-untyped]  # it has no types

from backend.core.config import current_settings

PATIENCE = 10.0  # Seconds for each step of a connection.
_REQUEST = 32 * 1024  # Bytes that every server gives at once.
_AHEAD = 64  # Requests that are on their way; their answers are all that is held in memory.
SILENCE = 30.0  # Seconds without an answer, and for all the steps until the folder is open.


class Barred(Exception):
    """The server did not prove to be the one that is known."""


class Away(Exception):
    """The server did not answer, or no longer, or a setting keeps us from it."""


class _OnlyKnown(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # untyped upstream
    def missing_host_key(self, client: object, hostname: str, key: object) -> None:  # noqa: ARG002
        raise Barred("its host key is unknown")


class _Names(paramiko.Message):  # type: ignore[misc]  # untyped upstream
    def get_text(self) -> str:
        name: bytes = self.get_string()
        return name.decode("utf-8", "surrogateescape")


class _Answers(dict[int, tuple[int, Any]]):
    """What came in answer to requests while another answer was waited for."""

    def _async_response(self, kind: int, answer: object, number: int) -> None:
        self[number] = kind, answer


class Client(paramiko.SFTPClient):  # type: ignore[misc]  # untyped upstream
    """A client that lists a folder also when some names in it are no text.

    It reads ahead itself: once the library's own thread is slower than the server, its reading
    goes one step at a time while that thread fills the memory.
    """

    def blocks(self, name: bytes, size: int) -> Iterator[bytes]:
        """Give so many bytes of a file, or what there is of it if that is less."""
        answers: _Answers = _Answers()
        with self.open(name, "rb") as remote:
            asked: deque[tuple[int, int, int]] = deque()
            start = 0
            while start < size or asked:
                while start < size and len(asked) < _AHEAD:
                    length = min(_REQUEST, size - start)
                    asked.append(self._ask(remote, answers, start, length))
                    start += length
                number, offset, length = asked.popleft()
                block = self._answer(answers, number)
                if not block:
                    return
                yield block
                if len(block) < length:
                    rest = offset + len(block), length - len(block)
                    asked.appendleft(self._ask(remote, answers, *rest))

    def _ask(self, remote: Any, answers: _Answers, start: int, length: int) -> tuple[int, int, int]:
        words = remote.handle, paramiko.sftp.int64(start), length
        return self._async_request(answers, paramiko.sftp.CMD_READ, *words), start, length

    def _answer(self, answers: _Answers, number: int) -> bytes:
        try:
            kind, answer = answers.pop(number, None) or self._read_response(number)
            if kind == paramiko.sftp.CMD_STATUS:
                self._convert_status(answer)
        except EOFError:
            return b""
        if kind != paramiko.sftp.CMD_DATA:
            raise paramiko.SFTPError("data was expected")
        block: bytes = answer.get_string()
        return block

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
    except paramiko.AuthenticationException as error:
        raise Away("it refuses the user of QUINTET_FLOWS_SFTP with our key") from error
    except (OSError, EOFError, paramiko.SSHException, paramiko.SFTPError) as error:
        raise Away(f"it does not answer ({type(error).__name__})") from error


@contextmanager
def _connection(address: str) -> Iterator[Client]:
    parts = urlsplit(address)
    with paramiko.SSHClient() as client:
        _load_keys(client)
        # Some steps wait without end for a server that is there and says nothing.
        watchdog = Timer(SILENCE, client.close)
        watchdog.start()
        try:
            _connect(client, parts.hostname or "", parts.port or 22, unquote(parts.username or ""))
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
        except (OSError, ValueError, paramiko.hostkeys.InvalidHostKey) as error:
            raise Barred(
                "QUINTET_FLOWS_SFTP_HOST_KEYS names no file of host keys that can be read"
            ) from error


def _key() -> paramiko.PKey | None:
    path = current_settings().flows_sftp_key
    try:
        return paramiko.PKey.from_path(path) if path else None
    except (paramiko.PasswordRequiredException, TypeError) as error:
        raise Away(
            "the key of QUINTET_FLOWS_SFTP_KEY has a passphrase, and may have none"
        ) from error
    except Exception as error:
        # What is no key is refused in many ways.
        raise Away("QUINTET_FLOWS_SFTP_KEY names no private key that can be read") from error


def _connect(client: paramiko.SSHClient, host: str, port: int, user: str) -> None:
    client.connect(
        host,
        port,
        username=user,
        pkey=_key(),
        allow_agent=False,
        look_for_keys=False,
        timeout=PATIENCE,
        banner_timeout=PATIENCE,
        auth_timeout=PATIENCE,
        channel_timeout=PATIENCE,
    )


def folder(address: str) -> str:
    """Return the folder of an address, below that of the login unless it has two slashes."""
    path = unquote(urlsplit(address).path)
    return f"/{path.lstrip('/')}" if path.startswith("//") else path.lstrip("/") or "."


def raw(name: str) -> bytes:
    """Return a listed name as the server has it."""
    return name.encode("utf-8", "surrogateescape")
