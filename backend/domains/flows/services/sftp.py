"""Fetching files from the remote server by SFTP.

It is imported where it is used: what it stands on would be a twentieth of the web process.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import file_digest
from tempfile import TemporaryFile
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

import paramiko  # type: ignore[import-untyped]  # it has no types
import structlog
from sqlalchemy import update

from backend.core import database
from backend.core.config import InvalidSettings, current_settings
from backend.core.database import db
from backend.domains.flows.models import FlowLook
from backend.domains.flows.services import drop, imports, looks, places, receipts, waiting
from backend.domains.flows.services.looks import Seen
from backend.domains.flows.services.receipts import Delivery
from backend.domains.flows.services.sources import UNFINISHED

log = structlog.get_logger(__name__)

PATIENCE = 10.0  # Seconds for each step of a connection.
SILENCE = 30.0  # Seconds without an answer.
PROCESSED = "processed"
_BLOCK = 256 * 1024
_SUFFIX = 12


class Barred(Exception):
    """The server did not prove to be the one that is known."""


class Away(Exception):
    """The server is not there, or stopped answering; the message is the kind of error."""


class Changed(Exception):
    """The file was not the same at the end as at the beginning."""


class _OnlyKnown(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # untyped upstream
    def missing_host_key(self, client: object, hostname: str, key: object) -> None:  # noqa: ARG002
        raise Barred("its host key is unknown")


def fetch(address: str, source: str) -> int:
    """Fetch what is finished on the server, and return how many files that were.

    :raises Barred: when the server is not the one that is known
    :raises Away: when it cannot be reached, or not to the end
    """
    try:
        with _connected(address) as server:
            return _fetch_all(server, source, unquote(urlsplit(address).path).lstrip("/") or ".")
    except paramiko.BadHostKeyException as error:
        raise Barred("its host key has changed") from error
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise Away(type(error).__name__) from error


@contextmanager
def _connected(address: str) -> Iterator[paramiko.SFTPClient]:
    """Connect with our key to a server whose key is known; no password is ever sent."""
    settings, parts = current_settings(), urlsplit(address)
    if parts.scheme != "sftp" or not parts.hostname or parts.password:
        raise InvalidSettings("QUINTET_FLOWS_SFTP is like sftp://user@host:22/folder")
    with paramiko.SSHClient() as client:
        if settings.flows_sftp_host_keys:
            client.load_host_keys(settings.flows_sftp_host_keys)
        client.set_missing_host_key_policy(_OnlyKnown())
        client.connect(
            parts.hostname,
            parts.port or 22,
            username=unquote(parts.username or ""),
            key_filename=settings.flows_sftp_key or None,
            allow_agent=False,
            look_for_keys=False,
            timeout=PATIENCE,
            banner_timeout=PATIENCE,
            auth_timeout=PATIENCE,
        )
        with client.open_sftp() as server:
            server.get_channel().settimeout(SILENCE)
            yield server


def _fetch_all(server: paramiko.SFTPClient, source: str, folder: str) -> int:
    server.chdir(folder)
    seen = list(_list(server))
    with database.transaction():
        ready = looks.steady(source, seen)
        taken = looks.taken(source)
    _move_taken(
        server, source, {each.name: taken[each.name] for each in seen if each.name in taken}
    )
    count = 0
    for each in sorted(seen, key=lambda one: one.modified):
        since = ready.get(each.name)
        if since is None:
            continue
        try:
            count += _fetch(server, source, each, since)
        except (FileNotFoundError, PermissionError, Changed) as error:
            log.warning("file not fetched", error=type(error).__name__)
    return count


def _list(server: paramiko.SFTPClient) -> Iterator[Seen]:
    for entry in server.listdir_attr("."):
        name = entry.filename
        is_step = "/" not in name and "\0" not in name
        is_finished = not name.startswith(".") and not name.endswith(UNFINISHED)
        if stat.S_ISREG(entry.st_mode or 0) and is_step and is_finished:
            yield Seen(name, entry.st_size or 0, int(entry.st_mtime or 0))


def _fetch(server: paramiko.SFTPClient, source: str, seen: Seen, since: datetime) -> bool:
    """Fetch one file into a copy of our own; only when all of it is there is it accepted."""
    with TemporaryFile() as unnamed:
        copy = cast("BinaryIO", unnamed)
        with server.open(seen.name, "rb") as remote:
            remote.prefetch(seen.size)
            while block := remote.read(_BLOCK):
                copy.write(block)
        if copy.tell() != seen.size or server.stat(seen.name).st_size != seen.size:
            raise Changed
        is_old = datetime.now(UTC) - since > current_settings().flows_drop_patience
        if not drop.has_trailer(copy, seen.size) and not is_old:
            return False
        copy.seek(0)
        digest = file_digest(copy, "sha256").hexdigest()  # type: ignore[arg-type]  # it reads
        key = places.stage(copy, digest)
    _accept(source, seen, digest, key)
    _move_taken(server, source, {seen.name: digest})
    return True


def _accept(source: str, seen: Seen, digest: str, key: str) -> None:
    """Commit receipt, job and ledger; from here on the file is ours, whatever becomes of theirs."""
    label = receipts.label(seen.name)
    delivery = Delivery(name=label, channel="sftp", actor="remote server", source=source)
    with database.transaction():
        file, _ = waiting.add(
            delivery, imports.rules(), size=seen.size, place="staged", location=key
        )
        taken = update(FlowLook).where(FlowLook.source == source, FlowLook.name == seen.name)
        db.session.execute(
            taken.values(taken_at=datetime.now(UTC), raw_hash=digest, file_id=file.id)
        )


def _move_taken(server: paramiko.SFTPClient, source: str, taken: dict[str, str]) -> None:
    """Move their files out of the way; where that is not allowed, the ledger remembers them."""
    if not taken:
        return
    try:
        if PROCESSED not in server.listdir("."):
            server.mkdir(PROCESSED)
        there = set(server.listdir(PROCESSED))
        for name, digest in taken.items():
            suffix = f".{digest[:_SUFFIX]}" if name in there else ""
            server.rename(name, f"{PROCESSED}/{name}{suffix}")
            with database.transaction():
                looks.forget(source, name)
    except OSError as error:
        log.info("files stay on the server", error=type(error).__name__)
