"""Files that are accepted first and imported by a job: uploads, and what folders and servers bring.

The receipt, the place of its bytes and the job are committed together. The job may be done twice or
be cut off anywhere: the receipt's lock and its status let each file be imported once.
"""

import time
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from errno import EACCES, EINVAL, ELOOP, EPERM

from sqlalchemy import Text, and_, cast, exists, not_, select, update
from sqlalchemy.exc import SQLAlchemyError

from backend.core import database, files
from backend.core.database import db
from backend.core.errors import Unavailable
from backend.core.outbox import Job, enqueue
from backend.domains.flows import d0010
from backend.domains.flows.models import UNFINISHED, FlowFile, FlowWaiting
from backend.domains.flows.services import imports, loading, messages, places, receipts
from backend.domains.flows.services.receipts import Delivery

TOPIC = "flows.import_file"
TRIES = 3
PAUSE = timedelta(minutes=15)
_FINAL = {EACCES, EPERM, ELOOP, EINVAL}  # It may not be read, or is no file any more.
_SHOWN_EVERY = 1.0  # Seconds between two steps of the progress that people see.


class NotImported(Unavailable):
    """The import failed, and nothing of it was kept. Try again; if it fails again, tell us."""


def add(
    delivery: Delivery, options: d0010.Options, *, size: int, place: str, location: str = ""
) -> tuple[FlowFile, FlowWaiting]:
    """Write a receipt for bytes that wait, and ask for their import, in this transaction."""
    file = receipts.draft(delivery, options)
    file.status, file.size_bytes = "waiting", size
    db.session.add(file)
    db.session.flush()
    return file, ask(file, place=place, location=location)


def ask(file: FlowFile, *, place: str, location: str, is_released: bool = False) -> FlowWaiting:
    """Ask for the import of a receipt whose bytes are there."""
    file.status = "waiting"
    row = FlowWaiting(file_id=file.id, place=place, location=location, is_released=is_released)
    db.session.add(row)
    enqueue(TOPIC, file_id=file.id)
    return row


def ask_again(file: FlowFile, row: FlowWaiting) -> None:
    """Give a file that was given up all its tries again."""
    file.status, row.tries = "waiting", 0
    enqueue(TOPIC, file_id=file.id)


def ask_for_forgotten() -> int:
    """Ask, after a pause, for every import whose job is dead, and return how many those are.

    Staged bytes of a file that was given up wait for somebody to have it processed again.
    """
    job = exists().where(
        Job.topic == TOPIC,
        Job.done_at.is_(None),
        Job.dead_at.is_(None),
        Job.payload["file_id"].astext == cast(FlowWaiting.file_id, Text),
    )
    is_given_up = and_(FlowFile.status == "failed", FlowWaiting.place == "staged")
    query = select(FlowWaiting.file_id).join(FlowFile, FlowFile.id == FlowWaiting.file_id)
    forgotten = db.session.scalars(query.where(~job, not_(is_given_up))).all()
    for file_id in forgotten:
        enqueue(TOPIC, file_id=file_id, delay=PAUSE)
    return len(forgotten)


def find(file_id: int) -> FlowWaiting | None:
    """Return where a file's bytes wait, and how far their import is."""
    return db.session.get(FlowWaiting, file_id)


def progress(file_id: int) -> dict[str, int] | None:
    """Return how many records of a file are read, of how many, or None when it has ended."""
    row = find(file_id)
    return {"done": row.records_done, "total": row.records_total} if row else None


def import_one(file_id: int) -> None:
    """Import the file and put its bytes where they belong; nothing is done where that is done.

    It opens transactions of its own, as an import does; what comes after is left to the caller's,
    which ends the job. Should the database forget that one, nothing is imported again.

    :raises NotImported: when it failed, and is to be tried again
    :raises InOtherHands: when another process is at it
    """
    if task := _to_do(file_id):
        _try(*task)
    database.commit_without_waiting()
    if waiting := find(file_id):
        file = db.session.get_one(FlowFile, file_id)
        if places.put_away(waiting, file):
            db.session.delete(waiting)


def _to_do(file_id: int) -> tuple[FlowFile, FlowWaiting] | None:
    with database.transaction():
        file = db.session.get(FlowFile, file_id, populate_existing=True)
        waiting = db.session.get(FlowWaiting, file_id, populate_existing=True)
        if file is None or waiting is None or file.status not in UNFINISHED:
            return None
        receipts.hold(file_id)
        return file, waiting


def _try(file: FlowFile, waiting: FlowWaiting) -> None:
    """Try once. It counts before a byte is read, so that a try which kills the process counts too.

    What is no fault of the file's counts for nothing.
    """
    if waiting.tries >= TRIES:
        _give_up(file.id)
        return
    is_last = waiting.tries + 1 == TRIES
    _count(file.id, 1)
    try:
        _import(file, waiting, is_last=is_last)
    except (files.FilesUnavailable, places.DropFolderMissing, receipts.InOtherHands):
        _count(file.id, -1)
        raise


def _count(file_id: int, tries: int) -> None:
    with database.transaction():
        # If the database crashes now, the import ends with it, and only this try is not counted.
        database.commit_without_waiting()
        counted = update(FlowWaiting).where(FlowWaiting.file_id == file_id)
        db.session.execute(counted.values(tries=FlowWaiting.tries + tries))


def _import(file: FlowFile, waiting: FlowWaiting, *, is_last: bool) -> None:
    try:
        stream = places.opened(waiting)
    except FileNotFoundError:
        _give_up(file.id, messages.GONE)
        return
    except OSError as error:
        # A disk or a network may be in trouble for a moment; a right does not come by itself.
        if error.errno not in _FINAL and not is_last:
            raise
        _give_up(file.id, messages.UNREADABLE)
        return
    with stream, suppress(receipts.NotWaiting):
        outcome = imports.import_file(
            stream,
            delivery=_delivery(file, waiting),
            options=d0010.Options(**file.options),
            progress=_progress(file.id),
        )
        if outcome.status == "failed" and is_last:
            _give_up(file.id, outcome.message)
        elif outcome.status == "failed":
            raise NotImported(outcome.message)


def _delivery(file: FlowFile, waiting: FlowWaiting) -> Delivery:
    return Delivery(
        name=file.name,
        channel=file.channel,
        actor=file.actor,
        actor_id=file.actor_id,
        source=file.source,
        receipt_id=file.id,
        is_released=waiting.is_released,
    )


def _give_up(file_id: int, message: str = messages.INTERRUPTED) -> None:
    with database.transaction():
        receipts.hold(file_id)
        file = receipts.find(file_id)
        if file.status not in UNFINISHED:
            return
        file.status, file.message = "failed", message
        file.finished_at = datetime.now(UTC)
        receipts.quarantine_if_needed(file)


def _progress(file_id: int) -> loading.Progress:
    shown_at = time.monotonic()  # Nobody sees the progress of what ends before.

    def show(done: int, total: int) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at < _SHOWN_EVERY:
            return
        shown_at = time.monotonic()
        row = update(FlowWaiting).where(FlowWaiting.file_id == file_id)
        # Whoever looks on sees less for a while; the import itself does not need it.
        with suppress(SQLAlchemyError), database.apart() as session:
            session.execute(row.values(records_done=done, records_total=total))

    return show


def options_of(file: FlowFile, **changes: bool) -> d0010.Options:
    """Return the options under which a file came, with some of them changed, as of today."""
    known = {name: file.options.get(name, usual) for name, usual in asdict(d0010.Options()).items()}
    chosen = {name: known[name] for name in ("strict", "lenient_footer", "allow_test")}
    return imports.rules(**(chosen | changes))
