"""The outbox: one row for each piece of work, kept until its effect has been committed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Model, UuidKey

MOMENT = DateTime(timezone=True)


class Job(UuidKey, Model):
    """A piece of work: undone, leased to a worker, done or dead."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("topic", "ref_id"),
        Index(
            "outbox_due",
            "queue",
            "next_at",
            postgresql_where=text("done_at is null and dead_at is null"),
        ),
        Index(
            "outbox_dead",
            "dead_at",
            postgresql_where=text("dead_at is not null and done_at is null"),
        ),
        Index("outbox_done", "done_at", postgresql_where=text("done_at is not null")),
    )

    topic: Mapped[str] = mapped_column(Text)
    ref_id: Mapped[UUID]
    queue: Mapped[str] = mapped_column(Text, server_default="default", default="default")
    payload: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), default_factory=dict
    )
    trace: Mapped[dict[str, str]] = mapped_column(
        JSONB, server_default=text("'{}'"), default_factory=dict
    )
    created_at: Mapped[datetime] = mapped_column(
        MOMENT, server_default=func.clock_timestamp(), init=False
    )
    next_at: Mapped[datetime] = mapped_column(
        MOMENT, server_default=func.clock_timestamp(), init=False
    )
    publishes: Mapped[int] = mapped_column(server_default="0", default=0)
    attempts: Mapped[int] = mapped_column(server_default="0", default=0)
    lease_until: Mapped[datetime | None] = mapped_column(MOMENT, default=None)
    done_at: Mapped[datetime | None] = mapped_column(MOMENT, default=None)
    dead_at: Mapped[datetime | None] = mapped_column(MOMENT, default=None)
    last_error: Mapped[str | None] = mapped_column(Text, default=None)
