"""A parsed request for aggregates: the keys, the metrics, and what is done with the groups."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backend.core.collections.declaration import Column
from backend.core.collections.numbers import Integer, Number
from backend.core.collections.query import Condition
from backend.core.collections.types import Type

COUNTS = ("count", "count_distinct")
HAVING = ("eq", "ne", "gt", "gte", "lt", "lte", "between")
SHARE_PLACES = 4
AVERAGE_PLACES = 2
MOST_DIGITS = 60


@dataclass(frozen=True)
class GroupKey:
    """What rows are grouped by: a column, or the bucket of time that it falls into."""

    column: Column
    bucket: str | None = None

    @property
    def name(self) -> str:
        """Return the name in an answer."""
        return f"{self.column.name}_{self.bucket}" if self.bucket else self.column.name

    @property
    def word(self) -> str:
        """Return the key as it is written."""
        return f"{self.bucket}({self.column.name})" if self.bucket else self.column.name


@dataclass(frozen=True)
class Metric:
    """A figure of each group."""

    kind: str
    column: Column | None = None

    @cached_property
    def name(self) -> str:
        """Return the name in an answer."""
        return f"{self.kind}_{self.column.name}" if self.column else self.kind

    @property
    def word(self) -> str:
        """Return the metric as it is written."""
        return f"{self.kind}({self.column.name})" if self.column else self.kind

    @cached_property
    def type(self) -> Type:
        """Return what kind of value the figure is."""
        if self.kind in COUNTS or self.column is None:
            return Integer(low=0, high=2**63 - 1)
        own = self.column.type
        if self.kind == "share":
            return Number(precision=MOST_DIGITS, scale=SHARE_PLACES)
        if self.kind in {"min", "max"}:
            return own
        places = own.places if isinstance(own, Number) else 0
        if self.kind == "avg":
            return Number(precision=MOST_DIGITS, scale=places + AVERAGE_PLACES)
        if isinstance(own, Number):
            return Number(precision=MOST_DIGITS, scale=places)
        return Integer(low=-(10**38), high=10**38)


@dataclass(frozen=True)
class Having:
    """A comparison that a group's figure has to pass."""

    metric: Metric
    op: str
    values: tuple[Any, ...]

    def applied(self) -> dict[str, Any]:
        """Return the comparison as answers repeat it."""
        texts = [self.metric.type.wire(value) for value in self.values]
        value = texts if self.op == "between" else texts[0]
        return {"metric": self.metric.name, "op": self.op, "value": value}

    def holds(self, value: Any) -> bool:
        """Whether the figure passes; a missing one passes only `ne`."""
        if value is None:
            return self.op == "ne"
        first = self.values[0]
        answers = {
            "eq": value == first,
            "ne": value != first,
            "gt": value > first,
            "gte": value >= first,
            "lt": value < first,
            "lte": value <= first,
            "between": first <= value <= self.values[-1],
        }
        return bool(answers[self.op])


@dataclass(frozen=True)
class GroupSort:
    """One key of the order of groups."""

    name: str
    descending: bool = False
    nulls_first: bool = False

    @property
    def word(self) -> str:
        """Return the key as it is written."""
        sign = "-" if self.descending else ""
        return f"{sign}{self.name}{':nullsfirst' if self.nulls_first else ''}"


@dataclass(frozen=True)
class GroupQuery:
    """What is asked of the groups of a collection."""

    conditions: tuple[Condition, ...]
    by: tuple[GroupKey, ...]
    metrics: tuple[Metric, ...]
    having: tuple[Having, ...] = ()
    sort: tuple[GroupSort, ...] = ()
    fill: str | None = None
    top: int | None = None
    totals: bool = False
    tz: str | None = None
    format: str = "json"

    @property
    def time_key(self) -> GroupKey | None:
        """Return the key that is a bucket of time, if there is exactly one."""
        found = [key for key in self.by if key.bucket]
        return found[0] if len(found) == 1 else None

    def applied(self) -> dict[str, Any]:
        """Return the request in normal form."""
        return {
            "filter": [each.applied() for each in self.conditions],
            "by": [key.word for key in self.by],
            "metrics": [metric.word for metric in self.metrics],
            "having": [each.applied() for each in self.having],
            "sort": [each.word for each in self.sort],
            "fill": self.fill,
            "top": self.top,
            "totals": self.totals,
            "tz": self.tz,
        }
