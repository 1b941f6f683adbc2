"""What the domain keeps: each receipt of a file, and everything that the file said, by line.

The tables of lines have no foreign key to their file: PostgreSQL would check it by a trigger for
each row, which costs a bulk load about a third of its speed. The import writes both in one
transaction, and whatever removes a file's rows removes them by its id.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Model

STATUSES = (
    "waiting",
    "running",
    "imported",
    "imported_with_errors",
    "rejected",
    "duplicate",
    "quarantined",
    "failed",
)
CHANNELS = ("cli", "rest", "sftp", "drop")

UNFINISHED = ("waiting", "running")
SUCCESSFUL = ("imported", "imported_with_errors")
_IS_SUCCESSFUL = text("status in ('imported', 'imported_with_errors')")
_HOLDS_ITS_KEY = text(
    "status in ('imported', 'imported_with_errors') and conflicts_with_id is null"
)


# Text whose order is that of its bytes, so that a prefix is a range.
ByteSorted = Annotated[str, mapped_column(Text(collation="C"))]


class FlowFile(Model, kw_only=True):
    """One receipt of a file; its number is the order of import."""

    __tablename__ = "flow_file"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, init=False)
    status: Mapped[str] = mapped_column(default="running")
    # The name is a label for people and never an identity.
    name: Mapped[str]
    channel: Mapped[str]
    # Who sent it: a person's id when there is one, and always words for people.
    actor_id: Mapped[UUID | None] = mapped_column(default=None)
    actor: Mapped[str] = mapped_column(default="")
    source: Mapped[str] = mapped_column(default="")
    options: Mapped[dict[str, Any]] = mapped_column(JSONB, default_factory=dict)
    message: Mapped[str] = mapped_column(default="")
    started_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), init=False
    )
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), default=None)

    # The bytes: `raw_hash` names the archived original, `content_hash` ignores BOM and newlines.
    size_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    raw_hash: Mapped[str | None] = mapped_column(default=None)
    content_hash: Mapped[str | None] = mapped_column(default=None)
    archive_key: Mapped[str | None] = mapped_column(default=None)
    # Where in the archived bytes every so many lines begin, in the packing of the service.
    line_offsets: Mapped[bytes | None] = mapped_column(default=None, deferred=True)
    duplicate_of_id: Mapped[int | None] = mapped_column(
        ForeignKey("flow_file.id"), default=None, index=True
    )
    # A released re-send keeps this, which frees it from the uniqueness of the business key.
    conflicts_with_id: Mapped[int | None] = mapped_column(
        ForeignKey("flow_file.id"), default=None, index=True
    )

    # The header, and what the trailer promised.
    flow: Mapped[str | None] = mapped_column(default=None)
    version: Mapped[str | None] = mapped_column(default=None)
    file_identifier: Mapped[str | None] = mapped_column(default=None)
    from_role: Mapped[str | None] = mapped_column(default=None)
    from_participant: Mapped[str | None] = mapped_column(default=None)
    to_role: Mapped[str | None] = mapped_column(default=None)
    to_participant: Mapped[str | None] = mapped_column(default=None)
    created_text: Mapped[str | None] = mapped_column(default=None)
    created_at_local: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=False), default=None
    )
    test_flag: Mapped[str | None] = mapped_column(default=None)
    is_test: Mapped[bool] = mapped_column(default=False)
    declared_groups: Mapped[int | None] = mapped_column(BigInteger, default=None)
    declared_roots: Mapped[int | None] = mapped_column(BigInteger, default=None)
    checksum: Mapped[str | None] = mapped_column(default=None)
    completed_text: Mapped[str | None] = mapped_column(default=None)

    # Records are the lines between header and trailer, roots the MPANs' groups.
    records_total: Mapped[int] = mapped_column(BigInteger, default=0)
    records_accepted: Mapped[int] = mapped_column(BigInteger, default=0)
    records_rejected: Mapped[int] = mapped_column(BigInteger, default=0)
    roots_total: Mapped[int] = mapped_column(BigInteger, default=0)
    roots_accepted: Mapped[int] = mapped_column(BigInteger, default=0)
    roots_rejected: Mapped[int] = mapped_column(BigInteger, default=0)
    readings_total: Mapped[int] = mapped_column(BigInteger, default=0)
    readings_accepted: Mapped[int] = mapped_column(BigInteger, default=0)
    readings_rejected: Mapped[int] = mapped_column(BigInteger, default=0)
    visits_total: Mapped[int] = mapped_column(BigInteger, default=0)
    errors_total: Mapped[int] = mapped_column(BigInteger, default=0)
    warnings_total: Mapped[int] = mapped_column(BigInteger, default=0)

    __table_args__ = (
        CheckConstraint(f"status in {STATUSES}", name="status"),
        CheckConstraint(f"channel in {CHANNELS}", name="channel"),
        # Two processes with one file: the database lets one of them succeed.
        Index(
            "flow_file_content_hash_unique",
            "content_hash",
            unique=True,
            postgresql_where=_IS_SUCCESSFUL,
        ),
        Index(
            "flow_file_business_key_unique",
            "file_identifier",
            "from_participant",
            "from_role",
            "flow",
            "version",
            "created_at_local",
            unique=True,
            postgresql_where=_HOLDS_ITS_KEY,
        ),
        Index("flow_file_running_index", "id", postgresql_where=text("status = 'running'")),
    )


class FlowReading(Model, kw_only=True):
    """One accepted register line, as it was sent; which of them is current is asked at query time.

    Columns of fixed width stand first, which saves their padding in millions of rows.
    """

    __tablename__ = "flow_reading"

    file_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # London clock time, exactly as sent; midnight means the date alone.
    reading_at_local: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    md_reset_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=False), default=None)
    line_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    md_resets: Mapped[int | None] = mapped_column(SmallInteger, default=None)
    is_flag_valid: Mapped[bool | None] = mapped_column(default=None)
    is_status_valid: Mapped[bool | None] = mapped_column(default=None)
    mpan: Mapped[ByteSorted]
    bsc_status: Mapped[str]
    serial: Mapped[str]
    # In capitals and without spaces: what search and the natural key compare.
    serial_key: Mapped[ByteSorted]
    reading_type: Mapped[str]
    register: Mapped[str]
    value: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    value_text: Mapped[str]
    method: Mapped[str | None] = mapped_column(default=None)
    reason_code: Mapped[str | None] = mapped_column(default=None)

    __table_args__ = (
        Index(None, "mpan", "reading_at_local"),
        Index(None, "serial_key", "reading_at_local"),
    )


class FlowSiteVisit(Model, kw_only=True):
    """One accepted site visit line, with the line that it belongs to."""

    __tablename__ = "flow_site_visit"

    file_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    line_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    parent_line: Mapped[int]
    parent_group: Mapped[str]
    mpan: Mapped[ByteSorted]
    serial: Mapped[str | None] = mapped_column(default=None)
    register: Mapped[str | None] = mapped_column(default=None)
    check_code: Mapped[str]
    text: Mapped[str | None] = mapped_column(default=None)


class FlowMeter(Model, kw_only=True):
    """A meter that a file names without giving a reading of it."""

    __tablename__ = "flow_meter"

    file_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    line_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    mpan: Mapped[ByteSorted]
    bsc_status: Mapped[str]
    serial: Mapped[str]
    serial_key: Mapped[ByteSorted]
    reading_type: Mapped[str]

    __table_args__ = (Index(None, "mpan"), Index(None, "serial_key"))


class FlowFinding(Model, kw_only=True):
    """One thing that was wrong or odd in a file; beyond a cap they are only counted."""

    __tablename__ = "flow_finding"

    file_id: Mapped[int] = mapped_column(
        ForeignKey("flow_file.id"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code: Mapped[str]
    severity: Mapped[str]
    message: Mapped[str]
    line_number: Mapped[int | None] = mapped_column(default=None)
    group_code: Mapped[str | None] = mapped_column(default=None)
    item: Mapped[str | None] = mapped_column(default=None)
    value: Mapped[str | None] = mapped_column(default=None)

    __table_args__ = (CheckConstraint("severity in ('error', 'warning')", name="severity"),)
