"""The OpenAPI document's parameters: each operator of each field is one of its own."""

from typing import Any

from backend.core.collections.declaration import Collection, Column
from backend.core.collections.grammar import write_item
from backend.core.collections.parse import COUNTS, FORMATS, zones
from backend.core.collections.query import LISTED
from backend.core.collections.reading import WORDS
from backend.core.collections.times import Timestamp
from backend.core.collections.types import Text

ZONE = "TimeZone"
PLAIN_TEXT = "^[^\\u0000]*$"
PLAIN_ITEM = '^[^\\u0000,"]+$'


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
        item = write_item(sample)
        items = operand_schema(column, is_item=True)
        size = (
            {"minItems": 2, "maxItems": 2} if op == "between" else {"minItems": 1, "maxItems": 100}
        )
        return found | {
            "schema": {"type": "array", "items": items} | size,
            "style": "form",
            "explode": False,
            "example": [item, item] if op == "between" else [item],
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
    zone = {"$ref": f"#/components/schemas/{ZONE}"}
    return _plain("tz", zone, "The zone in which a bare date is a day.")


def zone_schema() -> dict[str, Any]:
    """Return the schema of a zone's name, a component that all collections share."""
    return {"type": "string", "enum": sorted(zones()), "examples": ["Europe/Berlin"]}


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
