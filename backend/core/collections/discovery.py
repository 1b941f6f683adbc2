"""What a collection can do, told from its declaration so that it cannot drift."""

from typing import Any

from backend.core.collections.declaration import Collection, Column
from backend.core.collections.order import default_order
from backend.core.collections.query import with_key
from backend.core.collections.times import Timestamp


def describe(collection: Collection) -> dict[str, Any]:
    """Return the collection's columns, abilities, limits, and an example of each ability."""
    sort = with_key(collection, default_order(collection))
    return {
        "name": collection.name,
        "title": collection.title,
        "description": collection.description,
        "key": collection.key,
        "default_sort": [key.word for key in sort],
        "writable": collection.writable,
        "currency": collection.currency,
        "includes": [
            {"name": name, "by": each.by, "columns": list(each.collection.columns)}
            for name, each in collection.includes.items()
        ],
        "columns": [describe_column(collection, each) for each in collection.columns.values()],
        "limits": describe_limits(collection),
        "examples": examples(collection),
    }


def describe_limits(collection: Collection) -> dict[str, int]:
    """Return how much may be asked at once."""
    limits = collection.limits
    return {
        "limit": limits.limit,
        "conditions": limits.conditions,
        "items": limits.items,
        "value_length": limits.value_length,
        "sort_keys": limits.sort_keys,
        "group_keys": limits.group_keys,
        "metrics": limits.metrics,
        "groups": limits.groups,
        "page_depth": limits.page_depth,
        "query_string": limits.query_string,
        "search_depth": limits.depth,
        "search_leaves": limits.leaves,
        "seconds": limits.seconds,
        "export_seconds": limits.export_seconds,
        "exports": limits.exports,
    }


def describe_column(collection: Collection, column: Column) -> dict[str, Any]:
    """Return what one column is and what may be asked of it."""
    declared = column.declared
    return {
        "name": column.name,
        "title": declared.label,
        "description": declared.description,
        "type": column.type.name,
        "schema": column.type.schema(),
        "nullable": column.nullable,
        "operators": list(column.operators),
        "sortable": collection.can_sort(column),
        "groupable": declared.groupable,
        "metrics": list(declared.metrics),
        "buckets": list(declared.buckets),
        "links_to": declared.links_to,
    }


def examples(collection: Collection) -> list[str]:
    """Return one working address for each ability."""
    columns, path = list(collection.columns.values()), collection.path or f"/{collection.name}"
    found = [_filter_example(path, each) for each in columns if each.name != collection.key][:4]
    sortable = [each.name for each in columns if collection.can_sort(each)]
    found.append(f"{path}?sort=-{sortable[-1]}&limit=5")
    found.append(f"{path}?fields={','.join([each.name for each in columns][:3])}&count=none")
    found += [f"{path}?include={name}" for name in collection.includes]
    found.append(f"{path}?format=csv")
    if aggregate := _aggregate_example(collection):
        found.append(f"{path}/aggregates?{aggregate}")
    return found


def _filter_example(path: str, column: Column) -> str:
    op = next(op for op in ("gte", "contains", "in", "eq") if op in column.operators)
    name = column.name if op == "eq" else f"{column.name}[{op}]"
    value = column.type.sample()
    if isinstance(column.type, Timestamp):
        value = value[:10]
    return f"{path}?{name}={value}"


def _aggregate_example(collection: Collection) -> str:
    keys = [each.name for each in collection.columns.values() if each.declared.groupable][:1]
    for each in collection.columns.values():
        if "month" in each.declared.buckets:
            keys.append(f"month({each.name})")
            break
    if not keys:
        return ""
    metrics = f"sum({collection.measure}),count" if collection.measure else "count"
    return f"by={','.join(keys)}&metrics={metrics}&totals=true"
