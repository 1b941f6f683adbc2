"""The database: one transaction for each request, command and task, made at its edge."""

from backend.core.database.connections import driver_url, engine
from backend.core.database.reading import MOST_KEPT, Cursor, reading, snapshot
from backend.core.database.transactions import (
    Model,
    UuidKey,
    apart,
    aside,
    at_once,
    commit_without_waiting,
    db,
    first_row,
    guard_commands,
    guard_views,
    guarded,
    init_app,
    raw_connection,
    transaction,
)

__all__ = [
    "MOST_KEPT",
    "Cursor",
    "Model",
    "UuidKey",
    "apart",
    "aside",
    "at_once",
    "commit_without_waiting",
    "db",
    "driver_url",
    "engine",
    "first_row",
    "guard_commands",
    "guard_views",
    "guarded",
    "init_app",
    "raw_connection",
    "reading",
    "snapshot",
    "transaction",
]
