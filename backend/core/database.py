"""The database: one transaction for each request, command and task, made at its edge."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from select import POLLIN, poll
from threading import Lock
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import click
import psycopg
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, Executable, MetaData, Row, create_engine, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, Session, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry

_POOLS_LOCK = Lock()
IDLE_SECONDS = 1.0
# A cursor holds on to the rows that it found last.
MOST_KEPT = 1000

Cursor = psycopg.Cursor[Any]

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


def at_once(statement: Executable, values: Mapping[str, Any]) -> Row[Any] | None:
    """Return the row of one statement that is a transaction, with one round trip and not three."""
    if isinstance(db.engine, Connection):
        with transaction():
            return db.session.execute(statement, values).one_or_none()
    with db.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        return connection.execute(statement, values).one_or_none()


@contextmanager
def snapshot(*, seconds: int) -> Iterator[psycopg.Connection[Any]]:
    """Read one moment of the database on a connection of its own, for what takes long.

    It may only read. Each statement ends after so many seconds.
    """
    with _pool("", "REPEATABLE READ", size=4).connect() as connection:
        raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # a pool's proxy hides the driver's type
        raw.execute(
            "select set_config('statement_timeout', %(most)s, true),"
            " set_config('idle_in_transaction_session_timeout', %(most)s, true),"
            " set_config('datestyle', 'ISO', true), set_config('timezone', 'UTC', true)",
            {"most": f"{seconds}s"},
        )
        try:
            yield raw
        except BaseException:
            # The rest of a stream would have to be read: a new connection is cheaper.
            connection.invalidate()
            raise


@contextmanager
def reading(*, seconds: int) -> Iterator[Cursor]:
    """Lend the driver's cursor for reading, whose statements end after so many seconds.

    It is the present transaction's where one is open. Otherwise each statement is a transaction of
    its own: begin, time limit and commit would be three more round trips beside a short query.

    :raises DBAPIError: for every error of the driver, as SQLAlchemy itself would raise it
    """
    is_open = db.session.registry.has() and db.session().in_transaction()
    lend = _in_transaction if is_open or isinstance(db.engine, Connection) else _apart
    cursor: Cursor | None = None
    try:
        cursor, give_back = lend(seconds)
        try:
            yield cursor
        finally:
            give_back()
    except psycopg.Error as error:
        is_lost = cursor is not None and cursor.connection.closed
        raise DBAPIError.instance(
            None, None, error, psycopg.Error, connection_invalidated=is_lost
        ) from error


def _in_transaction(seconds: int) -> tuple[Cursor, Callable[[], None]]:
    connection = db.session.connection()
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {seconds * 1000:d}")
    raw = raw_connection()

    def give_back() -> None:
        if raw.closed:
            connection.invalidate()

    return raw.cursor(), give_back


def _apart(seconds: int) -> tuple[Cursor, Callable[[], None]]:
    # SQLAlchemy's connection and its results would cost more than a short query itself, and so
    # would a new cursor, which has to find again how each type is written and read.
    lent = _pool(f"-c statement_timeout={seconds}s", "AUTOCOMMIT", size=8).raw_connection()
    raw: psycopg.Connection[Any] = lent.driver_connection  # type: ignore[assignment]  # a pool's proxy hides the driver's type
    cursor: Cursor = lent.info.pop("cursor", None) or raw.cursor()

    def give_back() -> None:
        if raw.closed:
            lent.invalidate()
        elif cursor.rowcount <= MOST_KEPT:
            lent.info["cursor"] = cursor
        lent.close()

    return cursor, give_back


def _pool(options: str, isolation: IsolationLevel, *, size: int) -> Engine:
    """Return the pool of connections with these options that only read."""
    extensions = current_app.extensions
    url = extensions["settings"].database_url
    pools: dict[tuple[str, str], Engine] = extensions["pools"]
    with _POOLS_LOCK:
        if (url, options) not in pools:
            pools[url, options] = create_engine(
                driver_url(url),
                hide_parameters=True,
                isolation_level=isolation,
                pool_events=TESTED,
                pool_reset_on_return=None if isolation == "AUTOCOMMIT" else "rollback",
                pool_size=size,
                max_overflow=0,
                pool_timeout=5,
                connect_args={
                    "connect_timeout": 5,
                    "application_name": "quintet reading",
                    "options": f"-c default_transaction_read_only=on {options}",
                },
            )
    return pools[url, options]


def _note_answer(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["answered"] = monotonic()


def _test_connection(
    connection: psycopg.Connection[Any], record: ConnectionPoolEntry, _proxy: object
) -> None:
    """Test a connection before it is lent, unless it answered a moment ago and is silent since.

    A server that ended would have closed it, which shows without asking.
    """
    (news := poll()).register(connection.fileno(), POLLIN)
    idle = monotonic() - record.info.get("answered", monotonic())
    if idle <= IDLE_SECONDS and not news.poll(0):
        return
    try:
        _DIALECT.do_ping(connection)
    except psycopg.Error as error:
        raise DisconnectionError from error


_DIALECT: Any = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # untyped upstream
TESTED = [(_note_answer, "checkin"), (_test_connection, "checkout")]


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
