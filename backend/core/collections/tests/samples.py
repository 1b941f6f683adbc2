"""The tables and declarations of the tests: collections to read, to write and to include."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import sqlalchemy as sa
from flask import request

from backend.core import collections
from backend.core.auth import required_identity
from backend.core.collections import Col, Collection, Include, Scope

WORDS = (
    *("", "a", "A", "ab", "Ab%", "a_b", "a%b", '"', "'", ",", "a,b", "=1+1", "-2", "@x", "'q"),
    *("Größe", "größe", "Ñandú", "ñandú", "日本", "\t", "a\nb", "\\", "null", "ΑΒΓ", "αβγ", "b c"),
)
KINDS = ("alpha", "beta", "gamma")
# The caller whose notes are there from the beginning.
FILLED = "filled"
metadata = sa.MetaData()

sample_group = sa.Table(
    "sample_group",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("title", sa.String(collation="C"), nullable=False),
)
sample = sa.Table(
    "sample",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(collation="C")),
    sa.Column("label", sa.String(collation="C"), nullable=False),
    sa.Column("kind", sa.String(collation="C"), nullable=False),
    sa.Column("flag", sa.Boolean),
    sa.Column("number", sa.Integer),
    sa.Column("amount", sa.Numeric(12, 2), nullable=False),
    sa.Column("ratio", sa.Numeric(8, 4)),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("paid_on", sa.Date),
    sa.Column("seen_at", sa.DateTime(timezone=True)),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("group_id", sa.ForeignKey("sample_group.id")),
    sa.Index("sample_day_id", sa.text("day desc"), sa.text("id")),
)
note = sa.Table(
    "note",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("owner", sa.String(collation="C"), nullable=False),
    sa.Column("title", sa.String(collation="C"), nullable=False),
    sa.Column("amount", sa.Numeric(12, 2)),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("deleted_at", sa.DateTime(timezone=True)),
    sa.UniqueConstraint("owner", "title", name="note_title_unique"),
)


def own_rows():
    caller = request.headers.get("X-Caller", "nobody")
    return Scope(
        "own",
        clause=lambda table: table.c.owner == sa.bindparam("note_owner", type_=sa.Text()),
        values={"note_owner": caller},
        owner=caller,
    )


GROUP_COLUMNS = [Col("id", collections.Id()), Col("title", collections.Text(80), sortable=True)]
SAMPLE_COLUMNS = [
    Col("id", collections.Id()),
    Col("name", collections.Text(80), sortable=True, groupable=True),
    Col("label", collections.Text(80), sortable=True, groupable=True),
    Col("kind", collections.Enum(KINDS), sortable=True, groupable=True),
    Col("flag", collections.Boolean(), sortable=True, groupable=True),
    Col(
        "number",
        collections.Integer(),
        sortable=True,
        groupable=True,
        metrics=("sum", "avg", "min", "max"),
    ),
    Col("amount", collections.Money(), sortable=True, metrics=("sum", "avg", "min", "max")),
    Col("ratio", collections.Number(), sortable=True, metrics=("sum", "avg")),
    Col("day", collections.Date(), sortable=True, buckets=collections.DATE_BUCKETS),
    Col(
        "paid_on",
        collections.Date(),
        sortable=True,
        groupable=True,
        buckets=collections.DATE_BUCKETS,
        metrics=("min", "max"),
    ),
    Col(
        "seen_at",
        collections.Timestamp(),
        sortable=True,
        groupable=True,
        buckets=collections.BUCKETS,
    ),
    Col("currency", collections.Enum(("EUR", "GBP")), groupable=True),
    Col("group_id", collections.Reference()),
]

NOTE_COLUMNS = [
    Col("id", collections.Id()),
    Col("title", collections.Text(80), sortable=True, groupable=True, create=True, update=True),
    Col(
        "amount",
        collections.Money(),
        sortable=True,
        groupable=True,
        metrics=("sum", "avg", "min", "max"),
        create=True,
        update=True,
    ),
    Col("version", collections.Integer()),
]


def rows_of_the_signed_in():
    owner = str(required_identity().user_id)
    return Scope("own", clause=own_rows().clause, values={"note_owner": owner}, owner=owner)


def declare():
    groups = Collection(
        "sample-groups", model=sample_group, columns=GROUP_COLUMNS, revisions=("sample_group",)
    )
    samples = Collection(
        "samples",
        model=sample,
        default_sort="-day",
        currency="currency",
        revisions=("sample",),
        includes={"group": Include(groups, "group_id")},
        columns=SAMPLE_COLUMNS,
    )
    kept = declare_notes("kept-notes", rows_of_the_signed_in)
    return SimpleNamespace(samples=samples, notes=declare_notes(), groups=groups, kept=kept)


def declare_notes(name="notes", scope=own_rows):
    return Collection(
        name,
        model=note,
        scope=scope,
        where=lambda table: table.c.deleted_at.is_(None),
        revisions=("note",),
        writer=lambda collection: collections.TableWriter(
            collection, given=lambda: {"owner": scope().owner}
        ),
        columns=NOTE_COLUMNS,
    )


def _moment(pick):
    """Return an instant about the two days on which clocks change, to their very ends."""
    start = datetime(2024, 3, 30, 22, tzinfo=UTC) + timedelta(days=pick.choice((0, 1, 210, 211)))
    shifts = (
        timedelta(minutes=pick.randint(0, 600)),
        timedelta(minutes=pick.randint(0, 180)),
        timedelta(hours=pick.randint(0, 2)),
        timedelta(hours=1, microseconds=-1),
        timedelta(microseconds=pick.randint(0, 10**6)),
    )
    return pick.choice((None, *(start + each for each in shifts)))


def some_rows(number=70):
    """Return rows with nulls, ties, marks of patterns and of CSV, and letters of all kinds."""
    pick = random.Random(7)
    return [
        {
            "id": key,
            "name": pick.choice((None, *WORDS)),
            "label": pick.choice(WORDS),
            "kind": pick.choice(KINDS),
            "flag": pick.choice((None, True, False)),
            "number": pick.choice((None, -(2**31), -1, 0, 1, 7, 2**31 - 1)),
            "amount": Decimal(pick.choice((-5, 0, 1, 250, 99999, pick.randint(0, 10**6)))) / 100,
            "ratio": pick.choice((None, Decimal(pick.randint(-(10**7), 10**7)) / 10**4)),
            "day": date(2023, 12, 25) + timedelta(days=pick.randint(0, 100)),
            "paid_on": pick.choice((None, date(2024, 1, 1), date(2024, 2, 29), date(2020, 12, 31))),
            "seen_at": _moment(pick),
            "currency": pick.choice(("EUR", "EUR", "GBP")),
            "group_id": pick.choice((None, 1, 2, 3)),
        }
        for key in range(1, number + 1)
    ]


def some_notes(number=40):
    """Return notes of two owners; some of them are deleted."""
    pick = random.Random(11)
    return [
        {
            "owner": FILLED if key % 3 else "other",
            "title": f"{pick.choice(WORDS)}{key}",
            "amount": pick.choice((None, Decimal(0), Decimal(pick.randint(-99, 99)))),
            "version": pick.randint(1, 3),
            "deleted_at": pick.choice((None, None, None, datetime(2024, 1, 1, tzinfo=UTC))),
        }
        for key in range(number)
    ]
