"""Conditions as SQL: one statement for each shape of filter, with the operands as parameters.

`shape` says what of a filter changes the statement; `clauses` builds it, once for each shape;
`operands` gives the parameters, at every request.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Numeric,
    all_,
    and_,
    any_,
    bindparam,
    collate,
    false,
    func,
    not_,
    or_,
    true,
)
from sqlalchemy import Boolean as SqlBoolean
from sqlalchemy import Date as SqlDate
from sqlalchemy import Enum as SqlEnum
from sqlalchemy import Text as SqlText
from sqlalchemy import Uuid as SqlUuid

from backend.core.collections.declaration import Collection, Column, Scope
from backend.core.collections.local_times import LocalTimestamp
from backend.core.collections.numbers import Integer, Number
from backend.core.collections.query import Condition, Query, Tree, is_day
from backend.core.collections.times import Date, Timestamp
from backend.core.collections.types import Boolean, Type, Uuid

# Under "C" PostgreSQL folds the case of ASCII alone; the database's own collation knows more.
FOLDING = "default"

_SQL_TYPES: tuple[tuple[type[Type], Any], ...] = (
    (Boolean, SqlBoolean()),
    (Date, SqlDate()),
    (Integer, BigInteger()),
    (LocalTimestamp, DateTime()),
    (Number, Numeric()),
    (Timestamp, DateTime(timezone=True)),
    (Uuid, SqlUuid()),
)


def folded(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the column without case, as `contains` and `startswith` compare it."""
    return collate(func.lower(collate(column, FOLDING)), "C")


def _as_it_is(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return column


def bind_type(column: Column) -> Any:
    """Return the SQL type of the column's operands: without length, so that none is cut."""
    if isinstance(column.sql.type, SqlEnum):
        return column.sql.type
    return next((sql for kind, sql in _SQL_TYPES if isinstance(column.type, kind)), SqlText())


def shape(query: Query, scope: Scope) -> tuple[Any, ...]:
    """Return what of the filter decides the statement's text."""
    tree = _tree_shape(query.tree) if query.tree else None
    return scope.name, tuple(map(_condition_shape, query.conditions)), tree


def _condition_shape(condition: Condition) -> tuple[Any, ...]:
    days: Any = tuple(map(is_day, condition.values)) if condition.has_days else None
    fixed = condition.values if condition.op == "isnull" else None
    return condition.column.name, condition.op, days, fixed


def _tree_shape(tree: Tree) -> tuple[Any, ...]:
    if tree.condition is not None:
        return _condition_shape(tree.condition)
    return (tree.kind, *map(_tree_shape, tree.parts))


def clauses(collection: Collection, query: Query, scope: Scope) -> list[ColumnElement[bool]]:
    """Return the conditions that every row of the answer fulfils."""
    found = []
    if collection.where is not None:
        found.append(collection.where(collection.table))
    if scope.clause is not None:
        found.append(scope.clause(collection.table))
    names = _names()
    found += [_comparison(each, names) for each in query.conditions]
    if query.tree is not None:
        found.append(_joined(query.tree, names))
    return found


def operands(query: Query, scope: Scope) -> dict[str, Any]:
    """Return the values of the parameters that `clauses` left open."""
    names, values = _names(), dict(scope.values)
    zone = query.tz or "UTC"
    for condition in query.leaves():
        for value in _bound(condition, zone):
            values[next(names)] = value
    return values


def _names() -> Iterator[str]:
    number = 0
    while True:
        yield f"f{number}"
        number += 1


def _joined(tree: Tree, names: Iterator[str]) -> ColumnElement[bool]:
    if tree.condition is not None:
        return _comparison(tree.condition, names)
    parts = [_joined(each, names) for each in tree.parts]
    if tree.kind == "not":
        # The complement of a set: where the inner condition is unknown, the row is in.
        return func.coalesce(parts[0], false()).is_(false())
    return and_(*parts) if tree.kind == "and" else or_(*parts)


def _comparison(condition: Condition, names: Iterator[str]) -> ColumnElement[bool]:
    """Return the condition; it takes a name for each parameter, in the order of `_bound`."""
    column, op = condition.column.sql, condition.op
    if op == "isnull":
        return column.is_(None) if condition.values[0] else column.is_not(None)
    if condition.has_days:
        return _with_days(condition, names)
    kind = bind_type(condition.column)
    if op in {"in", "nin"}:
        listed = bindparam(next(names), type_=ARRAY(kind))
        return column == any_(listed) if op == "in" else _or_null(condition, column != all_(listed))
    if op in {"contains", "startswith"}:
        pattern = bindparam(next(names), type_=SqlText())
        fold = folded if condition.column.type.is_folded else _as_it_is
        return fold(column).like(fold(pattern))
    values = [bindparam(next(names), type_=kind) for _ in condition.values]
    return _compared(condition, column, op, values)


def _compared(
    condition: Condition, column: ColumnElement[Any], op: str, values: list[Any]
) -> ColumnElement[bool]:
    if op == "between":
        return and_(column >= values[0], column <= values[1])
    if op == "ne":
        return _or_null(condition, column != values[0])
    compare = {"eq": "__eq__", "gt": "__gt__", "gte": "__ge__", "lt": "__lt__", "lte": "__le__"}
    found: ColumnElement[bool] = getattr(column, compare[op])(values[0])
    return found


def _or_null(condition: Condition, clause: ColumnElement[bool]) -> ColumnElement[bool]:
    return or_(clause, condition.column.sql.is_(None)) if condition.column.nullable else clause


def _with_days(condition: Condition, names: Iterator[str]) -> ColumnElement[bool]:
    """Compare with whole local days: each is two instants, its start and the next day's."""
    column, op, kind = condition.column.sql, condition.op, bind_type(condition.column)
    pairs = []
    for value in condition.values:
        start = bindparam(next(names), type_=kind)
        end = bindparam(next(names), type_=kind) if is_day(value) else None
        pairs.append((start, end))
    if op == "between":
        last = pairs[1][1]
        return and_(column >= pairs[0][0], column < last)
    if op in {"gt", "gte", "lt", "lte"}:
        start, end = pairs[0]
        compare = {"gt": column >= end, "gte": column >= start, "lt": column < start}
        return compare.get(op, column < end)
    inside = or_(
        *(
            column == start if end is None else and_(column >= start, column < end)
            for start, end in pairs
        )
    )
    return inside if op in {"eq", "in"} else _or_null(condition, not_(inside))


def _bound(condition: Condition, zone: str) -> Iterator[Any]:
    op, values = condition.op, condition.values
    days: Any = condition.column.type
    if op == "isnull":
        return
    if condition.has_days:
        for value in values:
            yield days.day_start(value, zone) if is_day(value) else value
            if is_day(value):
                yield days.day_end(value, zone)
    elif op in {"in", "nin"}:
        yield list(values)
    elif op in {"contains", "startswith"}:
        escaped = values[0].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        yield f"%{escaped}%" if op == "contains" else f"{escaped}%"
    else:
        yield from values


def everything(clauses_: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return the conditions as one."""
    return and_(true(), *clauses_)
