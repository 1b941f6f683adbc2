"""The folder in which files are left for us: what is finished there is claimed, oldest first.

A claim is a rename into a folder of its own under `processing/`, which one process wins. The
receipt and the job are committed right after it; if they are not, the file goes back.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import structlog
from sqlalchemy import func, select

from backend.core import database
from backend.core.config import current_settings
from backend.core.database import db
from backend.domains.flows.models import FlowWaiting
from backend.domains.flows.services import folders, imports, looks, places, receipts, waiting
from backend.domains.flows.services.looks import Seen
from backend.domains.flows.services.receipts import Delivery
from backend.domains.flows.services.sources import UNFINISHED

log = structlog.get_logger(__name__)

SOURCE = "drop"
ABANDONED = timedelta(minutes=5)
_TAIL = 4096
_DIGITS = 18  # No receipt has a longer number.


@dataclass(frozen=True)
class Found:
    """A file in the folder, and what tells whether it changes."""

    path: Path
    seen: Seen


def collect() -> int:
    """Claim every file that is finished, and return how many; nothing is read of them yet."""
    root = places.drop_folder()
    if root is None:
        return 0
    if not root.is_dir():
        log.warning("drop folder away")
        return 0
    _return_abandoned(root)
    found = list(_list(root))
    with database.transaction():
        ready = looks.steady(SOURCE, [each.seen for each in found])
        looks.forget_others(SOURCE, [each.seen.name for each in found])
    claimed = 0
    for each in sorted(found, key=lambda one: one.seen.modified):
        since = ready.get(each.seen.name)
        if since is not None and _is_finished(each, since):
            claimed += _claim(root, each)
    if claimed:
        log.info("files claimed", count=claimed)
    return claimed


def _list(root: Path) -> Iterator[Found]:
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.endswith(UNFINISHED):
                continue
            try:
                if entry.is_file(follow_symlinks=False):
                    yield Found(Path(entry.path), _look(Path(entry.path)))
            except OSError:
                continue


def _look(path: Path) -> Seen:
    status = path.lstat()
    return Seen(looks.shown(os.fsencode(path.name)), status.st_size, status.st_mtime_ns)


def _is_finished(found: Found, since: datetime) -> bool:
    """Whether it ends as a flow file does, or has not grown for long enough to be judged so."""
    try:
        with folders.opened(found.path) as stream:
            if has_trailer(stream, found.seen.size):
                return True
    except FileNotFoundError:
        return False
    except OSError as error:
        # In the end it is taken as it is, so that somebody is told.
        log.warning("file not readable", error=type(error).__name__)
    return datetime.now(UTC) - since > current_settings().flows_drop_patience


def has_trailer(stream: BinaryIO, size: int) -> bool:
    """Return whether the last line of so many bytes is a trailer."""
    stream.seek(max(0, size - _TAIL))
    lines = stream.read(_TAIL).rstrip().rsplit(b"\n", 1)
    return lines[-1].startswith(b"ZPT|")


def _claim(root: Path, found: Found) -> bool:
    """Rename the file and ask for its import; whoever finds it gone has lost the race.

    What keeps one file from being moved keeps none of the others.
    """
    label = receipts.label(found.path.name)
    delivery = Delivery(name=label, channel="drop", actor="drop folder", source=str(root))
    try:
        with database.transaction():
            # A claim that the database forgets is an abandoned one, and the file goes back.
            database.commit_without_waiting()
            file, row = waiting.add(delivery, imports.rules(), size=found.seen.size, place="folder")
            row.location = f"{file.id}/{folders.safe_name(label)}"
            looks.forget(SOURCE, found.seen.name)
            db.session.flush()
            target = root / places.PROCESSING / row.location
            target.parent.mkdir(parents=True)
            _rename(found, target)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("file not claimed", error=type(error).__name__)
        return False
    return True


def _rename(found: Found, target: Path) -> None:
    if _look(found.path) != found.seen:
        raise FileNotFoundError  # What was looked at is no longer there; somebody writes anew.
    found.path.rename(target)


def _return_abandoned(root: Path) -> None:
    """Give back the claims of processes that died before they had a receipt for them."""
    processing = root / places.PROCESSING
    if not processing.is_dir():
        return
    before = datetime.now(UTC) - ABANDONED
    for folder in processing.iterdir():
        try:
            changed = datetime.fromtimestamp(folder.lstat().st_mtime, UTC)
            if changed < before and not _has_receipt(folder.name):
                _give_back(root, folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            log.warning("file not returned", error=type(error).__name__)


def _has_receipt(name: str) -> bool:
    if not (name.isascii() and name.isdigit() and len(name) <= _DIGITS):
        return False
    with database.transaction():
        query = select(func.count()).select_from(FlowWaiting)
        return bool(db.session.scalar(query.where(FlowWaiting.file_id == int(name))))


def _give_back(root: Path, folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        for path in folder.iterdir():
            folders.move(path, root)
        folder.rmdir()
    else:
        folders.move(folder, root)  # Somebody put it here, where it would never be seen.
    log.warning("abandoned file returned")
