"""Read the query string of aggregates; every mistake in it is found in one pass."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from backend.core.collections.declaration import BUCKETS, Collection, Column
from backend.core.collections.filters import read_filters
from backend.core.collections.grammar import Given, read_list
from backend.core.collections.grouping import (
    COUNTS,
    HAVING,
    GroupKey,
    GroupQuery,
    GroupSort,
    Having,
    Metric,
)
from backend.core.collections.numbers import Money
from backend.core.collections.order import read_words
from backend.core.collections.parse import FORMATS, Words, read_given
from backend.core.collections.problems import Mistakes, nearest
from backend.core.collections.times import Timestamp
from backend.core.collections.types import Refused

GROUP_WORDS = frozenset(("by", "metrics", "fill", "totals", "top", "sort", "order", "format", "tz"))
_CALL = re.compile(r"([a-z_]+)\(([A-Za-z0-9_]+)\)")


@lru_cache(maxsize=256)
def parse_groups(collection: Collection, query_string: str, media: str = "") -> GroupQuery:
    """Return what the query string of aggregates asks for.

    :raises InvalidQuery: with every mistake in the query string
    """
    mistakes = Mistakes()
    given = read_given(collection, query_string, mistakes)
    reserved = {name: given.pop(name) for name in GROUP_WORDS & set(given)}
    comparisons = [given.pop(name) for name in list(given) if name.startswith("having[")]
    words_known = GROUP_WORDS | {"having"}
    conditions = read_filters(collection, list(given.values()), words_known, mistakes)
    words = GroupReader(collection, reserved, mistakes)
    by, metrics = words.by(), words.metrics()
    involved = [key for key in by if key.bucket and isinstance(key.column.type, Timestamp)]
    involved += [each for each in conditions if isinstance(each.column.type, Timestamp)]  # type: ignore[misc]  # only their number counts
    query = GroupQuery(
        conditions=tuple(conditions),
        by=by,
        metrics=metrics,
        having=words.having(comparisons, metrics),
        sort=words.sort(by, metrics),
        fill=words.fill(by),
        top=words.top(),
        totals=words.totals(media),
        tz=words.tz(involved),
        format=words.choice("format", FORMATS) or media or "json",
    )
    words.check_currency(query)
    mistakes.check()
    return query


class GroupReader(Words):
    """The reserved parameters of aggregates."""

    # Once a key or a metric is not understood, what refers to it is not looked at.
    broken = False

    def by(self) -> tuple[GroupKey, ...]:
        """Return the keys to group by."""
        found = [self._key(item) for item in self.items("by", self.collection.limits.group_keys)]
        return tuple(key for key in found if key is not None)

    def _key(self, item: str) -> GroupKey | None:
        call = _CALL.fullmatch(item)
        name, bucket = (call[2], call[1]) if call else (item, None)
        column = self.collection.columns.get(name)
        if column is not None and (
            bucket in column.declared.buckets if bucket else column.declared.groupable
        ):
            return GroupKey(column, bucket)
        self.broken = True
        self._note_key(item, name, bucket, column)
        return None

    def _note_key(self, item: str, name: str, bucket: str | None, column: Column | None) -> None:
        allowed = self._keys()
        code, detail, near = (
            "unknown_field",
            f"No field is named {name[:80]}.",
            nearest(item, allowed),
        )
        if column is not None and bucket is None:
            buckets = column.declared.buckets
            code, detail = "not_groupable", f"{name} cannot be grouped by."
            near = f"{'month' if 'month' in buckets else buckets[0]}({name})" if buckets else near
        elif column is not None:
            allowed = [f"{each}({name})" for each in column.declared.buckets]
            code, near = "unknown_bucket", nearest(item, allowed)
            known = bucket in BUCKETS
            detail = f"{name} has no such buckets." if known else "There is no such bucket."
        self.note("by", code, detail, allowed=allowed, suggestion=near)

    def _keys(self) -> list[str]:
        columns = self.collection.columns.values()
        found = [each.name for each in columns if each.declared.groupable]
        return found + [f"{b}({each.name})" for each in columns for b in each.declared.buckets]

    def metrics(self) -> tuple[Metric, ...]:
        """Return the figures of each group: the number of rows and the main sum, unless asked."""
        items = self.items("metrics", self.collection.limits.metrics)
        if "metrics" not in self.given:
            measure = self.collection.measure
            plain = [Metric("count")]
            return (
                (*plain, Metric("sum", self.collection.columns[measure]))
                if measure
                else tuple(plain)
            )
        found = [self._metric(item) for item in items]
        return tuple(metric for metric in found if metric is not None)

    def _metric(self, item: str) -> Metric | None:
        if item == "count":
            return Metric("count")
        if call := _CALL.fullmatch(item):
            column = self.collection.columns.get(call[2])
            if column is not None and call[1] in metric_kinds(column):
                return Metric(call[1], column)
        allowed = [
            "count",
            *(
                f"{kind}({each.name})"
                for each in self.collection.columns.values()
                for kind in metric_kinds(each)
                if kind not in COUNTS
            ),
        ]
        self.broken = True
        detail = f"There is no metric {item[:80]}."
        self.note(
            "metrics", "unknown_metric", detail, allowed=allowed, suggestion=nearest(item, allowed)
        )
        return None

    def having(self, given: list[Given], metrics: tuple[Metric, ...]) -> tuple[Having, ...]:
        """Return the comparisons of figures."""
        known = {metric.name: metric for metric in metrics}
        found = [self._having(each, known) for each in given]
        unique = [each for each in found if each is not None]
        return tuple(sorted(unique, key=lambda e: (e.metric.name, HAVING.index(e.op))))

    def _having(self, given: Given, known: dict[str, Metric]) -> Having | None:
        _, name, op = given.parts()
        metric = known.get(name or "")
        if metric is None or op not in HAVING:
            if metric is not None or not self.broken:
                self._note_having(given, name or "", op or "", known)
            return None
        try:
            return Having(metric, op, self._operands(metric, op, given))
        except Refused as refused:
            self.mistakes.add(
                given.name, refused.code, refused.detail, at=given.at, suggestion=refused.suggestion
            )
        return None

    def _note_having(self, given: Given, name: str, op: str, known: dict[str, Metric]) -> None:
        allowed: Iterable[str] = HAVING
        code, detail = "unknown_operator", "An operator is expected."
        suggestion: str | None = f"having[{name}][{nearest(op, HAVING) or 'eq'}]"
        if name not in known:
            near = nearest(name, known)
            code, detail, allowed = "unknown_metric", f"No such metric: {name[:80]}.", known
            suggestion = f"having[{near}][{op or 'gte'}]" if near else None
        self.mistakes.add(
            given.name, code, detail, at=given.at, allowed=allowed, suggestion=suggestion
        )

    def _operands(self, metric: Metric, op: str, given: Given) -> tuple[Any, ...]:
        if op != "between" and len(given.values) > 1:
            raise Refused(f"Given {len(given.values)} times.", code="duplicate_parameter")
        texts = read_list(given.values) if op == "between" else given.values
        if any(not text or len(text) > self.collection.limits.value_length for text in texts):
            raise Refused("A value is missing or too long.")
        values = tuple(metric.type.parse(text) for text in texts)
        if op == "between" and (len(values) != 2 or values[0] > values[1]):  # noqa: PLR2004
            raise Refused("Two values are expected, the lower one first.")
        return values

    def sort(self, by: tuple[GroupKey, ...], metrics: tuple[Metric, ...]) -> tuple[GroupSort, ...]:
        """Return the order of the groups, made total by their keys."""
        names = [key.name for key in by]
        known = [*names, *(metric.name for metric in metrics)]
        found: dict[str, GroupSort] = {}
        for word in read_words(self.given, self.mistakes):
            plain, _, placement = word.removeprefix("-").partition(":")
            if self.broken and plain not in known:
                continue
            if plain not in known or placement not in {"", "nullsfirst"} or word.endswith(":"):
                near = nearest(plain, known)
                detail = f"No key and no requested metric is named {plain[:80]}."
                self.note("sort", "unknown_field", detail, allowed=known, suggestion=near)
            elif plain in found:
                self.note("sort", "duplicate_item", f"{plain} is given twice.")
            else:
                found[plain] = GroupSort(plain, word.startswith("-"), placement != "")
        # The keys that every order is given at its end do not count.
        if len([w for w, key in found.items() if w not in names or key.word != w]) > (
            self.collection.limits.sort_keys
        ):
            detail = f"At most {self.collection.limits.sort_keys} keys."
            self.note("sort", "too_many_items", detail)
        return tuple((found | {n: GroupSort(n) for n in names if n not in found}).values())

    def fill(self, by: tuple[GroupKey, ...]) -> str | None:
        """Return `zero` when gaps in time are to be filled."""
        value = self.choice("fill", ("zero",))
        if value is not None and not self.broken and len([k for k in by if k.bucket]) != 1:
            self.note("fill", "not_applicable", "fill needs exactly one bucket of time in by.")
        return value

    def top(self) -> int | None:
        """Return how many groups are kept apart."""
        top, most = self.number("top"), self.collection.limits.groups
        if top is not None and top > most:
            self.note("top", "too_many_groups", f"At most {most} groups.")
        return top

    def totals(self, media: str) -> bool:
        """Whether the figures of all rows are wanted as well."""
        value = self.choice("totals", ("true", "false"))
        form = self.given["format"].values[0] if "format" in self.given else media
        if value is not None and form in {"csv", "ndjson"}:
            self.note("totals", "not_applicable", "A file has no place for totals.")
        return value == "true"

    def check_currency(self, query: GroupQuery) -> None:
        """Note a sum over several currencies."""
        name = self.collection.currency or ""
        column = self.collection.columns.get(name)
        is_money = any(
            m.column and isinstance(m.column.type, Money)
            for m in query.metrics
            if m.kind not in COUNTS
        )
        if column is None or not is_money:
            return
        is_grouped = any(key.column is column for key in query.by)
        is_one = any(each.column is column and each.op == "eq" for each in query.conditions)
        if not is_grouped and not is_one:
            detail = f"Amounts of several currencies have no sum: group or filter by {name}."
            at = self.given["metrics"].at if "metrics" in self.given else 0
            self.mistakes.add("metrics", "mixed_currencies", detail, at=at)


def metric_kinds(column: Any) -> tuple[str, ...]:
    """Return the metrics that the column has."""
    share = ("share",) if "sum" in column.declared.metrics else ()
    return (*COUNTS, *column.declared.metrics, *share)
