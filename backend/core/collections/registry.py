"""Which collections the application offers, and which of them the caller may read."""

from typing import Any

from flask import Flask, current_app
from flask_smorest import Blueprint

from backend.core.auth import ApiBlueprint, may_enter
from backend.core.collections.declaration import Collection
from backend.core.errors import DomainError

KEY = "collections"


def register(app: Any, collection: Collection, blueprint: Blueprint) -> None:
    """Remember that the application offers the collection through the blueprint."""
    app.extensions.setdefault(KEY, {})[collection.name] = (collection, blueprint)


def mounted(app: Flask | None = None) -> dict[str, Collection]:
    """Return every collection that the application offers, by name."""
    found = (app or current_app).extensions.get(KEY, {})
    return {name: collection for name, (collection, _) in sorted(found.items())}


def readable() -> list[Collection]:
    """Return the collections that the present caller may read."""
    found = current_app.extensions.get(KEY, {})
    return [
        collection
        for _, (collection, blueprint) in sorted(found.items())
        if _may_read(collection, blueprint)
    ]


def is_public(collection: Collection) -> bool:
    """Whether everybody may read the collection, without a token."""
    _, blueprint = current_app.extensions.get(KEY, {}).get(collection.name, (None, None))
    return bool(getattr(blueprint, "public", False))


def _may_read(collection: Collection, blueprint: Blueprint) -> bool:
    if isinstance(blueprint, ApiBlueprint) and not may_enter(blueprint):
        return False
    try:
        collection.scope()
    except DomainError:
        return False
    return True
