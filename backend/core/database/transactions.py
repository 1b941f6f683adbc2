"""The tables' classes, and one transaction for each request, command and task."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, LiteralString
from uuid import UUID, uuid4

import click
import psycopg
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, Session, mapped_column

from backend.core.database.connections import TESTED, driver_url, translated

CONVENTION = {
    "ix": "%(table_name)s_%(column_0_N_name)s_index",
    "uq": "%(table_name)s_%(column_0_N_name)s_unique",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


class Model(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """What every table's class derives from."""

    metadata = MetaData(naming_convention=CONVENTION)


class UuidKey(MappedAsDataclass, kw_only=True):
    """A primary key that is known before the row is written."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=uuid4, init=False)


db = SQLAlchemy(
    metadata=Model.metadata,
    session_options={"join_transaction_mode": "create_savepoint", "expire_on_commit": False},
)


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what the block did, or none of it; then do what was put aside."""
    try:
        yield
        if db.session.registry.has():
            db.session.commit()
    except BaseException:
        db.session.rollback()
        _do_asides()
        raise
    _do_asides()


def aside(work: Callable[[], object]) -> None:
    """Do the work in a transaction of its own, once the present one has ended either way.

    It is for what must outlive a refusal: the audit of a forbidden request, the end of a token's
    family, a failed login.
    """
    db.session().info.setdefault("asides", []).append(work)


def _do_asides() -> None:
    if not db.session.registry.has():
        return  # A request that used no session is spared one.
    for work in db.session().info.pop("asides", ()):
        try:
            work()
            db.session.commit()
        except BaseException:
            db.session.rollback()
            raise


@contextmanager
def apart() -> Iterator[Session]:
    """Commit the block on a second connection while the present transaction stays open."""
    with Session(db.engine, expire_on_commit=False) as session, session.begin():
        yield session


def commit_without_waiting(session: Session | None = None) -> None:
    """Have the present transaction's commit not wait for the disk.

    It is for what may be forgotten when the database crashes, since it is then done again.
    """
    (session or db.session).execute(text("set local synchronous_commit = off"))


def raw_connection() -> psycopg.Connection[Any]:
    """Return the driver's connection of the present transaction, for COPY."""
    connection: psycopg.Connection[Any] = db.session.connection().connection.driver_connection  # type: ignore[assignment]  # a pool's proxy hides the driver's type
    return connection


def first_row(statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return the first row of a statement in the present transaction.

    Its placeholders are the driver's, as SQLAlchemy costs more than a short statement itself.

    :raises DBAPIError: for every error of the driver, as SQLAlchemy itself would raise it
    """
    connection, raw = db.session.connection(), raw_connection()
    try:
        return raw.execute(statement, values).fetchone()
    except psycopg.Error as error:
        if raw.closed:
            connection.invalidate()
        raise translated(error, raw) from error


def at_once(statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return the first row of a statement that is a transaction, with one round trip and not three.

    :raises DBAPIError: for every error of the driver, as SQLAlchemy itself would raise it
    """
    if isinstance(db.engine, Connection):
        with transaction():
            return first_row(statement, values)
    with db.engine.connect() as connection:
        raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # a pool's proxy hides the driver's type
        raw.autocommit = True
        try:
            row: tuple[Any, ...] | None = raw.execute(statement, values).fetchone()
        except psycopg.Error as error:
            raise translated(error, raw) from error
        finally:
            if raw.info.transaction_status == TransactionStatus.IDLE:
                raw.autocommit = False
            else:
                connection.invalidate()
        return row


def init_app(app: Flask) -> None:
    """Bind the application to its database."""
    app.config["SQLALCHEMY_DATABASE_URI"] = driver_url(app.extensions["settings"].database_url)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "hide_parameters": True,
        "pool_events": TESTED,
        "pool_size": 8,
        "max_overflow": 8,
        "pool_timeout": 5,
        "connect_args": {"connect_timeout": 5, "application_name": "quintet"},
    }
    app.extensions["pools"] = {}
    db.init_app(app)


def guard_views(app: Flask) -> None:
    """Make each view one transaction: returning commits, raising rolls back."""
    for endpoint, view in app.view_functions.items():
        app.view_functions[endpoint] = guarded(view)


def guard_commands(group: click.Group) -> None:
    """Make each command of the group one transaction, like a view."""
    for command in group.commands.values():
        if isinstance(command, click.Group):
            guard_commands(command)
        elif command.callback is not None:
            command.callback = guarded(command.callback)


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the view or command one transaction."""

    @wraps(function)
    def run(*arguments: object, **options: object) -> object:
        with transaction():
            return current_app.ensure_sync(function)(*arguments, **options)

    return run
