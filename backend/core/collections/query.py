"""A parsed request in normal form: what the text meant, with nothing of how it was written."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any

from backend.core.collections.declaration import Collection, Column

LISTED = ("in", "nin", "between")

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_IN_ORDER = json.JSONEncoder(sort_keys=True, default=str)


@dataclass(frozen=True)
class Condition:
    """One comparison of a column with its operands."""

    column: Column
    op: str
    values: tuple[Any, ...]

    @property
    def texts(self) -> list[str]:
        """Return the operands' normal texts."""
        if self.op == "isnull":
            return ["true" if self.values[0] else "false"]
        return [self.column.type.wire(value) for value in self.values]

    @property
    def has_days(self) -> bool:
        """Whether a whole local day is compared with instants."""
        return self.column.type.has_days and any(map(is_day, self.values))

    def applied(self) -> dict[str, Any]:
        """Return the condition as answers repeat it."""
        value: Any = self.texts
        if self.op == "isnull":
            value = bool(self.values[0])
        elif self.op not in LISTED:
            value = value[0]
        return {"field": self.column.name, "op": self.op, "value": value}

    def order(self) -> tuple[Any, ...]:
        """Return where the condition stands in the normal form."""
        operators = self.column.type.operators
        return self.column.position, operators.index(self.op), self.texts


@dataclass(frozen=True)
class Tree:
    """Conditions joined by `and`, `or` and `not`; a leaf has the kind `is`."""

    kind: str
    parts: tuple["Tree", ...] = ()
    condition: Condition | None = None

    def applied(self) -> dict[str, Any]:
        """Return the tree as answers repeat it."""
        if self.condition is not None:
            return self.condition.applied()
        inner = [each.applied() for each in self.parts]
        return {self.kind: inner[0] if self.kind == "not" else inner}

    def leaves(self) -> list[Condition]:
        """Return all conditions, in order."""
        if self.condition is not None:
            return [self.condition]
        return [leaf for each in self.parts for leaf in each.leaves()]


@dataclass(frozen=True)
class SortKey:
    """One key of an order, with the place of its nulls."""

    column: Column
    descending: bool = False
    nulls_first: bool = False

    @property
    def word(self) -> str:
        """Return the key as it is written."""
        sign = "-" if self.descending else ""
        return f"{sign}{self.column.name}{':nullsfirst' if self.nulls_first else ''}"

    def flipped(self) -> "SortKey":
        """Return the key of the opposite order, nulls included."""
        nulls_first = not self.nulls_first if self.column.nullable else False
        return SortKey(self.column, not self.descending, nulls_first)


@dataclass(frozen=True)
class Query:
    """What is asked of a collection: which rows, in which order, how shown, which part of them."""

    conditions: tuple[Condition, ...] = ()
    tree: Tree | None = None
    sort: tuple[SortKey, ...] = ()
    fields: tuple[str, ...] = ()
    nested: tuple[tuple[str, tuple[str, ...]], ...] = ()
    limit: int = 20
    is_limited: bool = False
    page: int | None = None
    cursor: str | None = None
    count: str = "capped"
    format: str | None = None
    tz: str | None = None
    notices: tuple[dict[str, Any], ...] = field(default=(), compare=False)

    def leaves(self) -> tuple[Condition, ...]:
        """Return every condition, wherever it stands."""
        return self.conditions + tuple(self.tree.leaves() if self.tree else ())

    @cached_property
    def filtered(self) -> Any:
        """Return the filter as answers repeat it."""
        if self.tree is not None:
            return self.tree.applied()
        return [each.applied() for each in self.conditions]

    def shown(self) -> list[str]:
        """Return the names of what each row shows, those inside includes with a point."""
        names = list(self.fields)
        return names + [f"{inc}.{name}" for inc, inner in self.nested for name in inner]

    @cached_property
    def applied_text(self) -> str:
        """Return the request in normal form, as JSON."""
        return dumps(self.applied())

    @cached_property
    def hashes(self) -> dict[str, str]:
        """Return short hashes of filter and order, to which cursors are bound."""
        return {
            "f": short_hash([self.filtered, self.tz]),
            "s": short_hash([key.word for key in self.sort]),
        }

    def applied(self) -> dict[str, Any]:
        """Return the request in normal form."""
        return {
            "filter": self.filtered,
            "sort": [key.word for key in self.sort],
            "fields": self.shown() if self.nested else list(self.fields),
            "include": [name for name, _ in self.nested],
            "limit": self.limit,
            "tz": self.tz,
            "count": self.count,
        }


def in_sequence(
    collection: Collection, query: Query
) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Return what a row shows in its order: columns, and after its key each include's columns."""
    waiting = dict(query.nested)
    for name in query.fields:
        yield name, None
        for include in [each for each in waiting if collection.includes[each].by == name]:
            yield include, waiting.pop(include)
    yield from waiting.items()


def is_day(value: Any) -> bool:
    """Whether the value is a day and not an instant."""
    return isinstance(value, date) and not isinstance(value, datetime)


def with_key(collection: Collection, keys: tuple[SortKey, ...]) -> tuple[SortKey, ...]:
    """Return the order made total by the collection's key."""
    if any(key.column is collection.key_column for key in keys):
        return keys
    return (*keys, SortKey(collection.key_column))


def dumps(content: Any) -> str:
    """Return the content as compact JSON; `json.dumps` would make an encoder for each call."""
    return _ENCODER.encode(content)


def short_hash(content: Any) -> str:
    """Return a short hash of anything that JSON can carry."""
    text = _IN_ORDER.encode(content)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:9]).decode()
