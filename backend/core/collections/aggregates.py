"""Groups and their figures: read, filled, compared, sorted, cut, and each linked to its rows."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

from backend.core.collections import buckets
from backend.core.collections.declaration import Collection, Scope
from backend.core.collections.group_links import RowLinks
from backend.core.collections.group_statements import (
    MOST_READ,
    Group,
    combine,
    empty_parts,
    exact,
    has_distinct,
    read_groups,
    read_together,
)
from backend.core.collections.grouping import GroupKey, GroupQuery, Metric
from backend.core.collections.problems import InvalidQuery
from backend.core.database import Cursor, reading


@dataclass(frozen=True)
class Groups:
    """The answer to a request for aggregates."""

    query: GroupQuery
    rows: list[dict[str, Any]]
    totals: dict[str, Any] | None
    other: dict[str, Any] | None
    count: int
    currency: str | None

    def body(self) -> dict[str, Any]:
        """Return the answer as JSON carries it."""
        meta = {
            "group_count": self.count,
            "currency": self.currency,
            "applied": self.query.applied(),
        }
        found: dict[str, Any] = {"data": self.rows}
        if self.query.top is not None:
            found["other"] = self.other
        if self.totals is not None:
            found["totals"] = self.totals
        return found | {"meta": meta}


def aggregate(collection: Collection, query: GroupQuery, scope: Scope) -> Groups:
    """Return the groups that the query asks for.

    :raises InvalidQuery: when there are more groups or buckets than are answered
    :raises QueryTimeout: when PostgreSQL takes too long
    """
    with reading(seconds=collection.limits.seconds) as cursor:
        return _Aggregation(cursor, collection, query, scope).answer()


class _Aggregation:
    """What is needed while the groups of one request are read and put together."""

    def __init__(
        self, cursor: Cursor, collection: Collection, query: GroupQuery, scope: Scope
    ) -> None:
        self.cursor, self.collection = cursor, collection
        self.query, self.scope = query, scope

    def answer(self) -> Groups:
        query, limits = self.query, self.collection.limits
        every = read_groups(self.cursor, self.collection, query, self.scope)
        if len(every) > MOST_READ:
            raise _too_many("by", MOST_READ)
        needs_all = query.totals or any(metric.kind == "share" for metric in query.metrics)
        totals = self._totals(every) if needs_all else {}
        filled = self._fill(every) if query.fill else every
        for group in filled:
            group.values = figures(query, group.parts, totals)
        groups = [each for each in filled if _passes(query, each)]
        _sort(query, groups)
        kept = groups if query.top is None else groups[: query.top]
        if len(kept) > limits.groups:
            raise _too_many("by", limits.groups)
        rest = groups[len(kept) :]
        return Groups(
            query=query,
            rows=self._rows(kept),
            totals=_shown(query, figures(query, totals, totals)) if query.totals else None,
            other=self._other(rest, totals) if rest else None,
            count=len(groups),
            currency=_currency(self.collection, query),
        )

    def _rows(self, kept: list[Group]) -> list[dict[str, Any]]:
        links = RowLinks(self.collection, self.query)
        return [_row(self.query, group) | {"rows": links.of(group.keys)} for group in kept]

    def _together(self, members: list[str] | None) -> dict[str, Any]:
        return read_together(self.cursor, self.collection, self.query, self.scope, members)

    def _totals(self, every: list[Group]) -> dict[str, Any]:
        """Return the parts of all rows: added up, or counted anew where that is not the same."""
        if not self.query.by:
            return every[0].parts
        return self._together(None) if has_distinct(self.query) else combine(every, self.query)

    def _other(self, rest: list[Group], totals: dict[str, Any]) -> dict[str, Any]:
        parts = combine(rest, self.query)
        if has_distinct(self.query):
            parts = self._together([each.member for each in rest if each.member is not None])
        return {"groups": len(rest)} | _shown(self.query, figures(self.query, parts, totals))

    def _fill(self, every: list[Group]) -> list[Group]:
        """Return the groups, and an empty one for each bucket that a combination of keys lacks."""
        query, most = self.query, self.collection.limits.groups
        at, key = next((at, key) for at, key in enumerate(query.by) if key.bucket)
        span = self._span(key, [group.keys[at] for group in every])
        others = dict.fromkeys((*g.keys[:at], *g.keys[at + 1 :]) for g in every)
        if len(query.by) == 1:
            others = {(): None}
        if len(span) > most or len(others) * len(span) > MOST_READ:
            raise _too_many("fill", most)
        found = {_identity(group.keys): group for group in every}
        for rest in others:
            for value in span:
                keys = (*rest[:at], value, *rest[at:])
                found.setdefault(_identity(keys), Group(keys, empty_parts(query)))
        return list(found.values())

    def _span(self, key: GroupKey, found: list[Any]) -> list[Any]:
        """Return the buckets between the filter's bounds, else from the first row to the last."""
        zone, most = self.query.tz or "UTC", self.collection.limits.groups
        first, last = buckets.asked_bounds(key, self.query.conditions, zone)
        present = sorted(_comparable(each) for each in found if each is not None)
        if present:
            first = present[0] if first is None else first
            last = present[-1] if last is None else last
        if first is None or last is None or first > last:
            return []
        return buckets.series(self.cursor, self.collection, key, first, last, zone, most)


def figures(query: GroupQuery, parts: dict[str, Any], totals: dict[str, Any]) -> dict[str, Any]:
    """Return the figures by name, made of their parts."""
    return {metric.name: _figure(metric, parts, totals) for metric in query.metrics}


def _figure(metric: Metric, parts: dict[str, Any], totals: dict[str, Any]) -> Any:
    if metric.column is None:
        return parts["rows"]
    name = metric.column.name
    if metric.kind == "avg":
        return _quotient(metric, parts[f"sum {name}"], parts[f"count {name}"])
    if metric.kind == "share":
        return _quotient(metric, parts[f"sum {name}"], totals[f"sum {name}"])
    value = parts[f"{metric.kind} {name}"]
    return exact(value) if metric.type.name == "decimal" and value is not None else value


def _quotient(metric: Metric, part: Any, whole: Any) -> Decimal | None:
    if not whole:
        return None
    with localcontext() as context:
        context.prec = 120
        places = getattr(metric.type, "places", 0)
        quotient = exact(part) / exact(whole)
        return quotient.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)


def _passes(query: GroupQuery, group: Group) -> bool:
    return all(each.holds(group.values[each.metric.name]) for each in query.having)


def _sort(query: GroupQuery, groups: list[Group]) -> None:
    places = {key.name: at for at, key in enumerate(query.by)}
    for each in reversed(query.sort):
        found = [
            group.keys[places[each.name]] if each.name in places else group.values[each.name]
            for group in groups
        ]
        order = [at for at, value in enumerate(found) if value is not None]
        order.sort(key=lambda at: _comparable(found[at]), reverse=each.descending)
        nulls = [at for at, value in enumerate(found) if value is None]
        order = nulls + order if each.nulls_first else order + nulls
        groups[:] = [groups[at] for at in order]


def _comparable(value: Any) -> Any:
    # Two hours of one name are told apart by their instants alone.
    return value[1] if isinstance(value, tuple) else value


def _identity(keys: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_moment(key) if isinstance(key, tuple) else key for key in keys)


def _moment(key: tuple[Any, Any]) -> Any:
    # Where midnight comes twice, a day has one name and two possible starts.
    local, instant = key
    return instant if local.hour or local.minute else (local.date(), instant.date())


def _row(query: GroupQuery, group: Group) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key, value in zip(query.by, group.keys, strict=True):
        if key.bucket:
            row[key.name] = buckets.label(key, value)
        else:
            row[key.name] = None if value is None else key.column.type.content(value)
    return row | _shown(query, group.values)


def _shown(query: GroupQuery, values: dict[str, Any]) -> dict[str, Any]:
    shown = {}
    for metric in query.metrics:
        value = values[metric.name]
        shown[metric.name] = None if value is None else metric.type.content(value)
    return shown


def _currency(collection: Collection, query: GroupQuery) -> str | None:
    column = collection.columns.get(collection.currency or "")
    if column is None:
        return collection.currency
    chosen = [each for each in query.conditions if each.column is column and each.op == "eq"]
    return str(chosen[0].values[0]) if chosen else None


def _too_many(parameter: str, most: int) -> InvalidQuery:
    detail = f"There are more than {most} groups: filter, or group less finely."
    entry = {"parameter": parameter, "code": "too_many_groups", "detail": detail}
    return InvalidQuery("1 problem", errors=[entry])
