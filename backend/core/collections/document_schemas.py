"""The OpenAPI document's schemas: rows, envelopes and the bodies of searches."""

from typing import Any

from backend.core.collections.declaration import Collection, Column


def row_schema(collection: Collection) -> dict[str, Any]:
    """Return the schema of a row; `fields` may leave out any column."""
    properties: dict[str, Any] = {
        name: nullable(each.type.schema(), is_null=each.nullable) | _told(each)
        for name, each in collection.columns.items()
    }
    for name, include in collection.includes.items():
        properties[name] = nullable(row_schema(include.collection), is_null=True)
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _told(column: Column) -> dict[str, Any]:
    return {"description": column.declared.description} if column.declared.description else {}


def nullable(schema: dict[str, Any], *, is_null: bool) -> dict[str, Any]:
    """Return the schema with null among its types."""
    if not is_null:
        return schema
    found = schema | {"type": [schema["type"], "null"]}
    return found | ({"enum": [*schema["enum"], None]} if "enum" in schema else {})


def list_schema(collection: Collection) -> dict[str, Any]:
    """Return the schema of a list's envelope."""
    cursor = {"type": ["string", "null"]}
    number = {"type": ["integer", "null"]}
    page = {
        "limit": {"type": "integer"},
        "next": cursor,
        "prev": cursor,
        "has_more": {"type": "boolean"},
        "number": {"type": "integer"},
        "pages": number,
    }
    kinds = ["exact", "at_least", "estimate", "none"]
    meta = {
        "count": number,
        "count_kind": {"type": "string", "enum": kinds},
        "notices": {"type": "array", "items": {"type": "object"}},
        "applied": {"type": "object"},
    }
    return _object(
        data={"type": "array", "items": row_schema(collection)},
        page=_object(**page) | {"required": ["limit", "next", "prev", "has_more"]},
        meta=_object(**meta),
    )


def record_schema(collection: Collection) -> dict[str, Any]:
    """Return the schema of a record's envelope."""
    return _object(data=row_schema(collection), meta=_object(applied={"type": "object"}))


def search_example(collection: Collection) -> dict[str, Any]:
    """Return a search that works."""
    columns = [each for each in collection.columns.values() if each.name != collection.key]
    leaves = [{"field": e.name, "op": "eq", "value": e.type.sample()} for e in columns[:2]]
    empty = {"not": {"field": columns[-1].name, "op": "isnull", "value": True}}
    return {"filter": {"or": [*leaves, empty]}, "limit": 5}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}
