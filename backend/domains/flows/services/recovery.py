"""Receipts whose importer died: nothing of them is there, and their rows come to say so.

A receipt for which a job is at work waits again, since that job will be done again; one whose job
is dead gets another.
"""

from datetime import UTC, datetime

from sqlalchemy import select, text

from backend.core import database
from backend.core.database import db
from backend.domains.flows.models import FlowFile, FlowWaiting
from backend.domains.flows.services import messages, receipts, waiting


def recover() -> list[FlowFile]:
    """Set every running file failed whose owner is gone, and return those; ask for what waits.

    An importer holds the advisory lock of its row for as long as its transaction lives, and
    PostgreSQL lets go of it when the importer's connection ends, however that happens.
    """
    with database.transaction():
        query = select(FlowFile.id).where(FlowFile.status == "running").order_by(FlowFile.id)
        running = db.session.scalars(query).all()
        waiting.ask_for_forgotten()
        return [file for file_id in running if (file := _recover(file_id)) is not None]


def _recover(file_id: int) -> FlowFile | None:
    key = {"key": receipts.lock_key(file_id)}
    if not db.session.scalar(text("select pg_try_advisory_xact_lock(:key)"), key):
        return None
    # Its owner may have finished between the two looks, so the row is read again under the lock.
    file = receipts.running(file_id)
    if file is None:
        return None
    if db.session.get(FlowWaiting, file_id) is not None:
        receipts.set_back(file_id, "")
        return None
    file.status = "failed"
    file.message = messages.INTERRUPTED
    file.finished_at = datetime.now(UTC)
    return file
