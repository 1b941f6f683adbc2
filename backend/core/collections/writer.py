"""Writing rows of one table: what a service calls when its rules are about single rows alone."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, Update, func, insert, select, update

from backend.core.collections.declaration import Collection
from backend.core.collections.problems import RecordNotFound, VersionChanged
from backend.core.collections.query import Query
from backend.core.collections.where import clauses
from backend.core.database import db


def nothing() -> dict[str, Any]:
    """Return no values to add to new rows."""
    return {}


class TableWriter:
    """Stores, changes, deletes and restores rows, each in one statement that checks the version.

    `given` returns what new rows hold beside the body, such as their owner. Rows are deleted
    softly where the table has `deleted_at`; for `retention` they can be restored.
    """

    def __init__(
        self,
        collection: Collection,
        *,
        given: Callable[[], Mapping[str, Any]] = nothing,
        retention: timedelta = timedelta(days=30),
    ) -> None:
        if not isinstance(collection.table, Table):
            raise TypeError(f"{collection.name}: only rows of a table can be written")
        self.collection = collection
        self.table: Table = collection.table
        self.key: Any = collection.key_column.sql
        self.given = given
        self.retention = retention

    def create(self, items: list[dict[str, Any]]) -> list[Any]:
        """Store all of the items or none, and return their keys in the same order."""
        rows = [self.stored(item) | dict(self.given()) for item in items]
        # One statement each shape of row would leave defaults to the table: name all of them.
        names = {name for row in rows for name in row}
        found = []
        for row in rows:
            statement = insert(self.table).values({n: row[n] for n in names if n in row})
            found.append(db.session.execute(statement.returning(self.key)).scalar_one())
        return found

    def update(self, key: Any, changes: dict[str, Any], version: int) -> None:
        """Change the record if it still has that version.

        :raises VersionChanged: when it has another by now
        :raises RecordNotFound: when the caller sees no such record
        """
        self._execute(self._of(key, version).values(**self.stored(changes), **self._next()), key)

    def delete(self, key: Any, version: int | None) -> None:
        """Delete the record, if it still has the version where one is given.

        :raises VersionChanged: when it has another by now
        :raises RecordNotFound: when the caller sees no such record
        """
        if "deleted_at" in self.table.c:
            self._execute(self._of(key, version).values(deleted_at=func.now(), **self._next()), key)
            return
        statement = self.table.delete().where(*self._visible(key, version)).returning(self.key)
        if db.session.execute(statement).first() is None:
            self._refuse(key)

    def restore(self, key: Any) -> None:
        """Bring a deleted record back; a live one stays as it is.

        :raises RecordNotFound: when the caller sees no such record, or it is too long ago
        """
        if "deleted_at" not in self.table.c:
            return
        scope = self.collection.scope()
        mine = [scope.clause(self.table)] if scope.clause is not None else []
        deleted = self.table.c.deleted_at
        statement = (
            update(self.table)
            .where(self.key == key, *mine, deleted > datetime.now(UTC) - self.retention)
            .values(deleted_at=None, **self._next())
            .returning(self.key)
        )
        if db.session.execute(statement, dict(scope.values)).first() is None:
            self._version(key)

    def stored(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values by the names of the table's own columns."""
        columns = self.collection.columns
        return {columns[name].sql.key or name: value for name, value in values.items()}

    def _next(self) -> dict[str, Any]:
        return {"version": self.table.c.version + 1} if "version" in self.table.c else {}

    def _of(self, key: Any, version: int | None) -> Update:
        return update(self.table).where(*self._visible(key, version))

    def _visible(self, key: Any, version: int | None = None) -> list[ColumnElement[bool]]:
        found = clauses(self.collection, Query(), self.collection.scope())
        found.append(self.key == key)
        return found if version is None else [*found, self.table.c.version == version]

    def _execute(self, statement: Update, key: Any) -> None:
        values = dict(self.collection.scope().values)
        if db.session.execute(statement.returning(self.key), values).first() is None:
            self._refuse(key)

    def _refuse(self, key: Any) -> None:
        raise version_changed(self._version(key))

    def _version(self, key: Any) -> Any:
        version = self.table.c.version if "version" in self.table.c else self.key
        values = dict(self.collection.scope().values)
        found = db.session.execute(select(version).where(*self._visible(key)), values).first()
        if found is None:
            raise RecordNotFound(f"No record here has the id {str(key)[:80]}.")
        return found[0]


def version_changed(version: Any) -> VersionChanged:
    """Return the refusal of a change to a record that has another version by now."""
    entry = {"header": "If-Match", "code": "version_changed", "detail": f"It is {version} now."}
    return VersionChanged(
        f"The record has version {version} by now.", errors=[entry], version=version
    )
