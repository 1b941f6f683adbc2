"""The audit log as a collection, for staff to read."""

from flask import Flask
from sqlalchemy import Text as SqlText
from sqlalchemy import cast, select

from backend.core.audit import AuditEvent
from backend.core.auth import PageBlueprint
from backend.core.collections import Col, Collection, Integer, Text, Timestamp, Uuid
from backend.core.collections.composite import Composite, composite
from backend.core.collections.offers import offering
from backend.core.collections.scopes import only
from backend.core.sections import Section, mount

_events = select(
    composite(AuditEvent.__table__.c.sequence, AuditEvent.__table__.c.chain).label("id"),
    AuditEvent.occurred_at,
    AuditEvent.actor_id,
    AuditEvent.action,
    AuditEvent.object_type,
    AuditEvent.object_id,
    cast(AuditEvent.before, SqlText).label("before"),
    cast(AuditEvent.after, SqlText).label("after"),
    AuditEvent.request_id,
    AuditEvent.chain,
    AuditEvent.sequence,
    AuditEvent.hash,
).subquery("event")

events = Collection(
    "audit-events",
    model=_events,
    title="Audit log",
    description="What somebody did, as ids and states. Nothing here is ever changed or removed.",
    default_sort="-occurred_at",
    scope=only("staff"),
    columns=[
        Col("id", Composite(is_numeric=False, example="12-platform"), nullable=False),
        Col("occurred_at", Timestamp(), title="When", sortable=True, nullable=False),
        Col("actor_id", Uuid(), title="Who", links_to="people"),
        Col("action", Text(80, example="identity.disable"), groupable=True, nullable=False),
        Col("object_type", Text(80, example="user"), title="Kind of object", groupable=True),
        Col("object_id", Text(80, example="7"), title="Object"),
        Col("before", Text(2000, example='{"roles": []}'), description="JSON"),
        Col("after", Text(2000, example='{"roles": []}'), description="JSON"),
        Col("request_id", Text(80, example="01J9ZC"), title="Request"),
        Col("chain", Text(80, example="platform"), groupable=True, nullable=False),
        Col("sequence", Integer(), title="Number in the chain", nullable=False),
        Col("hash", Text(64, example="9f86d081"), nullable=False),
    ],
)

api = offering("audit", role="staff", offered={"/events": events}, description="The audit log")
console = PageBlueprint("audit_console", __name__, role="staff", url_prefix="/admin")
mount(
    console,
    Section(
        events,
        name="events",
        singular="event",
        main="occurred_at",
        columns=("occurred_at", "actor_id", "action", "object_type", "object_id", "after"),
        filters=(
            *("occurred_at[gte]", "occurred_at[lte]", "action[startswith]", "actor_id"),
            *("object_type", "object_id", "request_id", "chain"),
        ),
        empty="Nothing has been done yet.",
    ),
    "/audit",
)


def init_app(app: Flask) -> None:
    """Register the console's pages; the addresses of the API follow when it is there."""
    app.register_blueprint(console)
