"""Collections without HTTP: what pages and the console draw from a declaration.

Parameters are the same as in an address, as a mapping or as the query string itself; refusals are
the same DomainErrors, whose `errors` name the parameters to mark in a form.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from backend.core.collections.aggregates import Groups, aggregate
from backend.core.collections.declaration import Collection
from backend.core.collections.envelope import address
from backend.core.collections.filters import KNOWN_OPERATORS
from backend.core.collections.pages import Page, read_page, read_record
from backend.core.collections.parse import parse_list
from backend.core.collections.parse_groups import parse_groups
from backend.core.collections.problems import RecordNotFound
from backend.core.collections.query import Query
from backend.core.collections.types import Enum, Refused

Parameters = str | Mapping[str, str | Iterable[str]] | Iterable[tuple[str, str]]

WORDS = {
    "eq": "is",
    "ne": "is not",
    "gt": "more than",
    "gte": "at least",
    "lt": "less than",
    "lte": "at most",
    "between": "between",
    "in": "one of",
    "nin": "none of",
    "contains": "contains",
    "startswith": "starts with",
    "isnull": "is empty",
}


@dataclass(frozen=True)
class Filter:
    """A filter that a form may offer: the parameter's name, what it means, what may be chosen."""

    parameter: str
    column: str
    op: str
    label: str
    type: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heading:
    """A column of a list: how it is called, and whether and by which word it is sorted."""

    name: str
    label: str
    type: str
    sortable: bool
    groupable: bool
    links_to: str | None


def query_text(parameters: Parameters) -> str:
    """Return the parameters as a query string; those that a form left empty are left out."""
    if isinstance(parameters, str):
        return parameters
    pairs = parameters.items() if isinstance(parameters, Mapping) else parameters
    return urlencode([(name, value) for name, value in pairs if value != ""], doseq=True)


def read(collection: Collection, parameters: Parameters = "") -> Page:
    """Return the page that the parameters ask for, of the rows that the present caller may see.

    :raises InvalidQuery: with every mistake in the parameters
    """
    return read_page(collection, parse_list(collection, query_text(parameters)), collection.scope())


def group(collection: Collection, parameters: Parameters) -> Groups:
    """Return the groups that the parameters ask for, of the rows that the caller may see.

    :raises InvalidQuery: with every mistake in the parameters, or for too many groups
    """
    query = parse_groups(collection, query_text(parameters))
    return aggregate(collection, query, collection.scope())


def read_one(collection: Collection, key: Any) -> dict[str, Any]:
    """Return the record with all its columns.

    :raises RecordNotFound: when there is none that the caller may see
    """
    if isinstance(key, str):
        try:
            key = collection.key_column.type.parse(key)
        except Refused as refused:
            raise RecordNotFound(f"No record here has the id {key[:80]}.") from refused
    query = Query(fields=tuple(collection.columns))
    text, _ = read_record(collection, key, query, collection.scope())
    record: dict[str, Any] = json.loads(text)
    return record


def headings(collection: Collection, page: Page | None = None) -> list[Heading]:
    """Return the columns of a page, or all of the collection's."""
    names = page.query.fields if page else collection.columns
    return [_heading(collection, name) for name in names]


def _heading(collection: Collection, name: str) -> Heading:
    column = collection.columns[name]
    return Heading(
        name=name,
        label=column.declared.label,
        type=column.type.name,
        sortable=collection.can_sort(column),
        groupable=column.declared.groupable,
        links_to=column.declared.links_to,
    )


def filters(collection: Collection) -> list[Filter]:
    """Return every filter of the collection, in the order of its columns."""
    return [
        Filter(
            parameter=name if op == "eq" else f"{name}[{op}]",
            column=name,
            op=op,
            label=f"{column.declared.label} {WORDS[op]}",
            type="boolean" if op == "isnull" else column.type.name,
            choices=column.type.values if isinstance(column.type, Enum) else (),
        )
        for name, column in collection.columns.items()
        for op in column.operators
        if op in KNOWN_OPERATORS
    ]


def link(path: str, parameters: Parameters, **changes: str | None) -> str:
    """Return an address with the parameters, some of them changed or (with none) taken away.

    Changing anything but the cursor takes cursor and page away: they belong to the old answer.
    """
    from urllib.parse import parse_qsl  # noqa: PLC0415

    pairs = parse_qsl(query_text(parameters), keep_blank_values=True)
    gone = set(changes) | (set() if "cursor" in changes else {"cursor", "page"})
    kept = [(name, value) for name, value in pairs if name not in gone]
    added = [(name, value) for name, value in changes.items() if value is not None]
    return address(path, kept + added)
