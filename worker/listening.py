"""Waking when a job was committed: a notification, which is only a hint and may be missed."""

import time
from typing import Any

import psycopg
import structlog
from psycopg import sql

from backend.core.outbox.enqueuing import CHANNEL

log = structlog.get_logger(__name__)


class Listener:
    """A connection that does nothing but listen, opened again when it is lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None

    def wait(self, seconds: float) -> None:
        """Return when a job was committed, or after so many seconds."""
        until = time.monotonic() + seconds
        try:
            for _ in self._open().notifies(timeout=seconds, stop_after=1):
                return
        except psycopg.Error as error:
            log.warning("not listening", error=type(error).__name__)
            self.close()
            time.sleep(max(0.0, until - time.monotonic()))

    def close(self) -> None:
        """Stop listening."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
            self._connection.execute(sql.SQL("listen {}").format(sql.Identifier(CHANNEL)))
        return self._connection
