"""The link from a group to exactly its rows: the request's filters, narrowed by its keys."""

from datetime import timedelta
from typing import Any

from backend.core.collections import buckets
from backend.core.collections.declaration import Collection, Column
from backend.core.collections.envelope import SAFE_IN_BODY, address
from backend.core.collections.grammar import write_item
from backend.core.collections.grouping import GroupKey, GroupQuery
from backend.core.collections.query import LISTED, Condition, is_day
from backend.core.collections.times import Timestamp, day_end, day_start

RANGES = ("gt", "gte", "lt", "lte", "between")


def rows_link(collection: Collection, query: GroupQuery, keys: tuple[Any, ...]) -> str | None:
    """Return the address of the group's rows, or none where it would be too much for an address."""
    conditions = list(query.conditions)
    for key, value in zip(query.by, keys, strict=True):
        conditions = _narrowed(conditions, key, value, query.tz or "UTC")
    limits = collection.limits
    if len(conditions) > limits.conditions:
        return None
    pairs = [(_parameter(each), _text(each)) for each in conditions]
    if any(len(item) > limits.value_length for each in conditions for item in each.texts):
        return None
    if query.tz and any(isinstance(each.column.type, Timestamp) for each in conditions):
        pairs.append(("tz", query.tz))
    link = address(collection.path, pairs, safe=SAFE_IN_BODY)
    return link if len(link) - len(collection.path) <= limits.query_string else None


def _narrowed(conditions: list[Condition], key: GroupKey, value: Any, zone: str) -> list[Condition]:
    column = key.column
    if value is None or key.bucket is None:
        # All that was asked of the column holds for this one value.
        rest = [each for each in conditions if each.column is not column]
        own = Condition(column, "isnull", (True,)) if value is None else None
        return [*rest, own or Condition(column, "eq", (value,))]
    low, high = buckets.bounds(key, value, zone)
    kept = []
    for each in conditions:
        if each.column is column and each.op in RANGES:
            bottom, top = _half_open(column, each, zone)
            low = low if bottom is None else max(low, bottom)
            high = high if top is None else min(high, top)
        else:
            kept.append(each)
    return [*kept, Condition(column, "gte", (low,)), Condition(column, "lt", (high,))]


def _half_open(column: Column, condition: Condition, zone: str) -> tuple[Any, Any]:
    """Return a range as its first value and the first one after it."""
    is_instant = isinstance(column.type, Timestamp)
    step = timedelta(microseconds=1) if is_instant else timedelta(days=1)
    starts, ends = [], []
    for value in condition.values:
        is_whole = is_instant and is_day(value)
        starts.append(day_start(value, zone) if is_whole else value)
        ends.append(day_end(value, zone) if is_whole else value + step)
    return {
        "gt": (ends[0], None),
        "gte": (starts[0], None),
        "lt": (None, starts[0]),
        "lte": (None, ends[0]),
        "between": (starts[0], ends[-1]),
    }[condition.op]


def _parameter(condition: Condition) -> str:
    name = condition.column.name
    return name if condition.op == "eq" else f"{name}[{condition.op}]"


def _text(condition: Condition) -> str:
    if condition.op in LISTED:
        return ",".join(map(write_item, condition.texts))
    return condition.texts[0]
