"""Exports: the whole filtered and sorted set, read from one snapshot by COPY."""

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.errors import QueryCanceled
from sqlalchemy import Integer, Select, bindparam, cast, func, literal_column, select, true
from sqlalchemy import Text as SqlText

from backend.core.auth import current_identity
from backend.core.collections.declaration import Collection, Scope
from backend.core.collections.listing import shown_row
from backend.core.collections.order import order_by
from backend.core.collections.problems import QueryTimeout, TooManyExports
from backend.core.collections.query import Query, in_sequence
from backend.core.collections.statements import Statement, statement
from backend.core.collections.where import clauses, operands, shape
from backend.core.database import snapshot

PIECE = 64 * 1024
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8; header=present",
    "ndjson": "application/x-ndjson; charset=utf-8",
}
COPY_OPTIONS = {
    "csv": "FORMAT csv, HEADER true",
    # JSON has no control characters in it, so that nothing is ever quoted.
    "ndjson": "FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02'",
}


def export(
    collection: Collection, query: Query, scope: Scope, caller: str | None = None
) -> Iterator[bytes]:
    """Return the pieces of the file, read from one moment of the database.

    :raises QueryTimeout: when PostgreSQL takes too long
    :raises TooManyExports: when the caller has as many running as anyone may have
    """
    with snapshot(seconds=collection.limits.export_seconds) as connection:
        _take_slot(connection, collection.limits.exports, caller or _caller())
        prepared = statement(
            collection,
            ("export", shape(query, scope), query.format, _shape(query)),
            lambda: export_statement(collection, query, scope),
        )
        values = _values(collection, query, scope)
        try:
            yield from _pieces(connection, prepared, values, query)
        except QueryCanceled as error:
            raise QueryTimeout from error


def export_statement(collection: Collection, query: Query, scope: Scope) -> Select[Any]:
    """Return the statement whose rows are the file's lines."""
    if query.format == "ndjson":
        return _ndjson(collection, query, scope)
    columns: list[Any] = []
    source: Any = collection.table
    for name, inner in in_sequence(collection, query):
        if inner is None:
            column = collection.columns[name]
            columns.append(column.type.celled(column.sql).label(name))
        else:
            joined = _included(collection, name, inner)
            source = source.outerjoin(joined, true())
            columns += list(joined.c)
    found = select(*columns).select_from(source).where(*clauses(collection, query, scope))
    return _cut(found, query)


def _ndjson(collection: Collection, query: Query, scope: Scope) -> Select[Any]:
    shown = shown_row(collection, query, collection.table)
    return _cut(
        select(cast(func.row_to_json(literal_column("shown")), SqlText))
        .select_from(collection.table.join(shown, true()))
        .where(*clauses(collection, query, scope)),
        query,
    )


def _cut(found: Select[Any], query: Query) -> Select[Any]:
    found = found.order_by(*(order_by(key, key.column.sql) for key in query.sort))
    return found.limit(bindparam("row_limit", type_=Integer())) if query.is_limited else found


def _included(collection: Collection, name: str, fields: tuple[str, ...]) -> Any:
    include = collection.includes[name]
    other = include.collection
    columns = [
        other.columns[each].type.celled(other.columns[each].sql).label(f"{name}.{each}")
        for each in fields
    ]
    return (
        select(*columns)
        .where(
            other.key_column.sql == collection.columns[include.by].sql,
            *clauses(other, Query(), other.scope()),
        )
        .correlate(collection.table)
        .lateral(f"included_{name}")
    )


def _shape(query: Query) -> tuple[Any, ...]:
    return query.fields, query.nested, tuple(key.word for key in query.sort), query.is_limited


def _values(collection: Collection, query: Query, scope: Scope) -> dict[str, Any]:
    values = operands(query, scope)
    for name, _ in query.nested:
        values |= collection.includes[name].collection.scope().values
    return values | ({"row_limit": query.limit} if query.is_limited else {})


def _pieces(
    connection: psycopg.Connection[Any], prepared: Statement, values: dict[str, Any], query: Query
) -> Iterator[bytes]:
    """Return the lines in pieces worth sending; PostgreSQL sends each as one message."""
    form = query.format or "csv"
    newline = b"\r\n" if form == "csv" else b"\n"
    command = f"COPY ({prepared.text}) TO STDOUT ({COPY_OPTIONS[form]})"
    # COPY takes no parameters: the driver puts the values in, quoted as literals.
    cursor = psycopg.ClientCursor(connection)
    with cursor.copy(command.encode(), {**prepared.constants, **values}) as copy:
        lines: list[bytes] = []
        size = 0
        for line in copy:
            lines.append(bytes(line[:-1]))
            size += len(line)
            if size >= PIECE:
                yield newline.join(lines) + newline
                lines, size = [], 0
        if lines:
            yield newline.join(lines) + newline


def _take_slot(connection: psycopg.Connection[Any], most: int, caller: str) -> None:
    """Take one of the caller's places until the snapshot ends.

    :raises TooManyExports: when none is free
    """
    for slot in range(most):
        query = "select pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
        row = connection.execute(query, [f"collections.export {caller} {slot}"]).fetchone()
        if row is not None and row[0]:
            return
    raise TooManyExports(f"At most {most} exports at the same time.")


def _caller() -> str:
    identity = current_identity()
    if identity is not None:
        return str(identity.user_id)
    from flask import has_request_context, request  # noqa: PLC0415

    return (request.remote_addr or "") if has_request_context() else ""
