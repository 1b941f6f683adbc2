"""Read the bodies that make and change records; every mistake in them is found in one pass."""

from collections.abc import Mapping
from typing import Any

from backend.core.collections.declaration import Collection, Column
from backend.core.collections.problems import InvalidItem, Mistakes, nearest
from backend.core.collections.search import pointer
from backend.core.collections.types import Refused


def read_new(collection: Collection, body: Any) -> dict[str, Any]:
    """Return the values of a new record.

    :raises InvalidItem: with every mistake in the body
    """
    mistakes = Mistakes("pointer")
    item = _read(collection, body, (), mistakes, is_new=True)
    mistakes.check(InvalidItem)
    return item


def read_batch(collection: Collection, body: Any) -> list[dict[str, Any]]:
    """Return the values of several new records.

    :raises InvalidItem: with every mistake in the body, each at its item
    """
    mistakes = Mistakes("pointer")
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list) or set(body) != {"items"}:
        mistakes.add("", "invalid_type", 'The body is {"items": […]}.')
        mistakes.check(InvalidItem)
    most = collection.limits.batch
    if not 1 <= len(items or []) <= most:
        mistakes.add("/items", "too_many_items", f"From 1 to {most} items.")
        mistakes.check(InvalidItem)
    found = [
        _read(collection, each, ("items", at), mistakes, is_new=True)
        for at, each in enumerate(items or [])
    ]
    mistakes.check(InvalidItem)
    return found


def read_changes(collection: Collection, body: Any) -> dict[str, Any]:
    """Return the new values of a record's members.

    :raises InvalidItem: with every mistake in the body
    """
    mistakes = Mistakes("pointer")
    item = _read(collection, body, (), mistakes, is_new=False)
    if not item and not mistakes:
        mistakes.add("", "missing", "At least one member to change is expected.")
    mistakes.check(InvalidItem)
    return item


def _read(
    collection: Collection,
    body: Any,
    place: tuple[str | int, ...],
    mistakes: Mistakes,
    *,
    is_new: bool,
) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        mistakes.add(pointer(*place), "invalid_type", "A JSON object is expected.")
        return {}
    open_ = {
        name: each
        for name, each in collection.columns.items()
        if (each.declared.create if is_new else each.declared.update)
    }
    item = {}
    for name, content in body.items():
        if name not in open_:
            _note_closed(collection, open_, name, pointer(*place, name), mistakes)
            continue
        try:
            item[name] = _load(open_[name], content)
        except Refused as refused:
            where = pointer(*place, name)
            mistakes.add(where, refused.code, refused.detail, suggestion=refused.suggestion)
    for name, column in open_.items():
        if is_new and name not in body and is_required(column):
            mistakes.add(pointer(*place, name), "missing", f"{name} is missing.")
    return item


def is_required(column: Column) -> bool:
    """Whether a new record has to have the member."""
    has_default = getattr(column.sql, "server_default", None) or getattr(
        column.sql, "default", None
    )
    return not (column.nullable or column.declared.optional or has_default is not None)


def _load(column: Column, content: Any) -> Any:
    if content is None:
        if column.nullable:
            return None
        raise Refused("null is not allowed here.", code="null")
    return column.type.load(content)


def _note_closed(
    collection: Collection, open_: Mapping[str, Column], name: str, where: str, mistakes: Mistakes
) -> None:
    if name in collection.columns:
        mistakes.add(where, "read_only", f"{name} cannot be set here.", allowed=open_)
        return
    near = nearest(name, open_)
    mistakes.add(where, "unknown_member", "No such member.", allowed=open_, suggestion=near)
