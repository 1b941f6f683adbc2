"""How long originals and findings are kept; counts and readings stay."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import aliased

from backend.core import audit, database, files
from backend.core.config import current_settings
from backend.core.database import db
from backend.domains.flows.models import FlowFile, FlowFinding, FlowQuarantine, FlowWaiting
from backend.domains.flows.services import archive, places

BATCH = 200
UNCLAIMED = timedelta(days=1)


def enforce() -> dict[str, int]:
    """Remove what is older than the settings allow, and return how much of each.

    It goes in steps, each a transaction of its own, and can be cut off anywhere.
    """
    settings = current_settings()
    removed = {
        "originals": _repeat(_remove_originals, settings.flows_archive_days),
        "findings_of_files": _repeat(_remove_findings, settings.flows_findings_days),
        "unclaimed_bytes": _remove_unclaimed(),
    }
    if any(removed.values()):
        with database.transaction():
            audit.record(action="flows.enforce_retention", object_type="flow-file", after=removed)
    return removed


def _repeat(step: Callable[[datetime], int], days: int) -> int:
    if not days:
        return 0
    before, count = datetime.now(UTC) - timedelta(days=days), 0
    while True:
        with database.transaction():
            done = step(before)
        count += done
        if done < BATCH:
            return count


def _remove_originals(before: datetime) -> int:
    """Remove bytes of which every receipt is old, and about which nothing is to be decided."""
    other = aliased(FlowFile)
    is_open = exists().where(FlowQuarantine.file_id == other.id, FlowQuarantine.decision.is_(None))
    is_waited_for = exists().where(FlowWaiting.file_id == other.id)
    is_needed = exists().where(
        other.archive_key == FlowFile.archive_key,
        (other.started_at >= before) | is_open | is_waited_for,
    )
    query = select(FlowFile.archive_key).where(
        FlowFile.archive_key.is_not(None), FlowFile.started_at < before, ~is_needed
    )
    found = db.session.scalars(query.distinct().limit(BATCH)).all()
    ours = [key for key in found if archive.is_ours_to_remove(key or "")]
    # Whoever kept the same bytes until a moment ago has a receipt by now.
    keys = db.session.scalars(query.where(FlowFile.archive_key.in_(ours)).distinct()).all()
    for key in keys:
        files.remove(key or "")
    gone = update(FlowFile).where(FlowFile.archive_key.in_(keys)).values(archive_key=None)
    db.session.execute(gone)
    return len(keys)


def _remove_unclaimed() -> int:
    """Remove staged bytes that nothing waits for, as a crash between two steps leaves them."""
    old = files.aged(places.STAGED, before=datetime.now(UTC) - UNCLAIMED)
    with database.transaction():
        query = select(FlowWaiting.location).where(FlowWaiting.place == "staged")
        unclaimed = set(old) - set(db.session.scalars(query))
    for key in unclaimed:
        files.remove(key)
    return len(unclaimed)


def _remove_findings(before: datetime) -> int:
    query = select(FlowFile.id).where(
        FlowFile.started_at < before, exists().where(FlowFinding.file_id == FlowFile.id)
    )
    file_ids = db.session.scalars(query.order_by(FlowFile.id).limit(BATCH)).all()
    db.session.execute(delete(FlowFinding).where(FlowFinding.file_id.in_(file_ids)))
    return len(file_ids)
