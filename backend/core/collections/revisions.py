"""Revisions: a counter for each table, raised in the transaction of every write by a trigger.

An ORM hook would miss bulk statements, and a sequence would show before the commit. A table's
revision is the sum of a few counters, of which each connection raises its own: writers of the same
table would otherwise wait for each other's commit.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.collections.declaration import Collection, Scope
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


def revision_names(collection: Collection, includes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tables whose revisions decide whether an answer is still the same."""
    names = set(collection.revisions)
    for include in includes:
        names |= set(collection.includes[include].collection.revisions)
    return tuple(sorted(names))


def revision_of(scope: Scope) -> ColumnElement[Any]:
    """Return the SQL of one number that grows with every write the caller could notice.

    Its parameters are `revision_names` and, where the scope has an owner, `revision_owner`.
    """
    counter = CollectionRevision.__table__
    names = bindparam("revision_names", type_=ARRAY(SqlText()))
    query = select(func.coalesce(func.sum(counter.c.value), 0)).where(counter.c.name == any_(names))
    if scope.owner is not None:
        owner = bindparam("revision_owner", type_=SqlText())
        query = query.where(or_(counter.c.owner == owner, counter.c.owner == literal_column("''")))
    return query.scalar_subquery()


def revision_values(names: tuple[str, ...], scope: Scope) -> dict[str, Any]:
    """Return the parameters of `revision_of`."""
    values: dict[str, Any] = {"revision_names": list(names)}
    return values | ({"revision_owner": scope.owner} if scope.owner is not None else {})
