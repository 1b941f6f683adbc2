"""The database: one transaction for each request, command and task, made at its edge."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from socket import SHUT_RDWR, socket
from threading import Lock, Timer
from typing import Any
from uuid import UUID, uuid4

import click
import psycopg
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, Session, mapped_column

_POOLS_LOCK = Lock()

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


def raw_connection() -> psycopg.Connection[Any]:
    """Return the driver's connection of the present transaction, for COPY."""
    connection: psycopg.Connection[Any] = db.session.connection().connection.driver_connection  # type: ignore[assignment]  # a pool's proxy hides the driver's type
    return connection


@contextmanager
def snapshot(*, seconds: int) -> Iterator[psycopg.Connection[Any]]:
    """Read one moment of the database on a connection of its own, for answers sent as a stream.

    It may only read. Each statement ends after so many seconds; so does the connection, also when
    it waits for a caller who has stopped reading.
    """
    with _snapshots().connect() as connection:
        raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # a pool's proxy hides the driver's type
        raw.execute(
            "select set_config('statement_timeout', %(most)s, true),"
            " set_config('idle_in_transaction_session_timeout', %(most)s, true),"
            " set_config('datestyle', 'ISO', true), set_config('timezone', 'UTC', true)",
            {"most": f"{seconds}s"},
        )
        watchdog = Timer(seconds + 1, _hang_up, (raw.fileno(),))
        watchdog.daemon = True
        watchdog.start()
        try:
            yield raw
        except BaseException:
            # The rest of a stream would have to be read: a new connection is cheaper.
            connection.invalidate()
            raise
        finally:
            watchdog.cancel()


def _hang_up(descriptor: int) -> None:
    """Close the connection under a reader that no statement timeout would reach."""
    with suppress(OSError), socket(fileno=os.dup(descriptor)) as connection:
        connection.shutdown(SHUT_RDWR)


def _snapshots() -> Engine:
    """Return the small pool of connections that only read one moment."""
    url = current_app.extensions["settings"].database_url
    pools: dict[str, Engine] = current_app.extensions["snapshots"]
    with _POOLS_LOCK:
        if url not in pools:
            pools[url] = create_engine(
                driver_url(url),
                isolation_level="REPEATABLE READ",
                pool_size=4,
                max_overflow=0,
                pool_timeout=5,
                pool_pre_ping=True,
                connect_args={
                    "connect_timeout": 5,
                    "application_name": "quintet snapshot",
                    "options": "-c default_transaction_read_only=on",
                },
            )
    return pools[url]


def driver_url(url: str) -> str:
    """Return the address with its driver named, as SQLAlchemy wants it."""
    _, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}"


def engine(url: str) -> Engine:
    """Return an engine for work outside an application, such as migrations."""
    return create_engine(driver_url(url))


def init_app(app: Flask) -> None:
    """Bind the application to its database."""
    app.config["SQLALCHEMY_DATABASE_URI"] = driver_url(app.extensions["settings"].database_url)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "hide_parameters": True,
        "pool_pre_ping": True,
        "pool_size": 8,
        "max_overflow": 8,
        "pool_timeout": 5,
        "connect_args": {"connect_timeout": 5, "application_name": "quintet"},
    }
    app.extensions["snapshots"] = {}
    db.init_app(app)


def guard_views(app: Flask) -> None:
    """Make each view one transaction: returning commits, raising rolls back."""
    for endpoint, view in app.view_functions.items():
        app.view_functions[endpoint] = _guarded(view)


def guard_commands(group: click.Group) -> None:
    """Make each command of the group one transaction, like a view."""
    for command in group.commands.values():
        if isinstance(command, click.Group):
            guard_commands(command)
        elif command.callback is not None:
            command.callback = _guarded(command.callback)


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*arguments: object, **options: object) -> object:
        with transaction():
            return current_app.ensure_sync(function)(*arguments, **options)

    return guarded
