"""The OpenAPI document of aggregates: keys, metrics, and a parameter for each comparison."""

from typing import Any

from backend.core.collections.declaration import Collection
from backend.core.collections.document_parameters import zone_parameter
from backend.core.collections.document_schemas import nullable
from backend.core.collections.grouping import HAVING, GroupKey, Metric
from backend.core.collections.parse import FORMATS
from backend.core.collections.parse_groups import metric_kinds
from backend.core.collections.reading import WORDS
from backend.core.collections.times import Timestamp


def group_parameters(collection: Collection) -> list[dict[str, Any]]:
    """Return the reserved parameters of aggregates."""
    keys, metrics, limits = _keys(collection), _metrics(collection), collection.limits
    names = [key.name for key in keys] + [metric.name for metric in metrics]
    sort = [f"{sign}{name}" for name in names for sign in ("", "-")]
    found = [
        _list("by", [key.word for key in keys], limits.group_keys, "What is grouped by."),
        _list("metrics", [m.word for m in metrics], limits.metrics, "The figures of each group."),
        _list("sort", sort, limits.sort_keys, "Keys and requested metrics; minus is descending."),
        _list("order", ["asc", "desc"], limits.sort_keys, "With sort, instead of signs."),
        _choice("fill", ["zero"], "Add the buckets of time that have no rows."),
        _choice("totals", ["true", "false"], "Add the figures over all rows."),
        _choice("format", list(FORMATS), "The form of the answer; it wins over Accept."),
        {
            "name": "top",
            "in": "query",
            "description": "Keep so many groups, and put the others together.",
            "schema": {"type": "integer", "minimum": 1, "maximum": limits.groups},
        },
        *(_having(metric, op) for metric in metrics for op in HAVING),
    ]
    if any(isinstance(each.type, Timestamp) for each in collection.columns.values()):
        found.append(zone_parameter())
    return found


def groups_schema(collection: Collection) -> dict[str, Any]:
    """Return the schema of the answer to aggregates."""
    row: dict[str, Any] = {"rows": {"type": ["string", "null"]}}
    for key in _keys(collection):
        schema = {"type": "string"} if key.bucket else key.column.type.schema()
        row[key.name] = nullable(schema, is_null=key.column.nullable)
    figures = {m.name: nullable(m.type.schema(), is_null=True) for m in _metrics(collection)}
    groups = {"groups": {"type": "integer"}}
    return {
        "type": "object",
        "required": ["data", "meta"],
        "properties": {
            "data": {"type": "array", "items": {"type": "object", "properties": row | figures}},
            "totals": {"type": "object", "properties": figures},
            "other": {"type": ["object", "null"], "properties": groups | figures},
            "meta": {
                "type": "object",
                "properties": {
                    "group_count": {"type": "integer"},
                    "currency": {"type": ["string", "null"]},
                    "applied": {"type": "object"},
                },
            },
        },
    }


def _keys(collection: Collection) -> list[GroupKey]:
    columns = collection.columns.values()
    found = [GroupKey(each) for each in columns if each.declared.groupable]
    return found + [GroupKey(each, bucket) for each in columns for bucket in each.declared.buckets]


def _metrics(collection: Collection) -> list[Metric]:
    return [
        Metric("count"),
        *(
            Metric(kind, each)
            for each in collection.columns.values()
            for kind in metric_kinds(each)
        ),
    ]


def _having(metric: Metric, op: str) -> dict[str, Any]:
    schema: dict[str, Any] = metric.type.operand()
    found = {
        "name": f"having[{metric.name}][{op}]",
        "in": "query",
        "description": f"Keep groups whose {metric.word} {WORDS[op]} this; it has to be requested.",
    }
    if op != "between":
        return found | {"schema": schema}
    pair = {"type": "array", "items": schema, "minItems": 2, "maxItems": 2}
    return found | {"schema": pair, "style": "form", "explode": False}


def _list(name: str, allowed: list[str], most: int, text: str) -> dict[str, Any]:
    schema = {
        "type": "array",
        "items": {"type": "string", "enum": allowed},
        "minItems": 1,
        "maxItems": most,
        "uniqueItems": True,
    }
    found = {"name": name, "in": "query", "description": text, "schema": schema}
    return found | {"style": "form", "explode": False}


def _choice(name: str, allowed: list[str], text: str) -> dict[str, Any]:
    schema = {"type": "string", "enum": allowed}
    return {"name": name, "in": "query", "description": text, "schema": schema}
