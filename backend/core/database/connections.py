"""Connections: how they are made, and tested before they are lent."""

from select import POLLIN, poll
from time import monotonic
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

IDLE_SECONDS = 1.0


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


def translated(error: psycopg.Error, connection: psycopg.Connection[Any] | None) -> Exception:
    """Return the driver's error as SQLAlchemy itself would raise it."""
    is_lost = connection is not None and bool(connection.closed)
    return DBAPIError.instance(None, None, error, psycopg.Error, connection_invalidated=is_lost)


def driver_url(url: str) -> str:
    """Return the address with its driver named, as SQLAlchemy wants it."""
    _, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}"


def engine(url: str) -> Engine:
    """Return an engine for work outside an application, such as migrations."""
    return create_engine(driver_url(url))
