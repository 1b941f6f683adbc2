"""What a watched folder held when it was last looked at, so that only what rests is taken."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, ColumnElement, Text, case, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from backend.core.database import db
from backend.domains.flows.models import FlowLook

SETTLE = timedelta(seconds=5)
_BATCH = 1000


class Seen(NamedTuple):
    """A file as a folder shows it."""

    name: str
    size: int
    modified: int


def shown(name: bytes) -> str:
    """Return a text that stands for this name of a file and for no other, as names need be none."""
    return name.replace(b"\\", rb"\\").decode("utf-8", "backslashreplace")


def steady(source: str, seen: Collection[Seen]) -> dict[str, datetime]:
    """Note this look, and return since when the files have been the same, of those that rest.

    A file rests when two looks, some seconds apart, found the same size and time of change, and
    when it was not taken in that state before.
    """
    if not seen:
        return {}
    now = func.clock_timestamp()
    rows = [
        {"source": source, "name": name, "size_bytes": size, "modified": modified}
        for name, size, modified in {each.name: each for each in seen}.values()
    ]
    for start in range(0, len(rows), _BATCH):
        _note([row | {"steady_since": now} for row in rows[start : start + _BATCH]])
    resting = select(FlowLook.name, FlowLook.steady_since).where(
        FlowLook.source == source,
        FlowLook.taken_at.is_(None),
        FlowLook.steady_since <= now - SETTLE,
        FlowLook.name == func.any(_names(each.name for each in seen)),
    )
    return {row.name: row.steady_since for row in db.session.execute(resting)}


def _note(rows: list[dict[str, Any]]) -> None:
    new = insert(FlowLook).values(rows)
    is_same = (FlowLook.size_bytes == new.excluded.size_bytes) & (
        FlowLook.modified == new.excluded.modified
    )
    changed = {
        "size_bytes": new.excluded.size_bytes,
        "modified": new.excluded.modified,
        "steady_since": case((is_same, FlowLook.steady_since), else_=new.excluded.steady_since),
        "taken_at": case((is_same, FlowLook.taken_at), else_=None),
    }
    db.session.execute(new.on_conflict_do_update(index_elements=["source", "name"], set_=changed))


def forget_others(source: str, names: Iterable[str]) -> None:
    """Forget the files that are no longer there."""
    is_gone = FlowLook.name != func.all(_names(names))
    db.session.execute(delete(FlowLook).where(FlowLook.source == source, is_gone))


def _names(names: Iterable[str]) -> ColumnElement[list[str]]:
    """Return the names as one parameter, as a statement takes no more than 65,535."""
    return literal(list(names), ARRAY(Text))


def taken(source: str) -> dict[str, str]:
    """Return the content hashes of the files that were taken and are still there, by name."""
    query = select(FlowLook.name, FlowLook.raw_hash).where(
        FlowLook.source == source, FlowLook.taken_at.is_not(None)
    )
    return {row.name: row.raw_hash or "" for row in db.session.execute(query)}


def forget(source: str, name: str) -> None:
    """Forget a file that is no longer there."""
    db.session.execute(delete(FlowLook).where(FlowLook.source == source, FlowLook.name == name))
