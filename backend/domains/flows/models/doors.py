"""How files come in: those that wait, those that somebody has to look at, and what is watched."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Model

PLACES = ("staged", "folder", "archive")
DECISIONS = ("released", "discarded")


class FlowWaiting(Model, kw_only=True):
    """A receipt whose file is still to be imported by a job: where its bytes are, and how far.

    It is a row of its own because an import holds the receipt's row until its end.
    """

    __tablename__ = "flow_waiting"

    file_id: Mapped[int] = mapped_column(
        ForeignKey("flow_file.id"), primary_key=True, autoincrement=False
    )
    # A key of the staged bytes, a path below the drop folder, or the key of the original.
    place: Mapped[str]
    location: Mapped[str]
    is_released: Mapped[bool] = mapped_column(default=False)
    tries: Mapped[int] = mapped_column(default=0)
    records_done: Mapped[int] = mapped_column(BigInteger, default=0)
    records_total: Mapped[int] = mapped_column(BigInteger, default=0)

    __table_args__ = (CheckConstraint(f"place in {PLACES}", name="place"),)


class FlowQuarantine(Model, kw_only=True):
    """A file that somebody has to look at, and what they decided."""

    __tablename__ = "flow_quarantine"

    file_id: Mapped[int] = mapped_column(
        ForeignKey("flow_file.id"), primary_key=True, autoincrement=False
    )
    put_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), init=False
    )
    told_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), default=None)
    decision: Mapped[str | None] = mapped_column(default=None)
    reason: Mapped[str] = mapped_column(default="")
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), default=None)
    decided_by_id: Mapped[UUID | None] = mapped_column(default=None)
    decided_by: Mapped[str] = mapped_column(default="")

    __table_args__ = (
        CheckConstraint(f"decision in {DECISIONS}", name="decision"),
        Index("flow_quarantine_untold_index", "file_id", postgresql_where=text("told_at is null")),
    )


class FlowLook(Model, kw_only=True):
    """What a folder that is watched held under a name when it was last looked at.

    For a server on which nothing can be moved it is also the ledger of what was taken.
    """

    __tablename__ = "flow_look"

    source: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    modified: Mapped[int] = mapped_column(BigInteger)
    # Since when size and time of change have been what they are.
    steady_since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    taken_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), default=None)
    raw_hash: Mapped[str | None] = mapped_column(default=None)
    file_id: Mapped[int | None] = mapped_column(ForeignKey("flow_file.id"), default=None)


class FlowSource(Model, kw_only=True):
    """How it stands with a server that files are fetched from."""

    __tablename__ = "flow_source"

    name: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    message: Mapped[str] = mapped_column(default="")
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    looked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (CheckConstraint("state in ('open', 'away', 'stopped')", name="state"),)
