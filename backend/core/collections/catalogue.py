"""The list of collections: what there is to read for whoever asks."""

from typing import Any

from flask import Response, request

from backend.core.auth import ApiBlueprint, public
from backend.core.auth.current import remember
from backend.core.auth.tokens import verify_access
from backend.core.collections.declaration import Collection
from backend.core.collections.document import json_answer, problems
from backend.core.collections.doors import accepted, json_response
from backend.core.collections.mounting import documented
from backend.core.collections.query import dumps
from backend.core.collections.registry import readable

TEXTS = ("name", "title", "description", "path", "describe")
ENTRY: dict[str, Any] = {
    "type": "object",
    "required": [*TEXTS, "writable"],
    "properties": {name: {"type": "string"} for name in TEXTS} | {"writable": {"type": "boolean"}},
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "array", "items": ENTRY}},
}
OPERATION: dict[str, Any] = {
    "summary": "List the collections that you may read",
    "responses": {
        "200": json_answer(SCHEMA, "Each with the address of its description."),
        **problems(401, 406),
    },
}

blueprint = ApiBlueprint("collections", __name__, url_prefix="/collections")


def list_collections() -> Response:
    """List the collections that the caller may read; a token is welcome and not needed."""
    accepted(only=("json",))
    if request.headers.get("Authorization"):
        remember(verify_access())
    return json_response(dumps({"data": [_entry(each) for each in readable()]}) + "\n")


def _entry(collection: Collection) -> dict[str, Any]:
    return {
        "name": collection.name,
        "title": collection.title,
        "description": collection.description,
        "path": collection.path,
        "describe": f"{collection.path}/describe",
        "writable": collection.writable,
    }


blueprint.add_url_rule(
    "", "list_collections", view_func=public(documented(list_collections, OPERATION))
)
