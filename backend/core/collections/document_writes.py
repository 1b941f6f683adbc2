"""The OpenAPI document of the operations that write."""

from typing import Any

from backend.core.collections.declaration import Collection
from backend.core.collections.document import json_answer, problems
from backend.core.collections.document_parameters import key_parameter
from backend.core.collections.document_schemas import nullable, record_schema, row_schema
from backend.core.collections.items import is_required

IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The record's version in double quotes, from its ETag or its `version`.",
    "schema": {"type": "string", "examples": ['"3"']},
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body give the same answer for 48 hours.",
    "schema": {"type": "string", "maxLength": 200},
}


def operations(collection: Collection) -> dict[str, dict[str, Any]]:
    """Return the documents of the writing operations by name."""
    one, key = f"one record of {collection.title.lower()}", key_parameter(collection)
    now = json_answer(record_schema(collection), "The record as it is now.")
    gone = {"description": "It is gone."}
    return {
        **_creations(collection, one),
        "update": {
            "summary": f"Change {one}",
            "parameters": [key, IF_MATCH],
            "requestBody": _body(item_schema(collection, is_new=False)),
            "responses": {"200": now, **problems(400, 404, 409, 412, 415, 422, 428)},
        },
        "delete": {
            "summary": f"Delete {one}",
            "parameters": [key, IF_MATCH | {"required": False}],
            "responses": {"204": gone, **problems(400, 404, 409, 412)},
        },
        "restore": {
            "summary": f"Bring {one} back",
            "parameters": [key],
            "responses": {"200": now, **problems(400, 404)},
        },
    }


def _creations(collection: Collection, one: str) -> dict[str, dict[str, Any]]:
    record = json_answer(record_schema(collection), "The new record.")
    rows = {"data": {"type": "array", "items": row_schema(collection)}}
    items = {"type": "array", "items": item_schema(collection, is_new=True), "minItems": 1}
    batch = {"items": items | {"maxItems": collection.limits.batch}}
    refusals = problems(400, 409, 415, 422)
    return {
        "create": {
            "summary": f"Make {one}",
            "parameters": [IDEMPOTENCY_KEY],
            "requestBody": _body(item_schema(collection, is_new=True)),
            "responses": {"201": record, **refusals},
        },
        "batch": {
            "summary": f"Make several {collection.title.lower()}, all or none",
            "parameters": [IDEMPOTENCY_KEY],
            "requestBody": _body(
                {"type": "object", "required": ["items"], "properties": batch, **CLOSED}
            ),
            "responses": {
                "201": json_answer({"type": "object", "properties": rows}, "The new records."),
                **refusals,
            },
        },
    }


CLOSED: dict[str, Any] = {"additionalProperties": False}


def item_schema(collection: Collection, *, is_new: bool) -> dict[str, Any]:
    """Return the schema of a body that makes or changes a record."""
    open_ = {
        name: each
        for name, each in collection.columns.items()
        if (each.declared.create if is_new else each.declared.update)
    }
    found: dict[str, Any] = {
        "type": "object",
        "properties": {
            name: nullable(each.type.operand(), is_null=each.nullable)
            for name, each in open_.items()
        },
        **CLOSED,
    }
    if not is_new:
        return found | {"minProperties": 1}
    return found | {"required": [name for name, each in open_.items() if is_required(each)]}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}
