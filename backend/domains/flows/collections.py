"""What came in by flows, declared once: the files, what was wrong in them, and the readings.

Readings are occurrences, each with its standing, and those of test files are not among them. With
ten million of them the list, a meter point or serial (or how it begins), a file and a cursor at any
depth are ranges of an index; whatever else is asked is stopped at the time limit. None of these has
a revision: an import would hold its counter until its end, and others would wait for it.
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, case, literal_column, select, tuple_

from backend.core.collections import (
    Boolean,
    Col,
    Collection,
    Enum,
    Id,
    Integer,
    Number,
    Reference,
    Text,
    Timestamp,
)
from backend.core.collections.codes import Code
from backend.core.collections.composite import Composite, composite
from backend.core.collections.local_times import LocalTimestamp
from backend.core.collections.offers import offering
from backend.core.collections.scopes import only
from backend.domains.flows import d0010
from backend.domains.flows.models import CHANNELS, STATUSES, FlowFile, FlowFinding, FlowReading
from backend.domains.flows.services.projection import WITHDRAWAL

STAFF = only("staff")
SEVERITIES = ("error", "warning")
LONG = Text(4000, example="Wrong count")
SHORT = Text(80, example="UDMS")


def _count(name: str, title: str) -> Col:
    return Col(name, Integer(low=0), title=title, sortable=True, metrics=("sum",))


files = Collection(
    "flow-files",
    model=FlowFile,
    title="Flow files",
    description="What came in, what was accepted, and what was wrong with it.",
    default_sort="-id",
    scope=STAFF,
    measure="readings_accepted",
    columns=[
        Col("id", Id(), title="Number", description="The order of import."),
        Col("name", Text(255, example="april.uff"), description="A label, never an identity."),
        Col("status", Enum(STATUSES), sortable=True, groupable=True),
        Col("message", LONG),
        Col("channel", Enum(CHANNELS), groupable=True),
        Col("actor", Text(255, example="ada@example.com"), title="Sent by"),
        Col("source", LONG),
        Col("started_at", Timestamp(), title="Received", sortable=True, buckets=("month", "day")),
        Col("finished_at", Timestamp(), title="Finished", sortable=True),
        Col("flow", Text(5, example="D0010"), groupable=True),
        Col("version", Text(3, example="002")),
        Col("file_identifier", SHORT),
        Col("from_role", Text(1, example="D")),
        Col("from_participant", Text(80, example="UDMS"), title="From", groupable=True),
        Col("to_role", Text(1, example="X")),
        Col("to_participant", Text(80, example="MRCY"), title="To", groupable=True),
        Col("created_at_local", LocalTimestamp(), title="Made", description="London clock time."),
        Col("test_flag", Text(4, example="OPER")),
        Col("is_test", Boolean(), title="Test data", groupable=True),
        Col("size_bytes", Integer(low=0), title="Size", sortable=True, metrics=("sum",)),
        Col("raw_hash", Text(64, example="9f86d081"), title="SHA-256"),
        Col("content_hash", Text(64, example="9f86d081"), title="SHA-256 of its content"),
        Col("duplicate_of_id", Reference(), title="The same as", links_to="flow-files"),
        Col("conflicts_with_id", Reference(), title="In conflict with", links_to="flow-files"),
        _count("records_total", "Records"),
        _count("records_accepted", "Records accepted"),
        _count("records_rejected", "Records refused"),
        _count("roots_total", "MPANs"),
        _count("roots_accepted", "MPANs accepted"),
        _count("roots_rejected", "MPANs refused"),
        _count("readings_total", "Readings"),
        _count("readings_accepted", "Readings accepted"),
        _count("readings_rejected", "Readings refused"),
        _count("visits_total", "Site visits"),
        _count("errors_total", "Errors"),
        _count("warnings_total", "Warnings"),
    ],
)

_finding = FlowFinding.__table__
findings = Collection(
    "flow-findings",
    model=select(
        composite(_finding.c.file_id, _finding.c.number).label("id"), *_finding.c
    ).subquery("finding"),
    title="Findings",
    description="What was wrong or odd in a flow file; beyond a number of them they are counted.",
    default_sort="-file_id,number",
    scope=STAFF,
    columns=[
        Col("id", Composite(), nullable=False),
        Col(
            "file_id",
            Reference(),
            title="File",
            sortable=True,
            groupable=True,
            links_to="flow-files",
            nullable=False,
        ),
        Col("number", Integer(low=0), sortable=True, nullable=False),
        Col("severity", Enum(SEVERITIES), groupable=True, nullable=False),
        Col("code", Text(80, example="bad-value"), groupable=True, nullable=False),
        Col("message", LONG, nullable=False),
        Col("line_number", Integer(low=0), title="Line"),
        Col("group_code", Text(3, example="030"), title="Group", groupable=True),
        Col("item", Text(8, example="J0040"), groupable=True),
        Col("value", LONG),
    ],
)


def _later(reading: FromClause, *same: Any) -> ColumnElement[bool]:
    """Whether a later line of a real file says something of the same register at the same time."""
    other, file = FlowReading.__table__.alias("other"), FlowFile.__table__.alias("other_file")
    own_file = FlowFile.__table__
    order = tuple_(file.c.created_at_local, other.c.file_id, other.c.line_number)
    own = tuple_(own_file.c.created_at_local, reading.c.file_id, reading.c.line_number)
    register = ("mpan", "reading_at_local", "serial_key", "register")
    return (
        select(literal_column("1"))
        .select_from(other.join(file, file.c.id == other.c.file_id))
        .where(
            *(other.c[name] == reading.c[name] for name in register),
            *(each(other) for each in same),
            file.c.is_test.is_(False),
            order > own,
        )
        .correlate(reading, own_file)
        .exists()
    )


def _readings() -> Any:
    reading, file = FlowReading.__table__.alias("reading"), FlowFile.__table__
    kind = reading.c.reading_type
    is_withdrawn = _later(reading, lambda other: other.c.reading_type == WITHDRAWAL)
    plain = [each for each in reading.c if each.name != "value_text"]
    return (
        select(
            composite(reading.c.file_id, reading.c.line_number).label("id"),
            *plain,
            reading.c.value_text,
            case(
                (reading.c.is_status_valid.is_(None), reading.c.is_flag_valid),
                else_=reading.c.is_status_valid,
            ).label("is_valid"),
            _later(reading, lambda other: other.c.reading_type == kind).label("is_superseded"),
            and_(kind != WITHDRAWAL, is_withdrawn).label("is_withdrawn"),
            file.c.name.label("file_name"),
            file.c.flow,
        )
        .select_from(reading.join(file, file.c.id == reading.c.file_id))
        .where(file.c.is_test.is_(False))
        .subquery("occurrence")
    )


readings = Collection(
    "flow-readings",
    model=_readings(),
    title="All readings",
    description="Every accepted reading, as it was sent, with its standing among the others. "
    "What counts is neither superseded nor withdrawn.",
    default_sort="-file_id,-line_number",
    scope=STAFF,
    columns=[
        Col("id", Composite(), nullable=False),
        Col("mpan", Code(13, example="9900123456780"), title="MPAN", sortable=True, nullable=False),
        Col("serial", Text(10, example="QA 1000001"), nullable=False),
        Col(
            "serial_key",
            Code(10, example="QA1000001"),
            title="Serial key",
            sortable=True,
            nullable=False,
        ),
        Col("register", Text(2, example="01"), nullable=False),
        Col(
            "reading_at_local",
            LocalTimestamp(),
            title="Read",
            description="London clock time; midnight means the date alone.",
            sortable=True,
            nullable=False,
        ),
        Col(
            "reading_type",
            Text(1, example="R"),
            title="Type",
            description="J0171; W takes other readings back.",
            groupable=True,
            nullable=False,
        ),
        Col("value", Number(), nullable=False),
        Col("value_text", Text(12, example="4521.0"), title="Value, as sent", nullable=False),
        Col("bsc_status", Text(1, example="V"), title="BSC status", groupable=True, nullable=False),
        Col(
            "is_valid",
            Boolean(),
            title="Valid",
            description="The status, else the flag, else none.",
        ),
        Col("is_flag_valid", Boolean(), title="Flag"),
        Col("is_status_valid", Boolean(), title="Status"),
        Col("is_superseded", Boolean(), title="Superseded", nullable=False),
        Col("is_withdrawn", Boolean(), title="Withdrawn", nullable=False),
        Col("method", Text(1, example="N")),
        Col("reason_code", Text(2, example="05"), title="Reason"),
        Col("md_resets", Integer(low=0), title="Maximum demand resets"),
        Col("md_reset_at", LocalTimestamp(), title="Maximum demand reset"),
        Col(
            "file_id",
            Reference(),
            title="File",
            sortable=True,
            links_to="flow-files",
            nullable=False,
        ),
        Col("line_number", Integer(low=0), title="Line", sortable=True, nullable=False),
        Col("file_name", Text(255, example="april.uff"), nullable=False),
        Col("flow", Text(5, example="D0010"), groupable=True),
    ],
)

blueprint = offering(
    "flows_collections",
    tag="flows",
    role="staff",
    offered={"/files": files, "/findings": findings, "/readings": readings},
)


def label(item: str, code: str) -> str:
    """Return a code with what it means."""
    words = d0010.LABELS[item].get(code)
    return f"{code}: {words}" if words else code
