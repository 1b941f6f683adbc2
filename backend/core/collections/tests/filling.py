"""Random rows for any declared collection: for its own tables, whatever these may forbid."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql import visitors

from backend.core.collections.numbers import Integer, Number
from backend.core.collections.tests.samples import WORDS
from backend.core.collections.types import Enum, Text

NEW_YEAR = datetime(2020, 12, 30, 21, tzinfo=UTC)
CLOCKS = (datetime(2024, 3, 30, 22, tzinfo=UTC), datetime(2024, 10, 26, 22, tzinfo=UTC))


def tables_of(collection):
    """Return the tables that the collection reads, however deep in its select."""
    found = [collection.table, *visitors.iterate(collection.table)]
    return list(dict.fromkeys(each for each in found if isinstance(each, sa.Table)))


def fill(connection, collections, number):
    """Put random rows into the tables of all these collections."""
    declared = {}
    for collection in collections:
        for table in tables_of(collection):
            known = declared.setdefault(table, {})
            for each in collection.columns.values():
                known.setdefault(each.declared.source or each.name, each.type)
    for table, types in declared.items():
        _forget_constraints(connection, table)
        pick = random.Random(table.name)
        rows = [_row(table, types, key, pick) for key in range(1, number + 1)]
        connection.execute(insert(table).on_conflict_do_nothing(), rows)


def _forget_constraints(connection, table):
    """Rows that contradict each other are rows as well: what is tested here is reading."""
    query = "select conname from pg_constraint where conrelid = to_regclass(%s) and contype in ('c', 'f')"  # noqa: E501
    for (name,) in connection.exec_driver_sql(query, (table.name,)).all():
        connection.exec_driver_sql(f'alter table {table.name} drop constraint "{name}"')


def _row(table, types, key, pick):
    return {
        column.key: None
        if column.nullable and pick.random() < 0.25
        else _value(column, types.get(column.name), key, pick)
        for column in table.columns
    }


def _value(column, declared, key, pick):
    if column.primary_key and isinstance(column.type, sa.Integer):
        return pick.randint(1, 12) if column.name.endswith("_id") else key
    if isinstance(declared, Enum):
        return pick.choice(declared.values)
    if isinstance(declared, Text):
        return _word(declared, column, key, pick)
    if isinstance(declared, Number):
        return Decimal(pick.choice((0, -1, 250, pick.randint(-(10**6), 10**6)))).scaleb(
            -declared.places
        )
    if type(declared) is Integer:
        return pick.choice((max(declared.low, -7), 0, 1, 7, declared.high))
    return _plain(column.type, key, pick)


def _word(declared, column, key, pick):
    word = pick.choice(WORDS)
    if column.primary_key or column.unique:
        word = f"{word}{key}"
    return declared.parse(word)[: declared.max_length]


def _plain(kind, key, pick):
    makers = (
        (sa.Boolean, lambda: pick.random() < 0.4),
        (sa.Integer, lambda: pick.randint(1, 12)),
        (sa.Numeric, lambda: Decimal(pick.randint(0, 999))),
        (sa.DateTime, lambda: _moment(kind, pick)),
        (sa.Date, lambda: date(2020, 12, 28) + timedelta(days=pick.randint(0, 9))),
        (sa.Uuid, lambda: UUID(int=pick.getrandbits(128))),
        (sa.LargeBinary, lambda: key.to_bytes(4, "big")),
        (sa.ARRAY, lambda: pick.choice(([], ["staff"], ["staff", "user"]))),
        (sa.JSON, lambda: pick.choice(({}, {"request_id": "a%b"}))),
        (sa.String, lambda: f"{pick.choice(WORDS)}{key}"),
    )
    return next(make() for type_, make in makers if isinstance(kind, type_))


def _moment(kind, pick):
    start = pick.choice((NEW_YEAR, *CLOCKS))
    moment = start + timedelta(minutes=15 * pick.randint(0, 30))
    if not kind.timezone:
        return moment.replace(tzinfo=None)
    return moment + timedelta(microseconds=pick.choice((0, 0, 1, 999_999)))
