"""Reading: from one moment of the database, or without a transaction of one's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import psycopg
from flask import current_app
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine.interfaces import IsolationLevel

from backend.core.database.connections import TESTED, driver_url, translated
from backend.core.database.transactions import db, raw_connection

_POOLS_LOCK = Lock()
# A cursor holds on to the rows that it found last.
MOST_KEPT = 1000

Cursor = psycopg.Cursor[Any]


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
        raise translated(error, cursor.connection if cursor else None) from error


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
