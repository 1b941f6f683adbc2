"""Read one page of a list, or one record: what every door of a collection calls."""

import json
from dataclasses import dataclass, replace
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
from backend.core.collections.statements import Statement, plan_rows, run, statement
from backend.core.collections.where import operands, shape
from backend.core.database import Cursor, reading
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
    with reading(seconds=collection.limits.seconds) as cursor:
        return _Reading(cursor, collection, query, scope, position).page()


def read_revision(collection: Collection, query: Query, scope: Scope) -> int | None:
    """Return the revision of what the query reads, or none where no trigger keeps one."""
    if not collection.revisions:
        return None
    with reading(seconds=collection.limits.seconds) as cursor:
        return _Reading(cursor, collection, query, scope).revision()


def read_record(
    collection: Collection, key: Any, query: Query, scope: Scope
) -> tuple[str, int | None]:
    """Return the record as JSON text, and its version where records have one.

    :raises RecordNotFound: when there is none that the caller may see
    """
    key_shape = ("record", shape(query, scope), query.fields, query.nested)
    prepared = statement(collection, key_shape, lambda: record_statement(collection, query, scope))
    values = operands(query, scope) | _include_values(collection, query) | {"key": key}
    with reading(seconds=collection.limits.seconds) as cursor:
        found = run(cursor, prepared, values)
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
    with reading(seconds=collection.limits.seconds) as cursor:
        found, _, _ = _Reading(cursor, collection, query, scope).fetch()
    texts = {row[1]: row[0] for row in found}
    return [texts[str(key)] for key in keys]


class _Reading:
    """One page while it is read: the statements that it takes, and what lies beside it."""

    def __init__(
        self,
        cursor: Cursor,
        collection: Collection,
        query: Query,
        scope: Scope,
        position: Position | None = None,
    ) -> None:
        self.cursor, self.collection = cursor, collection
        self.query, self.scope, self.position = query, scope, position
        self.values = page_values(collection, query, scope, position)
        self.is_back = position is not None and position.is_back

    def page(self) -> Page:
        query, limits = self.query, self.collection.limits
        found, revision, count = self.fetch()
        has_further = len(found) > query.limit
        found = found[: query.limit]
        if self.is_back:
            found.reverse()
        count_kind = _count_kind(self.collection, query, count)
        has_more = self._has_more(found, has_further=has_further)
        return Page(
            query=query,
            texts=[row[0] for row in found],
            next=self._cursor(found[-1:], is_back=False) if has_more else None,
            prev=self._cursor(found[:1], is_back=True) if self._is_after(has_further) else None,
            has_more=has_more,
            count={"at_least": limits.counted}.get(count_kind, count),
            count_kind=count_kind,
            revision=revision,
        )

    def revision(self) -> int:
        names = revision_names(self.collection, self.query)
        prepared = statement(
            self.collection,
            ("revision", names, self.scope.owner is None),
            lambda: select(revision_of(names, self.scope)),
        )
        ((revision,),) = run(self.cursor, prepared, revision_values(self.scope))
        return int(revision)

    def fetch(self) -> tuple[list[Any], int | None, int | None]:
        """Return rows, revision and count, in one round trip where there is any row."""
        query, with_revision = self.query, bool(self.collection.revisions)
        with_count = query.count in {"capped", "exact"}
        prepared = self._rows(with_revision=with_revision, with_count=with_count)
        revision: int | None = None
        found = run(self.cursor, prepared, self.values)
        if found:
            revision = int(found[0][1 + len(query.sort)]) if with_revision else None
        else:
            # Without a row nothing came along. The revision is read first, so that it is never
            # newer than the rows it is told for.
            revision = self.revision() if with_revision else None
            found = run(self.cursor, prepared, self.values)
        if query.count == "estimate":
            return found, revision, self._estimate()
        if not with_count:
            return found, revision, None
        return found, revision, found[0][-1] if found else self._count()

    def _rows(self, *, with_revision: bool, with_count: bool) -> Statement:
        query, position = self.query, self.position
        where: Any = query.page is not None
        if position is not None:
            where = position.is_back, tuple(value is None for value in position.values)
        sort = tuple((key.column.name, key.descending, key.nulls_first) for key in query.sort)
        counted = query.count if with_count else None
        key = (shape(query, self.scope), sort, query.fields, query.nested, where, with_revision)
        return statement(
            self.collection,
            ("list", *key, counted),
            lambda: rows_statement(
                self.collection,
                query,
                self.scope,
                position,
                with_revision=with_revision,
                with_count=with_count,
            ),
        )

    def _count(self) -> int:
        prepared = statement(
            self.collection,
            ("count", shape(self.query, self.scope), self.query.count),
            lambda: count_statement(self.collection, self.query, self.scope),
        )
        ((count,),) = run(self.cursor, prepared, self.values)
        return int(count)

    def _estimate(self) -> int:
        prepared = statement(
            self.collection,
            ("estimate", shape(self.query, self.scope)),
            lambda: estimate_statement(self.collection, self.query, self.scope),
        )
        return plan_rows(self.cursor, prepared, self.values)

    def _has_more(self, found: list[Any], *, has_further: bool) -> bool:
        """Whether a row follows the page."""
        if not self.is_back:
            return has_further
        if self.position is None or not self.position.values:
            return False
        # Going back, the row that we came from follows, unless it is gone by now.
        texts = found[-1][1 : 1 + len(self.query.sort)] if found else []
        after = Position(is_back=False, values=key_values(self.query.sort, texts))
        query = replace(self.query, count="none", limit=1)
        further = _Reading(self.cursor, self.collection, query, self.scope, after)
        return bool(further.fetch()[0])

    def _is_after(self, has_further: bool) -> bool:  # noqa: FBT001  named by its caller
        """Whether there is a page before this one."""
        if self.is_back:
            return has_further
        if self.query.page is not None:
            return self.query.page > 1
        return self.position is not None and bool(self.position.values)

    def _cursor(self, edge: list[Any], *, is_back: bool) -> str:
        texts = list(edge[0][1 : 1 + len(self.query.sort)]) if edge else []
        return write_cursor(self.collection, self.query, self.scope, is_back=is_back, texts=texts)


def page_values(
    collection: Collection, query: Query, scope: Scope, position: Position | None
) -> dict[str, Any]:
    """Return the parameters of the page's statement."""
    values = operands(query, scope) | _include_values(collection, query)
    values["row_limit"] = query.limit + 1
    if query.page is not None:
        values["row_offset"] = (query.page - 1) * query.limit
    if query.count == "capped":
        values["count_limit"] = collection.limits.counted + 1
    if position is not None:
        values |= {f"k{at}": value for at, value in enumerate(position.values)}
    if collection.revisions:
        values |= revision_values(scope)
    return values


def _include_values(collection: Collection, query: Query) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, _ in query.nested:
        values |= collection.includes[name].collection.scope().values
    return values


def _count_kind(collection: Collection, query: Query, count: int | None) -> str:
    if query.count == "capped":
        return "at_least" if (count or 0) > collection.limits.counted else "exact"
    return query.count
