"""A collection, declared once: its columns and what may be asked of them.

Everything else (queries, documents, exports, console pages, tests) is derived from this object.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Column as SqlColumn
from sqlalchemy import ColumnElement, FromClause

from backend.core.collections.numbers import Id, Integer, Number
from backend.core.collections.times import Date, Timestamp
from backend.core.collections.types import Boolean, Enum, Text, Type, Uuid

RESERVED = frozenset(
    (
        *("sort", "order", "fields", "include", "limit", "cursor", "page", "count", "format", "tz"),
        *("by", "metrics", "having", "fill", "totals", "top"),
    )
)
DATE_BUCKETS = ("year", "quarter", "month", "week", "day")
BUCKETS = (*DATE_BUCKETS, "hour")
METRICS = ("sum", "avg", "min", "max")
# Cursors carry the values of sort keys, and have to fit the first line of a request.
SORTABLE_LENGTH, SORT_KEYS = 80, 5


class DeclarationError(Exception):
    """A collection is declared so that it could not work; it is found when the code is loaded."""


@dataclass(frozen=True)
class Limits:
    """How much may be asked at once; whatever is more is refused by name."""

    default_limit: int = 20
    limit: int = 200
    conditions: int = 20
    items: int = 100
    value_length: int = 200
    sort_keys: int = 5
    group_keys: int = 4
    metrics: int = 10
    groups: int = 1000
    page_depth: int = 10_000
    counted: int = 10_000
    query_string: int = 3500
    depth: int = 3
    leaves: int = 30
    batch: int = 100
    seconds: int = 5
    export_seconds: int = 60
    exports: int = 2


@dataclass(frozen=True)
class Col:
    """One public column: its type, and what may be done with it beside filtering.

    `source` names the column of the table when it has another name there. `links_to` names the
    collection whose record a reference leads to (for pages). `create` and `update` let a writable
    collection's bodies set it; a column to create with is required unless it is nullable or has a
    default in the table.
    """

    name: str
    type: Type
    sortable: bool = False
    groupable: bool = False
    metrics: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    description: str = ""
    title: str = ""
    source: str | None = None
    links_to: str | None = None
    create: bool = False
    update: bool = False
    optional: bool = False
    nullable: bool | None = None

    @property
    def label(self) -> str:
        """Return the column's heading."""
        return self.title or self.name.replace("_", " ").capitalize()


@dataclass(frozen=True, eq=False)
class Column:
    """A declared column bound to its place in the table."""

    declared: Col
    name: str
    type: Type
    sql: ColumnElement[Any]
    nullable: bool
    position: int

    @property
    def operators(self) -> tuple[str, ...]:
        """Return what may be asked of the column."""
        return self.type.operators


@dataclass(frozen=True)
class Scope:
    """Which rows the present caller may see.

    `clause` builds the condition once for each name; its bound parameters are given by `values`
    at every request. `owner` narrows the revision to one owner's rows.
    """

    name: str
    clause: Callable[[FromClause], ColumnElement[bool]] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    owner: str | None = None


EVERYTHING = Scope("everything")


def everyone() -> Scope:
    """Return the scope of a collection whose rows are the same for all who may enter."""
    return EVERYTHING


@dataclass(frozen=True)
class Include:
    """A record of another collection to nest into each row, found by the key in `by`."""

    collection: "Collection"
    by: str


class Writer(Protocol):
    """What a writable collection calls to change rows: functions of a domain's services.

    Each gets values already checked by the columns' types, and raises DomainErrors of its own.
    """

    def create(self, items: list[dict[str, Any]]) -> list[Any]:
        """Store all of the items or none, and return their keys in the same order."""

    def update(self, key: Any, changes: dict[str, Any], version: int) -> None:
        """Change the record if it still has that version."""

    def delete(self, key: Any, version: int | None) -> None:
        """Delete the record, if it still has the version where one is given."""

    def restore(self, key: Any) -> None:
        """Bring a deleted record back; a live one stays as it is."""


class Collection:
    """Rows of one table (or any select) with the public columns that may be queried.

    `model` is a mapped class, a table or a subquery. `scope` is called at each request and says
    which rows the caller sees; it may raise Forbidden. `where` narrows the table for everybody
    (soft deletion). `revisions` names the tables whose trigger (see `revisions.py`) tells when an
    answer has changed; without it answers carry no ETag. `currency` is an ISO code, or the name
    of the column that holds one. `measure` is the column that is summed when nothing is asked.
    `writer` is called with the collection and makes it
    writable: `TableWriter`, or a domain's own.
    """

    def __init__(  # noqa: PLR0913  it is a declaration
        self,
        name: str,
        *,
        model: Any,
        columns: list[Col],
        key: str = "id",
        default_sort: str | None = None,
        scope: Callable[[], Scope] = everyone,
        where: Callable[[FromClause], ColumnElement[bool]] | None = None,
        currency: str | None = None,
        measure: str | None = None,
        includes: Mapping[str, Include] | None = None,
        revisions: tuple[str, ...] = (),
        writer: "Callable[[Collection], Writer] | None" = None,
        limits: Limits | None = None,
        title: str = "",
        description: str = "",
    ) -> None:
        self.name = name
        self.table: FromClause = getattr(model, "__table__", model)
        self.key = key
        self.scope = scope
        self.where = where
        self.currency = currency
        self.includes = dict(includes or {})
        self.revisions = revisions
        self.limits = limits or Limits()
        self.title = title or name.replace("_", " ").replace("-", " ").capitalize()
        self.description = description
        self.columns = {each.name: self._bind(each, at) for at, each in enumerate(columns)}
        self.default_sort = default_sort or key
        self.measure = measure or next(
            (each.name for each in columns if "sum" in each.metrics), None
        )
        self.path = ""
        self.compiled: dict[Any, Any] = {}
        self._check(columns)
        self.writer = writer(self) if writer else None

    @property
    def writable(self) -> bool:
        """Whether records can be made and changed here."""
        return self.writer is not None

    @property
    def key_column(self) -> Column:
        """Return the column that names a record."""
        return self.columns[self.key]

    @property
    def has_version(self) -> bool:
        """Whether records carry a version that changes refer to: a number, whatever else is."""
        return isinstance(getattr(self.columns.get("version"), "type", None), Integer)

    def _bind(self, declared: Col, position: int) -> Column:
        source = declared.source or declared.name
        if source not in self.table.c:
            raise DeclarationError(f"{self.name}: the table has no column {source}")
        sql = self.table.c[source]
        nullable = declared.nullable
        if nullable is None:
            nullable = sql.nullable if isinstance(sql, SqlColumn) else True
        return Column(
            declared=declared,
            name=declared.name,
            type=declared.type.fitted(sql.type),
            sql=sql,
            nullable=bool(nullable),
            position=position,
        )

    def _check(self, declared: list[Col]) -> None:
        names = [each.name for each in declared]
        if len(set(names)) != len(names):
            raise DeclarationError(f"{self.name}: a column is declared twice")
        for each in declared:
            self._check_column(each)
        made = {f"{each.name}_{bucket}" for each in declared for bucket in each.buckets}
        made |= {f"{each}_{name}" for name in names for each in ("count", "sum", "avg", "share")}
        if taken := (made | {"count", "rows"}) & set(names):
            raise DeclarationError(f"{self.name}: {taken} are names of aggregates")
        if self.key not in self.columns or not isinstance(
            self.key_column.type, Id | Uuid | Text | Enum
        ):
            raise DeclarationError(f"{self.name}: the key {self.key} is no declared id")
        if unknown := set(self.includes) & set(names):
            raise DeclarationError(f"{self.name}: {unknown} are both column and include")
        for include in self.includes.values():
            if include.by not in self.columns:
                raise DeclarationError(f"{self.name}: no column {include.by} to include by")
        for part in self.default_sort.split(","):
            word = part.strip().lstrip("-")
            if word not in self.columns or not self.can_sort(self.columns[word]):
                raise DeclarationError(f"{self.name}: cannot be sorted by {word}")

    def can_sort(self, column: Column) -> bool:
        """Whether rows may be sorted by the column; by the key they always may."""
        return column.declared.sortable or column.name == self.key

    def _check_column(self, each: Col) -> None:
        place = f"{self.name}.{each.name}"
        if each.name in RESERVED:
            raise DeclarationError(f"{place} is a reserved word")
        if not each.name.isidentifier() or not each.name.isascii():
            raise DeclarationError(f"{place} is no plain name")
        longest = SORTABLE_LENGTH * SORT_KEYS // self.limits.sort_keys
        if each.sortable and isinstance(each.type, Text) and each.type.max_length > longest:
            raise DeclarationError(f"{place}: sortable text has at most {longest} characters")
        allowed: tuple[str, ...] = ()
        if isinstance(each.type, Timestamp):
            allowed = BUCKETS
        elif isinstance(each.type, Date):
            allowed = DATE_BUCKETS
        if set(each.buckets) - set(allowed):
            raise DeclarationError(f"{place} cannot be grouped by {each.buckets}")
        summable = isinstance(each.type, Number) or type(each.type) is Integer
        sized = METRICS if summable else ("min", "max")
        if set(each.metrics) - set(sized):
            raise DeclarationError(f"{place} cannot have the metrics {each.metrics}")
        if isinstance(each.type, Boolean) and each.metrics:
            raise DeclarationError(f"{place} has no least and no greatest")
