"""The OpenAPI document of a collection: each operator of each field is a parameter of its own."""

from http import HTTPStatus
from typing import Any

from backend.core.collections.declaration import Collection, Column
from backend.core.collections.parse import COUNTS, FORMATS
from backend.core.collections.query import LISTED
from backend.core.collections.reading import WORDS
from backend.core.collections.times import Timestamp
from backend.core.collections.types import Text

PLAIN_TEXT = "^[^\\u0000]*$"
PLAIN_ITEM = '^[^\\u0000,"]+$'
PROBLEM = {"$ref": "#/components/schemas/Problem"}

QUERY_CODES = (
    "unknown_parameter unknown_operator operator_not_allowed duplicate_parameter invalid_value "
    "out_of_range too_long too_many_items too_many_conditions unknown_field not_sortable "
    "duplicate_item unknown_include parameter_conflict not_applicable invalid_cursor "
    "cursor_mismatch page_too_deep query_too_long invalid_encoding"
)
GROUP_CODES = "not_groupable unknown_bucket unknown_metric mixed_currencies too_many_groups"


def list_operation(collection: Collection) -> dict[str, Any]:
    """Return the document of the list."""
    return {
        "summary": f"List {collection.title.lower()}",
        "description": _describe(collection, QUERY_CODES),
        "parameters": [*filter_parameters(collection), *paging_parameters(collection)],
        "responses": {
            "200": _files(list_schema(collection), "One page of rows, or all of them as a file."),
            "304": {"description": "What you have still holds."},
            **problems(400, 406, 429, 503),
        },
    }


def record_operation(collection: Collection) -> dict[str, Any]:
    """Return the document of one record."""
    shown = [
        each for each in paging_parameters(collection) if each["name"] in {"fields", "include"}
    ]
    return {
        "summary": f"Read one of the {collection.title.lower()}",
        "parameters": [key_parameter(collection), *shown],
        "responses": {
            "200": json_answer(record_schema(collection), "The record."),
            "304": {"description": "What you have still holds."},
            **problems(400, 404, 406, 503),
        },
    }


def aggregates_operation(collection: Collection) -> dict[str, Any]:
    """Return the document of the aggregates."""
    from backend.core.collections.document_groups import (  # noqa: PLC0415  it builds on this one
        group_parameters,
        groups_schema,
    )

    return {
        "summary": f"Group {collection.title.lower()}",
        "description": _describe(collection, f"{QUERY_CODES} {GROUP_CODES}"),
        "parameters": [*filter_parameters(collection), *group_parameters(collection)],
        "responses": {
            "200": _files(groups_schema(collection), "The groups with their figures."),
            "304": {"description": "What you have still holds."},
            **problems(400, 406, 503),
        },
    }


def describe_operation(collection: Collection) -> dict[str, Any]:
    """Return the document of the discovery."""
    schema = {"type": "object", "required": ["data"], "properties": {"data": {"type": "object"}}}
    return {
        "summary": f"What {collection.title.lower()} can be asked",
        "responses": {"200": json_answer(schema, "Columns, operators, limits."), **problems(406)},
    }


def search_operation(collection: Collection) -> dict[str, Any]:
    """Return the document of the search."""
    return {
        "summary": f"Search {collection.title.lower()} with and, or, not",
        "description": (
            "The same as the method QUERY on the collection. A filter is a comparison "
            '`{"field", "op", "value"}`, or `and`, `or`, `not` around filters.'
        ),
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": search_schema(collection),
                    "example": search_example(collection),
                }
            },
        },
        "responses": {
            "200": json_answer(list_schema(collection), "One page of rows."),
            **problems(400, 406, 415, 422, 503),
        },
    }


def filter_parameters(collection: Collection) -> list[dict[str, Any]]:
    """Return a parameter for each operator of each column."""
    return [
        _filter(column, op) for column in collection.columns.values() for op in column.operators
    ]


def _filter(column: Column, op: str) -> dict[str, Any]:
    name = column.name if op == "eq" else f"{column.name}[{op}]"
    text = f"{column.declared.label} {WORDS[op]}."
    found: dict[str, Any] = {"name": name, "in": "query", "description": text}
    sample = column.type.sample()
    if op == "isnull":
        return found | {"schema": {"type": "boolean"}, "example": False}
    if op in LISTED:
        items = operand_schema(column, is_item=True)
        size = (
            {"minItems": 2, "maxItems": 2} if op == "between" else {"minItems": 1, "maxItems": 100}
        )
        return found | {
            "schema": {"type": "array", "items": items} | size,
            "style": "form",
            "explode": False,
            "example": [sample, sample] if op == "between" else [sample],
        }
    if op == "eq":
        found["description"] += f" `{column.name}[eq]` is the same."
    return found | {"schema": operand_schema(column), "example": sample}


def operand_schema(column: Column, *, is_item: bool = False) -> dict[str, Any]:
    """Return the schema of what a column is compared with."""
    if isinstance(column.type, Text):
        pattern = PLAIN_ITEM if is_item else PLAIN_TEXT
        return {"type": "string", "maxLength": 200, "pattern": pattern}
    if isinstance(column.type, Timestamp):
        return {"anyOf": [column.type.schema(), {"type": "string", "format": "date"}]}
    return column.type.operand()


def paging_parameters(collection: Collection) -> list[dict[str, Any]]:
    """Return the reserved parameters of a list."""
    limits = collection.limits
    sortable = [each.name for each in collection.columns.values() if collection.can_sort(each)]
    words = [f"{sign}{name}" for name in sortable for sign in ("", "-")]
    words += [f"{word}:nullsfirst" for word in words]
    inner = [
        f"{name}.{each}"
        for name, include in collection.includes.items()
        for each in include.collection.columns
    ]
    found = [
        _list("sort", words, limits.sort_keys, "Keys; a minus sign means descending."),
        _list("order", ["asc", "desc"], limits.sort_keys, "With sort, instead of signs."),
        _list("fields", [*collection.columns, *inner], 200, "The columns to show."),
        _number("limit", 10**9 - 1, f"Rows on a page; more than {limits.limit} are lowered to it."),
        _plain("cursor", {"type": "string"}, "Where the page begins, from `page.next`."),
        _number("page", limits.page_depth, "The page's number, instead of a cursor."),
        _choice("count", COUNTS, "How rows are counted."),
        _choice("format", FORMATS, "The form of the answer; it wins over Accept."),
    ]
    if collection.includes:
        found.append(_list("include", list(collection.includes), 10, "Records to nest."))
    if any(isinstance(each.type, Timestamp) for each in collection.columns.values()):
        found.append(zone_parameter())
    return found


def zone_parameter() -> dict[str, Any]:
    """Return the parameter of the time zone."""
    zone = {"type": "string", "examples": ["Europe/Berlin"]}
    return _plain("tz", zone, "The zone in which a bare date is a day.")


def key_parameter(collection: Collection) -> dict[str, Any]:
    """Return the parameter of the path."""
    schema = collection.key_column.type.operand()
    return {"name": "key", "in": "path", "required": True, "schema": schema}


def _plain(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": text}


def _choice(name: str, allowed: tuple[str, ...], text: str) -> dict[str, Any]:
    return _plain(name, {"type": "string", "enum": list(allowed)}, text)


def _number(name: str, most: int, text: str) -> dict[str, Any]:
    return _plain(name, {"type": "integer", "minimum": 1, "maximum": most}, text)


def _list(name: str, allowed: list[str], most: int, text: str) -> dict[str, Any]:
    items = {"type": "string", "enum": allowed}
    schema = {"type": "array", "items": items, "minItems": 1, "maxItems": most, "uniqueItems": True}
    return _plain(name, schema, text) | {"style": "form", "explode": False}


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


def search_schema(collection: Collection) -> dict[str, Any]:
    """Return the schema of a search's body."""
    limits = collection.limits
    words = {each["name"]: each["schema"] for each in paging_parameters(collection)}
    properties = {
        name: words[name]
        for name in ("sort", "fields", "include", "limit", "cursor", "page", "count", "tz")
        if name in words
    }
    tree = {
        "type": "object",
        "description": f"At most {limits.depth} levels and {limits.leaves} comparisons.",
    }
    return {
        "type": "object",
        "properties": {"filter": tree, **properties},
        "additionalProperties": False,
    }


def search_example(collection: Collection) -> dict[str, Any]:
    """Return a search that works."""
    columns = [each for each in collection.columns.values() if each.name != collection.key]
    leaves = [{"field": e.name, "op": "eq", "value": e.type.sample()} for e in columns[:2]]
    empty = {"not": {"field": columns[-1].name, "op": "isnull", "value": True}}
    return {"filter": {"or": [*leaves, empty]}, "limit": 5}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def json_answer(schema: dict[str, Any], text: str) -> dict[str, Any]:
    """Return the document of an answer in JSON."""
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _files(schema: dict[str, Any], text: str) -> dict[str, Any]:
    found = json_answer(schema, text)
    for media in ("text/csv", "application/x-ndjson"):
        found["content"][media] = {"schema": {"type": "string"}}
    return found


def problems(*statuses: int) -> dict[str, Any]:
    """Return the refusals that the operation may answer with."""
    return {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": PROBLEM}},
        }
        for status in statuses
    }


def _describe(collection: Collection, codes: str) -> str:
    listed = ", ".join(f"`{code}`" for code in codes.split())
    return (
        f"{collection.description} Conditions are joined by AND. Codes of errors: {listed}.".strip()
    )
