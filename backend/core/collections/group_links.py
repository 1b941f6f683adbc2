"""The link from a group to exactly its rows: the request's filters, narrowed by its keys."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from backend.core.collections import buckets
from backend.core.collections.declaration import Collection, Column
from backend.core.collections.envelope import SAFE_IN_BODY, written
from backend.core.collections.grammar import write_item
from backend.core.collections.grouping import GroupKey, GroupQuery
from backend.core.collections.query import LISTED, Condition, is_day
from backend.core.collections.times import Timestamp, day_end, day_start

RANGES = ("gt", "gte", "lt", "lte", "between")


@dataclass(frozen=True)
class _Part:
    """Some conditions of a link, as they are written in it."""

    text: str
    conditions: int
    fits: bool
    is_timed: bool


class RowLinks:
    """The links of one request's groups: what several groups share is written once."""

    def __init__(self, collection: Collection, query: GroupQuery) -> None:
        self._collection, self._query = collection, query
        self._columns = list(dict.fromkeys(key.column for key in query.by))
        rest = [each for each in query.conditions if each.column not in self._columns]
        self._rest = self._written(rest)
        self._narrowing: dict[tuple[Any, ...], _Part] = {}

    def of(self, keys: tuple[Any, ...]) -> str | None:
        """Return the address of the group's rows, or none where it would be too much for one."""
        limits, path, zone = self._collection.limits, self._collection.path, self._query.tz
        parts = [self._rest, *(self._part(column, keys) for column in self._columns)]
        if sum(each.conditions for each in parts) > limits.conditions:
            return None
        if not all(each.fits for each in parts):
            return None
        texts = [each.text for each in parts if each.text]
        if zone and any(each.is_timed for each in parts):
            texts.append(written([("tz", zone)], safe=SAFE_IN_BODY))
        text = "&".join(texts)
        if len(text) >= limits.query_string:
            return None
        return f"{path}?{text}" if text else path

    def _part(self, column: Column, keys: tuple[Any, ...]) -> _Part:
        """Return what is left of the request's conditions on a key's column, and the key's own."""
        values = [(key, keys[at]) for at, key in enumerate(self._query.by) if key.column is column]
        place = (column, *(value for _, value in values))
        found = self._narrowing.get(place)
        if found is None:
            conditions = [each for each in self._query.conditions if each.column is column]
            for key, value in values:
                conditions = _narrowed(conditions, key, value, self._query.tz or "UTC")
            found = self._narrowing[place] = self._written(conditions)
        return found

    def _written(self, conditions: list[Condition]) -> _Part:
        longest = self._collection.limits.value_length
        pairs = [(_parameter(each), _text(each)) for each in conditions]
        return _Part(
            text=written(pairs, safe=SAFE_IN_BODY),
            conditions=len(conditions),
            fits=all(len(item) <= longest for each in conditions for item in each.texts),
            is_timed=any(isinstance(each.column.type, Timestamp) for each in conditions),
        )


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
