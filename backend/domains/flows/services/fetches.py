"""Fetching what is finished on somebody else's server; for workers alone, as SFTP is heavy."""

import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from errno import EACCES, ENOENT
from hashlib import file_digest
from os import SEEK_END
from sys import maxsize
from typing import NamedTuple

import structlog
from paramiko import SFTPAttributes  # type: ignore[import-untyped]  # it has no types
from sqlalchemy import update

from backend.core import database, files
from backend.core.config import current_settings
from backend.core.database import db
from backend.domains.flows.models import FlowLook
from backend.domains.flows.services import drop, imports, looks, places, receipts, sftp, waiting
from backend.domains.flows.services.looks import Seen
from backend.domains.flows.services.receipts import Delivery
from backend.domains.flows.services.sftp import Client
from backend.domains.flows.services.sources import UNFINISHED

log = structlog.get_logger(__name__)

PROCESSED = "processed"
_SUFFIX = 12
_LONGEST = 255


class Changed(Exception):
    """The file was not the same at the end as at the beginning."""


class Found(NamedTuple):
    """A file on the server: its name there, and how it looks."""

    key: bytes
    seen: Seen


def fetch(address: str, source: str) -> int:
    """Fetch what is finished on the server, and return how many files that were.

    :raises Barred: when it did not prove to be the one that is known
    :raises Away: when it does not answer, or no longer
    :raises FilesUnavailable: when some file could not be kept here; what is smaller was fetched
    """
    with sftp.connected(address) as server:
        return _fetch_all(server, source, sftp.folder(address))


def _fetch_all(server: Client, source: str, folder: str) -> int:
    try:
        server.chdir(folder)
    except OSError as error:
        if not _is_answer(server, error):
            raise
        raise sftp.Away("the folder of QUINTET_FLOWS_SFTP cannot be opened there") from error
    found = {each.seen.name: each for each in _list(server)}
    with database.transaction():
        looks.forget_others(source, found)
        ready = looks.steady(source, [each.seen for each in found.values()])
        taken = looks.taken(source)
    _move_taken(server, source, [(found[name], digest) for name, digest in taken.items()])
    found_ready = [each for each in found.values() if each.seen.name in ready]
    oldest_first = sorted(found_ready, key=lambda one: one.seen.modified)
    return _fetch_each(server, source, [(each, ready[each.seen.name]) for each in oldest_first])


def _fetch_each(server: Client, source: str, wanted: Sequence[tuple[Found, datetime]]) -> int:
    """Fetch one after the other, and leave for later what cannot be had or kept just now."""
    count, room, trouble = 0, maxsize, None
    for each, since in wanted:
        if each.seen.size >= room:
            continue  # A smaller one had no room here.
        try:
            count += _fetch(server, source, each, since)
        except files.FilesUnavailable as error:
            room, trouble = each.seen.size, error
        except (OSError, Changed, files.OverSizeLimit) as error:
            if not _is_about_one_file(server, error):
                raise
            log.warning("file not fetched", error=type(error).__name__)
    if trouble is not None:
        raise trouble
    return count


def _is_about_one_file(server: Client, error: Exception) -> bool:
    """Return whether the server itself refused, in good order, what was asked of it."""
    if isinstance(error, Changed | files.OverSizeLimit):
        return True
    return _is_answer(server, error)


def _is_answer(server: Client, error: Exception) -> bool:
    is_answer = isinstance(error, OSError) and error.errno in {None, ENOENT, EACCES}
    is_cut = isinstance(error, TimeoutError | ConnectionError) or server.get_channel().closed
    return is_answer and not is_cut


def _list(server: Client) -> Iterator[Found]:
    for entry in server.listdir_attr("."):
        name = entry.filename
        is_step = "/" not in name and "\0" not in name and len(name) <= _LONGEST
        is_finished = not name.startswith(".") and not name.endswith(UNFINISHED)
        is_possible = (entry.st_size or 0) <= maxsize
        if stat.S_ISREG(entry.st_mode or 0) and is_step and is_finished and is_possible:
            key = sftp.raw(name)
            yield Found(key, _look(key, entry))


def _look(key: bytes, entry: SFTPAttributes) -> Seen:
    return Seen(looks.shown(key), entry.st_size or 0, int(entry.st_mtime or 0))


def _fetch(server: Client, source: str, found: Found, since: datetime) -> bool:
    """Fetch one file into a copy of our own; only when all of it is there is it accepted.

    The copy lies where accepted files are kept, so that it needs no other room.

    :raises Changed: when there was less or more, or another file has the name by now
    :raises FilesUnavailable: when it cannot be kept here
    """
    size = found.seen.size
    blocks = server.blocks(found.key, size)
    with files.copied(blocks, folder=places.STAGED, size_limit=size) as copy:
        if copy.seek(0, SEEK_END) != size or not _is_the_same(server, found):
            raise Changed
        is_old = datetime.now(UTC) - since > current_settings().flows_drop_patience
        if not drop.has_trailer(copy, size) and not is_old:
            return False
        copy.seek(0)
        digest = file_digest(copy, "sha256").hexdigest()  # type: ignore[arg-type]  # it reads
        key = places.stage(copy, digest)
    _accept(source, found, digest, key)
    _move_taken(server, source, [(found, digest)])
    return True


def _is_the_same(server: Client, found: Found) -> bool:
    """Return whether what has the name now looks as it did in the list."""
    return _look(found.key, server.stat(found.key)) == found.seen


def _accept(source: str, found: Found, digest: str, key: str) -> None:
    """Commit receipt, job and ledger; from here on the file is ours, whatever becomes of theirs."""
    seen, label = found.seen, receipts.label(found.key.decode("utf-8", "replace"))
    delivery = Delivery(name=label, channel="sftp", actor="remote server", source=source)
    with database.transaction(), places.staged(key):
        file, _ = waiting.add(
            delivery, imports.rules(), size=seen.size, place="staged", location=key
        )
        taken = update(FlowLook).where(FlowLook.source == source, FlowLook.name == seen.name)
        db.session.execute(
            taken.values(taken_at=datetime.now(UTC), raw_hash=digest, file_id=file.id)
        )


def _move_taken(server: Client, source: str, taken: Sequence[tuple[Found, str]]) -> None:
    """Move their files out of the way; where that is not allowed, the ledger remembers them."""
    if not taken:
        return
    try:
        if PROCESSED not in server.listdir("."):
            server.mkdir(PROCESSED)
        there = {sftp.raw(name) for name in server.listdir(PROCESSED)}
    except OSError as error:
        log.info("files stay on the server", error=type(error).__name__)
        return
    for found, digest in taken:
        suffix = f".{digest[:_SUFFIX]}" if found.key in there else ""
        target = found.key + suffix.encode()
        try:
            if not _is_the_same(server, found):
                continue  # Another one has its name by now, which the next look finds.
            server.rename(found.key, f"{PROCESSED}/".encode() + target)
        except OSError as error:
            log.info("file stays on the server", error=type(error).__name__)
            continue
        there.add(target)
        with database.transaction():
            looks.forget(source, found.seen.name)
