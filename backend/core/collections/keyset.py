"""The rows after a position, for any order: each part of the predicate is a range of an index.

    after(k1..kn; v1..vn) = OR over i: same(k1,v1) AND … AND same(k[i-1],v[i-1]) AND beyond(ki,vi)

The alternatives do not overlap, so that they are asked one by one (`UNION ALL`), each of them
sorted and cut: PostgreSQL cannot walk an index along an OR.
"""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, tuple_

from backend.core.collections.order import by_code_point
from backend.core.collections.query import SortKey
from backend.core.collections.where import bind_type


def directed(keys: tuple[SortKey, ...], *, is_back: bool) -> tuple[SortKey, ...]:
    """Return the keys in the direction of reading."""
    return tuple(key.flipped() for key in keys) if is_back else keys


def alternatives(
    keys: tuple[SortKey, ...], nulls: tuple[bool, ...]
) -> list[list[ColumnElement[bool]]]:
    """Return the alternatives, each a list of conditions; `nulls` says which values are null.

    The values are the parameters `k0`, `k1` and so on.
    """
    columns = [by_code_point(key, key.column.sql) for key in keys]
    values = [bindparam(f"k{at}", type_=bind_type(key.column)) for at, key in enumerate(keys)]
    is_uniform = len({key.descending for key in keys}) == 1
    if is_uniform and not any(key.column.nullable for key in keys):
        left, right = tuple_(*columns), tuple_(*values)
        return [[left < right if keys[0].descending else left > right]]
    found: list[list[ColumnElement[bool]]] = []
    same: list[ColumnElement[bool]] = []
    for key, column, value, is_null in zip(keys, columns, values, nulls, strict=True):
        found += [[*same, beyond] for beyond in _beyond(key, column, value, is_null=is_null)]
        same = [*same, column.is_(None) if is_null else column == value]
    return found


def _beyond(
    key: SortKey, column: ColumnElement[Any], value: Any, *, is_null: bool
) -> list[ColumnElement[bool]]:
    if is_null:
        return [column.is_not(None)] if key.nulls_first else []
    beyond = [column < value if key.descending else column > value]
    if key.column.nullable and not key.nulls_first:
        beyond.append(column.is_(None))
    return beyond
