"""Values of a record as people read them, and where they lead."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flask import current_app, url_for

from backend.core import formats
from backend.core.collections import Collection
from backend.core.collections.declaration import Column
from backend.core.sections.declaration import Record, Section

KEY = "sections"
KINDS = {
    "integer": "number",
    "decimal": "number",
    "money": "number",
    "date": "date",
    "timestamp": "date",
    "local timestamp": "date",
    "id": "code",
    "reference": "code",
}


@dataclass(frozen=True)
class Cell:
    """One value: its column's label, its text, the class of its cell, where it leads, its badge.

    A `part` is how much of the whole it is, in per cent, to be drawn beside it.
    """

    label: str
    text: str
    kind: str = ""
    href: str | None = None
    badge: str | None = None
    part: str | None = None


def sections() -> Mapping[str, tuple[Section, str]]:
    """Return the sections with their blueprints' names, by collection."""
    found: Mapping[str, tuple[Section, str]] = current_app.extensions.get(KEY, {})
    return found


def record_address(collection: str, key: Any) -> str | None:
    """Return where the record is shown, or none where no section shows it."""
    if key is None or collection not in sections():
        return None
    section, blueprint = sections()[collection]
    endpoint, argument = section.record or (f"{blueprint}.show_{section.singular}", "key")
    return url_for(endpoint, **{argument: key})


def cells(section: Section, record: Record, names: Iterable[str]) -> list[Cell]:
    """Return the cells of a row; in the list the main one leads to the record."""
    return [_cell(section, record, section.collection.columns[name]) for name in names]


def _cell(section: Section, record: Record, column: Column) -> Cell:
    name, value, collection = column.name, record.get(column.name), section.collection
    kind = kind_of(section, column)
    href = record_address(column.declared.links_to or "", value)
    if name == section.main:
        kind = f"main {kind}".rstrip()
        href = record_address(collection.name, record.get(collection.key))
    elif value is not None and name in section.links:
        href = section.links[name](record)
    badge = section.badges[name].get(str(value), "neutral") if name in section.badges else None
    text = written(section, column, value, record)
    return Cell(column.declared.label, text, kind, href, badge if value else None)


def kind_of(section: Section, column: Column) -> str:
    """Return what the column's values look like: a number, a date, a code, or a plain text."""
    return section.kinds.get(column.name) or KINDS.get(column.type.name, "")


def written(section: Section, column: Column, value: Any, record: Record | None = None) -> str:
    """Return the value of an answer as people write it; an amount's currency may be a column."""
    if value is None or value == "":
        return formats.NOTHING
    if column.name in section.writers:
        return section.writers[column.name](value)
    if column.type.name == "money":
        return formats.money(Decimal(value), currency(section.collection, record))
    write = WRITERS.get(column.type.name, str)
    return write(value)


def currency(collection: Collection, record: Record | None = None) -> str:
    """Return the currency of an amount, as far as it is known."""
    name = collection.currency or ""
    return str((record or {}).get(name, "")) if name in collection.columns else name


def spoken(word: str) -> str:
    """Return a value of an enum as a word."""
    return word.replace("_", " ").replace("-", " ").capitalize() if word.islower() else word


def _moment(text: str) -> str:
    is_day = len(text) == len("2024-03-01")
    return formats.local(date.fromisoformat(text) if is_day else datetime.fromisoformat(text))


WRITERS: Mapping[str, Callable[[Any], str]] = {
    "boolean": lambda value: "Yes" if value else "No",
    "date": _moment,
    "decimal": lambda value: formats.number(Decimal(value)),
    "enum": spoken,
    "integer": formats.number,
    "local timestamp": _moment,
    "timestamp": _moment,
}
