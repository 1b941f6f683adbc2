"""The statements behind a list and a record: PostgreSQL cuts the page and renders its rows."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy import Text as SqlText

from backend.core.collections.cursor import Position
from backend.core.collections.declaration import Collection, Include, Scope
from backend.core.collections.keyset import alternatives, directed
from backend.core.collections.order import order_by
from backend.core.collections.query import Query, in_sequence
from backend.core.collections.revisions import revision_names, revision_of
from backend.core.collections.where import clauses

JsonText = ColumnElement[str]


def rows_statement(  # noqa: PLR0913  what decides the statement's text
    collection: Collection,
    query: Query,
    scope: Scope,
    position: Position | None,
    *,
    with_revision: bool = False,
    with_count: bool = False,
) -> Select[Any]:
    """Return the statement of one page.

    Its rows are the rendered JSON and the texts of the sort keys, then the revision and the count
    where they are asked for in the same round trip.
    """
    page = _page(collection, query, scope, position)
    shown = shown_row(collection, query, page)
    keys = [cast(key.column.type.keyed(_at(page, key.column.name)), SqlText) for key in query.sort]
    columns: list[Any] = [cast(func.row_to_json(literal_column("shown")), SqlText), *keys]
    if with_revision:
        columns.append(revision_of(revision_names(collection, query), scope))
    if with_count:
        columns.append(count_statement(collection, query, scope).scalar_subquery())
    return (
        select(*columns)
        .select_from(page.join(shown, true()))
        .order_by(*_order(query, page, position))
    )


def record_statement(collection: Collection, query: Query, scope: Scope) -> Select[Any]:
    """Return the statement of one record by its key: its JSON, and its version where it has one."""
    key = collection.key_column
    where = [*clauses(collection, query, scope), key.sql == bindparam("key", type_=key.sql.type)]
    names = _needed(collection, query)
    version = [collection.columns["version"]] if collection.has_version else []
    columns = [collection.columns[name] for name in sorted({*names, *(v.name for v in version)})]
    page = select(*(each.sql.label(each.name) for each in columns)).where(*where).subquery("page")
    shown = shown_row(collection, query, page)
    found: list[Any] = [cast(func.row_to_json(literal_column("shown")), SqlText)]
    found += [_at(page, each.name) for each in version]
    return select(*found).select_from(page.join(shown, true()))


def count_statement(collection: Collection, query: Query, scope: Scope) -> Select[Any]:
    """Return the statement that counts all rows, or the first so many."""
    matching: Select[Any] = select(literal_column("1")).select_from(collection.table)
    matching = matching.where(*clauses(collection, query, scope))
    if query.count == "capped":
        matching = matching.limit(bindparam("count_limit", type_=Integer()))
    return select(func.count()).select_from(matching.subquery("matching"))


def estimate_statement(collection: Collection, query: Query, scope: Scope) -> Select[Any]:
    """Return a statement of which only the plan is read."""
    found: Select[Any] = select(literal_column("1")).select_from(collection.table)
    return found.where(*clauses(collection, query, scope))


def _page(
    collection: Collection, query: Query, scope: Scope, position: Position | None
) -> FromClause:
    """Return the rows of the page, each with the columns that are shown or sorted by."""
    names = _needed(collection, query) | {key.column.name for key in query.sort}
    columns = [each.sql.label(name) for name, each in collection.columns.items() if name in names]
    base = select(*columns).where(*clauses(collection, query, scope))
    keys = directed(query.sort, is_back=bool(position and position.is_back))
    most = bindparam("row_limit", type_=Integer())
    order = [order_by(key, key.column.sql) for key in keys]
    if position is None or not position.values:
        base = base.order_by(*order).limit(most)
        if query.page is not None:
            base = base.offset(bindparam("row_offset", type_=Integer()))
        return base.subquery("page")
    nulls = tuple(value is None for value in position.values)
    branches = [
        base.where(*conditions).order_by(*order).limit(most)
        for conditions in alternatives(keys, nulls)
    ]
    if len(branches) == 1:
        return branches[0].subquery("page")
    joined = union_all(*branches).subquery("branches") if branches else None
    if joined is None:
        return base.where(literal_column("false")).subquery("page")
    return (
        select(*joined.c)
        .order_by(*(order_by(key, joined.c[key.column.name]) for key in keys))
        .limit(most)
        .subquery("page")
    )


def _order(query: Query, page: FromClause, position: Position | None) -> list[ColumnElement[Any]]:
    keys = directed(query.sort, is_back=bool(position and position.is_back))
    return [order_by(key, _at(page, key.column.name)) for key in keys]


def _needed(collection: Collection, query: Query) -> set[str]:
    by = {collection.includes[name].by for name, _ in query.nested}
    return {*query.fields, *by}


def shown_row(collection: Collection, query: Query, page: FromClause) -> FromClause:
    """Return one row beside each of the page's, with every value as it is written."""
    columns: list[Any] = []
    for name, inner in in_sequence(collection, query):
        if inner is None:
            shown = collection.columns[name].type.shown(_at(page, name))
        else:
            shown = _nested(collection.includes[name], inner, page)
        columns.append(shown.label(name))
    return select(*columns).correlate(page).lateral("shown")


def _nested(include: Include, names: tuple[str, ...], page: FromClause) -> ColumnElement[Any]:
    """Return the included record as JSON, found by the page's key: no query for each row."""
    collection = include.collection
    scope = collection.scope()
    columns = [collection.columns[name] for name in names]
    record = (
        select(*(each.type.shown(each.sql).label(each.name) for each in columns))
        .where(
            collection.key_column.sql == _at(page, include.by),
            *clauses(collection, Query(), scope),
        )
        .correlate(page)
        .subquery("included")
    )
    return (
        select(func.row_to_json(literal_column("included"))).select_from(record).scalar_subquery()
    )


def _at(page: FromClause, name: str) -> ColumnElement[Any]:
    return page.c[name]
