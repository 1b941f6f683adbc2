"""The statements behind aggregates: one row for each group, with the parts of its figures.

An average is kept as sum and count until the end: then groups can be put together exactly.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    any_,
    bindparam,
    cast,
    collate,
    distinct,
    func,
    literal_column,
    select,
)
from sqlalchemy import Date as SqlDate
from sqlalchemy import Text as SqlText

from backend.core.collections.declaration import Collection, Scope
from backend.core.collections.grouping import GroupKey, GroupQuery, Metric
from backend.core.collections.query import Query
from backend.core.collections.statements import run, statement
from backend.core.collections.times import Timestamp
from backend.core.collections.where import clauses, operands, shape
from backend.core.database import Cursor

# Groups that `having` and `top` may look through before they answer with fewer.
MOST_READ = 50_000


@dataclass
class Group:
    """One group: its keys, the labels of its buckets, and the parts of its figures by name."""

    keys: tuple[Any, ...]
    parts: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    member: Any = None


def part_names(metric: Metric) -> list[str]:
    """Return the parts that the metric is made of."""
    if metric.column is None:
        return ["rows"]
    name = metric.column.name
    kinds = {"avg": ["sum", "count"], "share": ["sum"]}.get(metric.kind, [metric.kind])
    return [f"{kind} {name}" for kind in kinds]


def read_groups(
    cursor: Cursor, collection: Collection, query: GroupQuery, scope: Scope
) -> list[Group]:
    """Return the groups, one more than may be looked through if there are too many."""
    shape_ = ("groups", *_shape(query, scope))
    prepared = statement(collection, shape_, lambda: _groups(collection, query, scope))
    rows = run(cursor, prepared, _values(query, scope) | {"group_limit": MOST_READ + 1})
    names, wide = _parts(query), [_is_instant(key) for key in query.by]
    found = []
    for row in rows:
        keys: list[Any] = []
        at = 0
        for is_wide in wide:
            pair = (row[at + 1], row[at]) if is_wide and row[at] is not None else None
            keys.append(pair if is_wide else row[at])
            at += 2 if is_wide else 1
        parts = dict(zip(names, row[at:], strict=False))
        found.append(Group(tuple(keys), parts, member=row[-1] if query.by else ""))
    return found


def read_together(
    cursor: Cursor,
    collection: Collection,
    query: GroupQuery,
    scope: Scope,
    members: list[str] | None,
) -> dict[str, Any]:
    """Return the parts over all rows, or those of some groups, for what does not add up."""
    shape_ = ("together", *_shape(query, scope), members is None)
    prepared = statement(
        collection, shape_, lambda: _together(collection, query, scope, is_all=members is None)
    )
    values = _values(query, scope) | ({} if members is None else {"members": members})
    (row,) = run(cursor, prepared, values)
    return dict(zip(_parts(query), row, strict=True))


def combine(groups: list[Group], query: GroupQuery) -> dict[str, Any]:
    """Return the parts of several groups as those of one; distinct counts cannot be combined."""
    found: dict[str, Any] = {}
    for name in _parts(query):
        values = [each.parts[name] for each in groups if each.parts[name] is not None]
        kind = name.partition(" ")[0]
        if kind in {"min", "max"}:
            found[name] = (min if kind == "min" else max)(values) if values else None
        else:
            found[name] = sum(values)
    return found


def empty_parts(query: GroupQuery) -> dict[str, Any]:
    """Return the parts of a group without rows."""
    return combine([], query)


def _parts(query: GroupQuery) -> list[str]:
    return list(dict.fromkeys(part for metric in query.metrics for part in part_names(metric)))


def _shape(query: GroupQuery, scope: Scope) -> tuple[Any, ...]:
    words = tuple(key.word for key in query.by), tuple(metric.word for metric in query.metrics)
    return shape(Query(conditions=query.conditions), scope), words


def _values(query: GroupQuery, scope: Scope) -> dict[str, Any]:
    values = operands(Query(conditions=query.conditions, tz=query.tz), scope)
    if any(_is_instant(key) for key in query.by):
        values["zone"] = query.tz or "UTC"
    return values


def _groups(collection: Collection, query: GroupQuery, scope: Scope) -> Select[Any]:
    keys = _keys(query)
    parts = _part_columns(collection, query)
    member = [_member(query)] if keys and has_distinct(query) else []
    found = select(*keys, *parts, *member).select_from(collection.table)
    found = found.where(*clauses(collection, Query(conditions=query.conditions), scope))
    # By position: the zone is a parameter, and PostgreSQL takes two of them for different.
    places = [*range(len(keys))] + [len(keys) + len(parts) for _ in member]
    found = found.group_by(*(literal_column(str(at + 1)) for at in places))
    return found.limit(bindparam("group_limit", type_=Integer()))


def _together(
    collection: Collection, query: GroupQuery, scope: Scope, *, is_all: bool
) -> Select[Any]:
    found = select(*_part_columns(collection, query)).select_from(collection.table)
    found = found.where(*clauses(collection, Query(conditions=query.conditions), scope))
    if is_all:
        return found
    return found.where(_member(query) == any_(bindparam("members", type_=ARRAY(SqlText()))))


def _member(query: GroupQuery) -> ColumnElement[Any]:
    """Return one text that tells the row's group from all others."""
    return cast(func.row(*_keys(query)), SqlText)


def _keys(query: GroupQuery) -> list[ColumnElement[Any]]:
    return [each for key in query.by for each in key_columns(key)]


def has_distinct(query: GroupQuery) -> bool:
    """Whether figures are asked for that do not add up over groups."""
    return any(metric.kind == "count_distinct" for metric in query.metrics)


def _is_instant(key: GroupKey) -> bool:
    return key.bucket is not None and isinstance(key.column.type, Timestamp)


def key_columns(key: GroupKey) -> list[ColumnElement[Any]]:
    """Return the SQL of a key: for buckets of instants their start, and that as local time."""
    column = key.column.sql
    if key.bucket is None:
        return [column]
    unit: Any = literal_column(f"'{key.bucket}'")
    if not _is_instant(key):
        # Without the cast PostgreSQL would go through the session's time zone.
        return [cast(func.date_trunc(unit, cast(column, DateTime())), SqlDate())]
    zone = bindparam("zone", type_=SqlText())
    start = func.date_trunc(unit, column, zone)
    return [start, func.timezone(zone, start)]


def _part_columns(collection: Collection, query: GroupQuery) -> list[ColumnElement[Any]]:
    return [_part(collection, name) for name in _parts(query)]


def _part(collection: Collection, name: str) -> ColumnElement[Any]:
    kind, _, column_name = name.partition(" ")
    if kind == "rows":
        return func.count()
    column = collection.columns[column_name].sql
    if kind == "count":
        return func.count(column)
    if kind == "count_distinct":
        return func.count(distinct(column))
    if kind == "sum":
        return func.coalesce(func.sum(column), literal_column("0"))
    found: ColumnElement[Any] = getattr(func, kind)(_comparable(collection, column_name))
    return found


def _comparable(collection: Collection, name: str) -> ColumnElement[Any]:
    column = collection.columns[name]
    return collate(column.sql, "C") if column.type.is_text else column.sql


def exact(value: Any) -> Decimal:
    """Return a part as a decimal number."""
    return value if isinstance(value, Decimal) else Decimal(value)
