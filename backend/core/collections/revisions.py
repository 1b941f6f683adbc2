"""Revisions: a counter for each table, raised in the transaction of every write by a trigger.

An ORM hook would miss bulk statements, and a sequence would show before the commit. A table's
revision is the sum of a few counters, of which each connection raises its own: writers of the same
table would otherwise wait for each other's commit.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.collections.declaration import Collection, Scope
from backend.core.collections.query import Query
from backend.core.database import Model


class CollectionRevision(Model):
    """One of the counters whose sum tells how often a table was written to.

    The functions that raise it are made by the migration that makes the table.
    """

    __tablename__ = "collection_revision"

    name: Mapped[str] = mapped_column(SqlText, primary_key=True)
    owner: Mapped[str] = mapped_column(SqlText, primary_key=True)
    shard: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
    raised_in: Mapped[int] = mapped_column(BigInteger)


def attach_trigger(operations: Any, table: str, *, owner: str | None = None) -> None:
    """Let every write to the table raise its revision, from now on.

    Called by migrations with Alembic's `op`. With `owner`, the column that names each row's owner,
    every owner has a revision of their own; do that where callers see only their own rows.
    """
    if owner is None:
        operations.execute(
            "create trigger raise_revision after insert or update or delete or truncate "
            f'on "{table}" '
            "for each statement execute function raise_table_revision()"
        )
        return
    passed = {
        "insert": "new table as new_rows",
        "update": "old table as old_rows new table as new_rows",
        "delete": "old table as old_rows",
    }
    for event, tables in passed.items():
        operations.execute(
            f'create trigger raise_revision_on_{event} after {event} on "{table}" '
            f"referencing {tables} for each statement "
            f"execute function raise_owner_revision('{owner}')"
        )


def detach_trigger(operations: Any, table: str) -> None:
    """Undo `attach_trigger`, for a migration's way back."""
    for suffix in ("", "_on_insert", "_on_update", "_on_delete"):
        operations.execute(f'drop trigger if exists raise_revision{suffix} on "{table}"')


def revision_names(collection: Collection, query: Query) -> tuple[str, ...]:
    """Return the tables whose revisions decide whether an answer is still the same."""
    names = set(collection.revisions)
    for include, _ in query.nested:
        names |= set(collection.includes[include].collection.revisions)
    return tuple(sorted(names))


def revision_of(names: tuple[str, ...], scope: Scope) -> ColumnElement[Any]:
    """Return the SQL of one number that grows with every write the caller could notice.

    Its parameter, where the scope has an owner, is `revision_owner`. The names stand in the text:
    they come from declarations, and PostgreSQL plans with what it reads.
    """
    counter = CollectionRevision.__table__
    listed = [literal_column(f"'{name}'", SqlText()) for name in names]
    total = cast(func.coalesce(func.sum(counter.c.value), literal_column("0")), BigInteger())
    query = select(total).where(counter.c.name.in_(listed))
    if scope.owner is not None:
        owner = bindparam("revision_owner", type_=SqlText())
        query = query.where(or_(counter.c.owner == owner, counter.c.owner == literal_column("''")))
    return query.scalar_subquery()


def revision_values(scope: Scope) -> dict[str, Any]:
    """Return the parameters of `revision_of`."""
    return {} if scope.owner is None else {"revision_owner": scope.owner}
