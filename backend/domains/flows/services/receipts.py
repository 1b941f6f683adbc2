"""The audit row of a file: who brought it, what it claims to be, how it ended."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, cast, delete, func, select, text, update

from backend.core import database
from backend.core.database import db
from backend.domains.flows import d0010
from backend.domains.flows.models import (
    SUCCESSFUL,
    UNFINISHED,
    FlowFile,
    FlowFinding,
    FlowMeter,
    FlowQuarantine,
    FlowReading,
    FlowSiteVisit,
)
from backend.domains.flows.services import archive, loading, messages
from backend.domains.flows.services.outcomes import Outcome

UNATTENDED = {"drop", "sftp"}
_LONGEST_NAME = 255
_NAMELESS = "unnamed"
_LOCKS = 0x464C << 48  # Keeps the numbers of files apart from other users of advisory locks.


class InOtherHands(Exception):
    """Another process is importing the file at this moment."""


class NotWaiting(Exception):
    """The file's import has come to its end, and nothing is left to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """How a file came in: its name is a label, `actor` says in words who or what brought it.

    A `receipt_id` is the number that the file was given when it was accepted; with `is_again` the
    receipt has come to an end, and its rows are replaced. A person has decided that a released file
    counts beside the one with the same business key.
    """

    name: str
    channel: str
    actor: str = ""
    actor_id: UUID | None = None
    source: str = ""
    sha256: str | None = None
    size_limit: int | None = None
    receipt_id: int | None = None
    is_again: bool = False
    is_released: bool = False


def label(name: str) -> str:
    """Return a file's name without folders and without what cannot be shown or stored.

    What is nothing but blanks then could not be seen, nor be followed as a link.
    """
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(each if each.isprintable() else "\ufffd" for each in last)[:_LONGEST_NAME]
    return shown if shown.strip() else _NAMELESS


def lock_key(file_id: int) -> int:
    """Return the advisory lock that the importer of this file holds while it lives."""
    return _LOCKS + file_id


def draft(
    delivery: Delivery, options: d0010.Options, survey: d0010.Survey | None = None
) -> FlowFile:
    """Return a receipt with all that is known before a line is judged, not yet stored."""
    file = FlowFile(
        name=label(delivery.name),
        channel=delivery.channel,
        actor=delivery.actor,
        actor_id=delivery.actor_id,
        source=delivery.source,
        options=asdict(options),
    )
    if survey is not None:
        describe(file, survey)
    return file


def announce(file: FlowFile) -> FlowFile:
    """Commit the row as running while the present transaction holds its lock.

    Whoever later gets the lock of a running row knows that its owner is gone.
    """
    number = func.nextval(func.pg_get_serial_sequence("flow_file", "id"))
    file_id = db.session.scalars(select(cast(number, BigInteger))).one()
    db.session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": lock_key(file_id)})
    file.id = file_id
    with database.apart() as session:
        session.add(file)
    return db.session.get_one(FlowFile, file_id)


def resume(file_id: int, options: d0010.Options) -> FlowFile:
    """Commit a receipt that waited as running while the present transaction holds its lock.

    :raises InOtherHands: when somebody else is at it
    :raises NotWaiting: when its import has ended
    """
    hold(file_id)
    started = update(FlowFile).where(FlowFile.id == file_id, FlowFile.status.in_(UNFINISHED))
    started = started.values(status="running", message="", options=asdict(options))
    with database.apart() as session:
        # If the database crashes now, the import ends with it.
        database.commit_without_waiting(session)
        if session.scalar(started.returning(FlowFile.id)) is None:
            raise NotWaiting
    return db.session.get_one(FlowFile, file_id, populate_existing=True)


def reopen(file_id: int, options: d0010.Options) -> FlowFile:
    """Return a receipt that has ended, with its lines removed in the present transaction.

    :raises InOtherHands: when somebody else is at it
    """
    hold(file_id)
    file = db.session.get_one(FlowFile, file_id, populate_existing=True, with_for_update=True)
    for table in (FlowReading, FlowSiteVisit, FlowMeter, FlowFinding):
        db.session.execute(delete(table).where(table.file_id == file_id))
    file.options = asdict(options)
    return file


def set_back(file_id: int, message: str) -> None:
    """Have a receipt wait again whose import did not come to its end."""
    again = update(FlowFile).where(FlowFile.id == file_id, FlowFile.status == "running")
    db.session.execute(again.values(status="waiting", message=message))


def hold(file_id: int) -> None:
    """Have the present transaction be the one that imports this file.

    :raises InOtherHands: when another one is
    """
    lock = text("select pg_try_advisory_xact_lock(:key)")
    if not db.session.scalar(lock, {"key": lock_key(file_id)}):
        raise InOtherHands


def find(file_id: int) -> FlowFile:
    """Return the receipt as it is now."""
    return db.session.get_one(FlowFile, file_id, populate_existing=True)


def running(file_id: int) -> FlowFile | None:
    """Return the receipt if it is still running, locked against others."""
    query = select(FlowFile).where(FlowFile.id == file_id, FlowFile.status == "running")
    return db.session.scalars(query.with_for_update()).one_or_none()


def claim(file: FlowFile) -> None:
    """Take the file's place among the successful ones, before any work is done.

    Whoever holds the same content or the same business key at this moment is waited for.

    :raises IntegrityError: when that one succeeded
    """
    file.status = "imported"
    db.session.flush()


def counted(status: str, tally: loading.Tally) -> d0010.Counters:
    """Return the counters of a file that ended so: without success nothing is accepted."""
    counters = tally.counters
    if status in SUCCESSFUL:
        return counters
    return d0010.Counters(
        records=counters.records,
        records_rejected=counters.records,
        root_groups=counters.root_groups,
        root_groups_rejected=counters.root_groups,
        readings=counters.readings,
        readings_rejected=counters.readings,
        errors=counters.errors,
        warnings=counters.warnings,
    )


def finish(file: FlowFile, outcome: Outcome, tally: loading.Tally) -> None:
    """Write how it ended, and what was found, in the present transaction."""
    file.status = outcome.status
    file.message = outcome.message
    file.duplicate_of_id = outcome.duplicate_of_id
    # A released file keeps what it was in conflict with.
    file.conflicts_with_id = outcome.conflicts_with_id or file.conflicts_with_id
    file.finished_at = datetime.now(UTC)
    file.errors_total = outcome.errors
    file.warnings_total = outcome.warnings
    file.visits_total = tally.visits if outcome.status in SUCCESSFUL else 0
    counters = outcome.counters
    file.records_total = counters.records
    file.records_accepted = counters.records_accepted
    file.records_rejected = counters.records_rejected
    file.roots_total = counters.root_groups
    file.roots_accepted = counters.root_groups_accepted
    file.roots_rejected = counters.root_groups_rejected
    file.readings_total = counters.readings
    file.readings_accepted = counters.readings_accepted
    file.readings_rejected = counters.readings_rejected
    db.session.add(file)
    db.session.flush()
    quarantine_if_needed(file)
    loading.store_findings(database.raw_connection(), file.id, tally.findings)


def add_refusal(file_id: int, refused: Outcome) -> None:
    """Say on a file that it was processed again and refused, and left as it was."""
    file = db.session.get_one(FlowFile, file_id, populate_existing=True, with_for_update=True)
    file.message = messages.refused_again(file.message, refused, datetime.now(UTC))


def quarantine_if_needed(file: FlowFile) -> None:
    """Have somebody look at a file that needs a decision, or that came when nobody was there."""
    is_unseen = file.channel in UNATTENDED and file.status in {"rejected", "failed"}
    if file.status == "quarantined" or is_unseen:
        db.session.merge(FlowQuarantine(file_id=file.id))
    else:
        # A file that was processed again and ended well leaves nothing to decide.
        row = (FlowQuarantine.file_id == file.id, FlowQuarantine.decision.is_(None))
        db.session.execute(delete(FlowQuarantine).where(*row))


def same_content(content_hash: str | None) -> FlowFile | None:
    """Return the successful import of these bytes, if there is one."""
    return _successful(FlowFile.content_hash == content_hash) if content_hash else None


def same_business_key(header: d0010.Header) -> FlowFile | None:
    """Return the successful import that its sender named in the same way, if there is one.

    A file that was released beside it is left out, as the database leaves it out of what is unique.
    """
    return _successful(
        FlowFile.conflicts_with_id.is_(None)
        & (FlowFile.file_identifier == header.file_id)
        & (FlowFile.from_participant == header.from_participant)
        & (FlowFile.from_role == header.from_role)
        & (FlowFile.flow == header.flow)
        & (FlowFile.version == header.version)
        & (FlowFile.created_at_local == header.created)
    )


def _successful(condition: ColumnElement[bool]) -> FlowFile | None:
    query = select(FlowFile).where(FlowFile.status.in_(SUCCESSFUL), condition)
    return db.session.scalars(query.order_by(FlowFile.id).limit(1)).one_or_none()


def describe(file: FlowFile, survey: d0010.Survey) -> None:
    """Write on the receipt what the file claims to be."""
    file.size_bytes = survey.size
    file.raw_hash = survey.raw_hash or None
    file.content_hash = survey.content_hash or None
    file.line_offsets = archive.pack(survey.line_offsets)
    if header := survey.header:
        file.flow = header.flow
        file.version = header.version
        file.file_identifier = header.file_id
        file.from_role = header.from_role
        file.from_participant = header.from_participant
        file.to_role = header.to_role
        file.to_participant = header.to_participant
        file.created_text = header.created_text
        file.created_at_local = header.created
        file.test_flag = header.test_flag
        file.is_test = header.is_test
    if trailer := survey.trailer:
        file.declared_groups = trailer.group_count
        file.declared_roots = trailer.flow_count
        file.checksum = loading.storable(trailer.checksum)
        file.completed_text = loading.storable(trailer.completed_text)
