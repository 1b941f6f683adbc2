"""The OpenAPI document of a search's body: a tree of comparisons, as deep as it may be."""

from typing import Any

from backend.core.collections.declaration import Collection, Column
from backend.core.collections.document_parameters import operand_schema, paging_parameters
from backend.core.collections.numbers import Number
from backend.core.collections.query import LISTED
from backend.core.collections.types import Boolean, Enum, Text

MEMBERS = ("sort", "fields", "include", "limit", "cursor", "page", "count", "tz")
NULL = {"type": "null"}

Schema = dict[str, Any]


def search_schema(collection: Collection) -> Schema:
    """Return the schema of a search's body; its filter is the first of `filter_schemas`."""
    words = {each["name"]: each["schema"] for each in paging_parameters(collection)}
    properties = {name: _member(words[name]) for name in MEMBERS if name in words}
    limits = collection.limits
    tree: Schema = {
        "description": f"At most {limits.depth} levels and {limits.leaves} comparisons. A list is"
        " joined by `and`.",
        "anyOf": [
            _level(collection, 1),
            {"type": "array", "items": _level(collection, 2), "maxItems": limits.leaves},
            NULL,
        ],
    }
    return {
        "type": "object",
        "properties": {"filter": tree, **properties},
        "additionalProperties": False,
    }


def filter_schemas(collection: Collection) -> dict[str, Schema]:
    """Return the schemas that the search's refers to, by the names of their components."""
    depth = collection.limits.depth
    found = {_name(collection, depth + 1): {"anyOf": _comparisons(collection)}}
    for level in range(depth, 0, -1):
        inner = _level(collection, level + 1)
        several = {"type": "array", "items": inner, "minItems": 1, "maxItems": _most(collection)}
        joints = {"and": several, "or": several, "not": inner}
        found[_name(collection, level)] = {
            "anyOf": [
                _level(collection, depth + 1),
                *(_closed({joint: schema}, [joint]) for joint, schema in joints.items()),
            ]
        }
    return found


def _most(collection: Collection) -> int:
    return collection.limits.leaves


def _level(collection: Collection, level: int) -> Schema:
    return {"$ref": f"#/components/schemas/{_name(collection, level)}"}


def _name(collection: Collection, level: int) -> str:
    words = "".join(each.capitalize() for each in collection.name.replace("_", "-").split("-"))
    if level > collection.limits.depth:
        return f"{words}Comparison"
    return f"{words}Filter{level if level > 1 else ''}"


def _comparisons(collection: Collection) -> list[Schema]:
    return [each for column in collection.columns.values() for each in _of_column(column)]


def _of_column(column: Column) -> list[Schema]:
    plain = [op for op in column.operators if op not in {*LISTED, "isnull"}]
    value, truth = _value(column), _value_of(Boolean().schema(), is_text=False)
    pair = {"type": "array", "items": value, "minItems": 2, "maxItems": 2}
    several = {"type": "array", "items": value, "minItems": 1, "maxItems": 100}
    found = [_comparison(column, plain, value, needed=["field", "value"])]
    groups = ((["isnull"], truth), (["between"], pair), (["in", "nin"], several))
    for operators, schema in groups:
        if known := [op for op in operators if op in column.operators]:
            found.append(_comparison(column, known, schema, needed=["field", "op", "value"]))
    return found


def _comparison(column: Column, operators: list[str], value: Schema, needed: list[str]) -> Schema:
    properties = {
        "field": {"type": "string", "enum": [column.name]},
        "op": {"type": "string", "enum": operators},
        "value": value,
    }
    return _closed(properties, needed)


def _value(column: Column) -> Schema:
    is_text = isinstance(column.type, Text) and "pattern" not in column.type.operand()
    if isinstance(column.type, Number):
        most = 10 ** ((column.type.precision or 0) - column.type.places) - 1
        number = {"type": "number", "minimum": -most, "maximum": most}
        return {"anyOf": [operand_schema(column), number]}
    return _value_of(operand_schema(column), is_text=is_text and not isinstance(column.type, Enum))


def _value_of(schema: Schema, *, is_text: bool) -> Schema:
    """Return the schema with the other ways in which JSON may write the same value."""
    if is_text:
        return schema | {"type": ["string", "number", "boolean"]}
    if schema.get("type") == "boolean":
        return {"anyOf": [schema, {"type": "string", "enum": ["true", "false"]}]}
    if schema.get("type") == "integer":
        sign = "" if schema.get("minimum", 0) >= 0 else "-?"
        return {"anyOf": [schema, {"type": "string", "pattern": f"^{sign}[0-9]{{1,40}}$"}]}
    return schema


def _member(schema: Schema) -> Schema:
    """Return the schema of a parameter as a member of a body: an item may stand alone."""
    if schema.get("type") != "array":
        return {"anyOf": [schema, NULL]}
    several = {name: value for name, value in schema.items() if name != "minItems"}
    return {"anyOf": [several, schema["items"], NULL]}


def _closed(properties: dict[str, Any], needed: list[str]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": False,
    }
