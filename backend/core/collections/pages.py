"""Read one page of a list, or one record: what every door of a collection calls."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from backend.core.collections.cursor import Position, key_values, read_cursor, write_cursor
from backend.core.collections.declaration import Collection, Scope
from backend.core.collections.listing import (
    count_statement,
    estimate_statement,
    record_statement,
    rows_statement,
)
from backend.core.collections.problems import InvalidQuery, RecordNotFound
from backend.core.collections.query import Condition, Query, SortKey
from backend.core.collections.revisions import revision_names, revision_of, revision_values
from backend.core.collections.statements import limit_time, plan_rows, run, statement
from backend.core.collections.where import operands, shape
from backend.core.errors import DomainError


@dataclass(frozen=True)
class Page:
    """One page: the rows as JSON texts, where it stands, and how many rows there are in all."""

    query: Query
    texts: list[str]
    next: str | None
    prev: str | None
    has_more: bool
    count: int | None
    count_kind: str
    revision: int | None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as values of JSON."""
        return [json.loads(text) for text in self.texts]

    @property
    def pages(self) -> int | None:
        """Return the number of pages, where all rows were counted."""
        if self.count is None or self.count_kind != "exact":
            return None
        return -(-self.count // self.query.limit)


def read_page(
    collection: Collection,
    query: Query,
    scope: Scope,
    *,
    refusal: type[DomainError] = InvalidQuery,
    place: dict[str, str] | None = None,
) -> Page:
    """Return the page that the query asks for.

    :raises InvalidQuery: when its cursor is not for this query and caller
    :raises QueryTimeout: when PostgreSQL takes too long
    """
    position = read_cursor(collection, query, scope, refusal=refusal, place=place)
    limit_time(collection.limits.seconds)
    values = _values(collection, query, scope, position)
    found, revision, count = _fetch(collection, query, scope, position, values)
    has_further = len(found) > query.limit
    found = found[: query.limit]
    if position is not None and position.is_back:
        found.reverse()
    count_kind = _count_kind(collection, query, count)
    if query.count == "estimate":
        count = _estimate(collection, query, scope, values)
    edges = _Edges(collection, query, scope, position, found, has_further=has_further)
    return Page(
        query=query,
        texts=[row[0] for row in found],
        next=edges.next(),
        prev=edges.prev(),
        has_more=edges.has_more,
        count=collection.limits.counted if count_kind == "at_least" else count,
        count_kind=count_kind,
        revision=revision,
    )


def read_revision(collection: Collection, query: Query, scope: Scope) -> int | None:
    """Return the revision of what the query reads, or none where no trigger keeps one."""
    names = revision_names(collection, tuple(name for name, _ in query.nested))
    if not collection.revisions:
        return None
    prepared = statement(
        collection, ("revision", scope.owner is None), lambda: select(revision_of(scope))
    )
    ((revision,),) = run(prepared, revision_values(names, scope))
    return int(revision)


def read_record(
    collection: Collection, key: Any, query: Query, scope: Scope
) -> tuple[str, int | None]:
    """Return the record as JSON text, and its version where records have one.

    :raises RecordNotFound: when there is none that the caller may see
    """
    limit_time(collection.limits.seconds)
    key_shape = ("record", shape(query, scope), query.fields, query.nested)
    prepared = statement(collection, key_shape, lambda: record_statement(collection, query, scope))
    found = run(
        prepared, {**operands(query, scope), **_include_values(collection, query), "key": key}
    )
    if not found:
        raise RecordNotFound(f"No record here has the id {str(key)[:80]}.")
    return found[0][0], found[0][1] if collection.has_version else None


def read_many(collection: Collection, keys: list[Any], scope: Scope) -> list[str]:
    """Return the records of these keys as JSON texts, in the order of the keys."""
    column = collection.key_column
    query = Query(
        conditions=(Condition(column, "in", tuple(keys)),),
        sort=(SortKey(column),),
        fields=tuple(collection.columns),
        limit=len(keys),
        count="none",
    )
    found, _, _ = _fetch(collection, query, scope, None, _values(collection, query, scope, None))
    texts = {row[1]: row[0] for row in found}
    return [texts[str(key)] for key in keys]


def _fetch(
    collection: Collection,
    query: Query,
    scope: Scope,
    position: Position | None,
    values: dict[str, Any],
) -> tuple[list[Any], int | None, int | None]:
    """Return rows, revision and count, in one round trip where there is any row."""
    with_revision, with_count = bool(collection.revisions), query.count in {"capped", "exact"}
    parts = (shape(query, scope), _page_shape(query, position), with_revision)
    prepared = statement(
        collection,
        ("list", *parts, query.count if with_count else None),
        lambda: rows_statement(
            collection,
            query,
            scope,
            position,
            with_revision=with_revision,
            with_count=with_count,
        ),
    )
    found = run(prepared, values)
    if found:
        first, at = found[0], 1 + len(query.sort)
        revision = int(first[at]) if with_revision else None
        return found, revision, first[-1] if with_count else None
    # Without a row nothing came along. The revision is read first, so that it is never newer than
    # the rows it is told for.
    revision = read_revision(collection, query, scope)
    found = run(prepared, values)
    if found:
        return found, revision, found[0][-1] if with_count else None
    return found, revision, _count(collection, query, scope, values) if with_count else None


def _page_shape(query: Query, position: Position | None) -> tuple[Any, ...]:
    where: Any = query.page is not None
    if position is not None:
        where = position.is_back, tuple(value is None for value in position.values)
    sort = tuple((key.column.name, key.descending, key.nulls_first) for key in query.sort)
    return sort, query.fields, query.nested, where


def _values(
    collection: Collection, query: Query, scope: Scope, position: Position | None
) -> dict[str, Any]:
    values = operands(query, scope) | _include_values(collection, query)
    values["row_limit"] = query.limit + 1
    if query.page is not None:
        values["row_offset"] = (query.page - 1) * query.limit
    if query.count == "capped":
        values["count_limit"] = collection.limits.counted + 1
    if position is not None:
        values |= {f"k{at}": value for at, value in enumerate(position.values)}
    if collection.revisions:
        names = revision_names(collection, tuple(name for name, _ in query.nested))
        values |= revision_values(names, scope)
    return values


def _include_values(collection: Collection, query: Query) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, _ in query.nested:
        values |= collection.includes[name].collection.scope().values
    return values


def _count(collection: Collection, query: Query, scope: Scope, values: dict[str, Any]) -> int:
    prepared = statement(
        collection,
        ("count", shape(query, scope), query.count),
        lambda: count_statement(collection, query, scope),
    )
    ((count,),) = run(prepared, values)
    return int(count)


def _estimate(collection: Collection, query: Query, scope: Scope, values: dict[str, Any]) -> int:
    prepared = statement(
        collection,
        ("estimate", shape(query, scope)),
        lambda: estimate_statement(collection, query, scope),
    )
    return plan_rows(prepared, values)


def _count_kind(collection: Collection, query: Query, count: int | None) -> str:
    if query.count == "capped":
        return "at_least" if (count or 0) > collection.limits.counted else "exact"
    return query.count


class _Edges:
    """What lies before and after a page."""

    def __init__(  # noqa: PLR0913  what the page was read with
        self,
        collection: Collection,
        query: Query,
        scope: Scope,
        position: Position | None,
        found: list[Any],
        *,
        has_further: bool,
    ) -> None:
        self.collection, self.query, self.scope = collection, query, scope
        self.position, self.found = position, found
        self.is_back = position is not None and position.is_back
        self.has_further = has_further
        self.has_more = self._has_more()

    def _has_more(self) -> bool:
        """Whether a row follows the page."""
        if not self.is_back:
            return self.has_further
        if self.position is None or not self.position.values:
            return False
        # Going back, the row that we came from follows, unless it is gone by now.
        after = Position(is_back=False, values=self._last_values() if self.found else ())
        values = _values(self.collection, self.query, self.scope, after) | {"row_limit": 1}
        prepared = statement(
            self.collection,
            ("further", shape(self.query, self.scope), _page_shape(self.query, after)),
            lambda: rows_statement(self.collection, self.query, self.scope, after),
        )
        return bool(run(prepared, values))

    def next(self) -> str | None:
        """Return the cursor of the page that follows."""
        return self._cursor(is_back=False, row=-1) if self.has_more else None

    def prev(self) -> str | None:
        """Return the cursor of the page before."""
        is_start = self.position is None or not (self.position.values or self.is_back)
        if self.query.page is not None:
            is_start = self.query.page == 1
        if (self.is_back and not self.has_further) or is_start:
            return None
        return self._cursor(is_back=True, row=0)

    def _cursor(self, *, is_back: bool, row: int) -> str:
        texts = list(self.found[row][1 : 1 + len(self.query.sort)]) if self.found else []
        return write_cursor(self.collection, self.query, self.scope, is_back=is_back, texts=texts)

    def _last_values(self) -> tuple[Any, ...]:
        texts = self.found[-1][1 : 1 + len(self.query.sort)]
        return key_values(self.query.sort, texts)
