"""Values of a record as people read them, and where they lead."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flask import current_app, url_for

from backend.core import formats
from backend.core.collections.declaration import Column
from backend.core.console.declaration import Record, Section

KEY = "console"
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
    """One value: its column's label, its text, the class of its cell, where it leads, its badge."""

    label: str
    text: str
    kind: str
    href: str | None
    badge: str | None


def sections() -> Mapping[str, tuple[Section, str]]:
    """Return the sections of the console with their blueprints' names, by collection."""
    found: Mapping[str, tuple[Section, str]] = current_app.extensions.get(KEY, {})
    return found


def record_address(collection: str, key: Any) -> str | None:
    """Return where the record is shown, or none where no section shows it."""
    if key is None or collection not in sections():
        return None
    section, blueprint = sections()[collection]
    endpoint, argument = section.record or (f"{blueprint}.show_{section.singular}", "key")
    return url_for(endpoint, **{argument: key})


def cells(section: Section, record: Record, names: tuple[str, ...]) -> list[Cell]:
    """Return the cells of a row; in the list the main one leads to the record."""
    collection = section.collection
    found = []
    for name in names:
        column = collection.columns[name]
        value = record.get(name)
        href = record_address(column.declared.links_to or "", value)
        kind = KINDS.get(column.type.name, "")
        if name == section.main:
            kind = "main"
            href = record_address(collection.name, record.get(collection.key))
        badge = section.badges[name].get(str(value), "neutral") if name in section.badges else None
        text = written(section, column, value)
        found.append(Cell(column.declared.label, text, kind, href, badge if value else None))
    return found


def written(section: Section, column: Column, value: Any) -> str:
    """Return the value of an answer as people write it."""
    if value is None or value == "":
        return formats.NOTHING
    if column.name in section.writers:
        return section.writers[column.name](value)
    write = WRITERS.get(column.type.name, str)
    return write(value)


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
    "money": lambda value: formats.number(Decimal(value)),
    "timestamp": _moment,
}
