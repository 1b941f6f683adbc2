"""The OpenAPI document of a collection: each operator of each field is a parameter of its own."""

from http import HTTPStatus
from typing import Any

from backend.core.collections.declaration import Collection
from backend.core.collections.document_groups import group_parameters, groups_schema
from backend.core.collections.document_parameters import (
    filter_parameters,
    key_parameter,
    paging_parameters,
)
from backend.core.collections.document_schemas import (
    list_schema,
    record_schema,
    search_example,
)
from backend.core.collections.document_search import search_schema

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
        "description": _describe(collection),
        "parameters": [*filter_parameters(collection), *paging_parameters(collection)],
        "responses": {
            "200": _files(list_schema(collection), "One page of rows, or all of them as a file."),
            "304": {"description": "What you have still holds."},
            **problems(400, 406, 429, 503, codes=QUERY_CODES),
        },
    }


def record_operation(collection: Collection) -> dict[str, Any]:
    """Return the document of one record."""
    shown = [
        each for each in paging_parameters(collection) if each["name"] in {"fields", "include"}
    ]
    return {
        "summary": f"Read one record of {collection.title.lower()}",
        "parameters": [key_parameter(collection), *shown],
        "responses": {
            "200": json_answer(record_schema(collection), "The record."),
            "304": {"description": "What you have still holds."},
            **problems(400, 404, 406, 503),
        },
    }


def aggregates_operation(collection: Collection) -> dict[str, Any]:
    """Return the document of the aggregates."""
    return {
        "summary": f"Group {collection.title.lower()}",
        "description": _describe(collection),
        "parameters": [*filter_parameters(collection), *group_parameters(collection)],
        "responses": {
            "200": _files(groups_schema(collection), "The groups with their figures."),
            "304": {"description": "What you have still holds."},
            **problems(400, 406, 503, codes=f"{QUERY_CODES} {GROUP_CODES}"),
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


def json_answer(schema: dict[str, Any], text: str) -> dict[str, Any]:
    """Return the document of an answer in JSON."""
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _files(schema: dict[str, Any], text: str) -> dict[str, Any]:
    found = json_answer(schema, text)
    for media in ("text/csv", "application/x-ndjson"):
        found["content"][media] = {"schema": {"type": "string"}}
    return found


def problems(*statuses: int, codes: str = "") -> dict[str, Any]:
    """Return the refusals that the operation may answer with, and what a bad request's may say."""
    found = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": PROBLEM}},
        }
        for status in statuses
    }
    if codes:
        listed = ", ".join(f"`{code}`" for code in codes.split())
        found["400"]["description"] += f". The codes of its errors: {listed}."  # type: ignore[operator]  # it is a text
    return found


def _describe(collection: Collection) -> str:
    return f"{collection.description} Conditions are joined by AND.".strip()
