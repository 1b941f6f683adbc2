"""One query language for every list: a collection is declared once, and has all of it."""

from backend.core.collections.aggregates import Groups
from backend.core.collections.declaration import (
    BUCKETS,
    DATE_BUCKETS,
    EVERYTHING,
    Col,
    Collection,
    DeclarationError,
    Include,
    Limits,
    Scope,
    Writer,
    everyone,
)
from backend.core.collections.numbers import Id, Integer, Money, Number, Reference
from backend.core.collections.pages import Page
from backend.core.collections.reading import (
    Filter,
    Heading,
    filters,
    group,
    headings,
    link,
    read,
    read_one,
)
from backend.core.collections.revisions import attach_trigger, detach_trigger
from backend.core.collections.routes import mount
from backend.core.collections.times import Date, Timestamp
from backend.core.collections.types import Boolean, Enum, Text, Uuid
from backend.core.collections.where import folded
from backend.core.collections.writer import TableWriter

__all__ = [
    "BUCKETS",
    "DATE_BUCKETS",
    "EVERYTHING",
    "Boolean",
    "Col",
    "Collection",
    "Date",
    "DeclarationError",
    "Enum",
    "Filter",
    "Groups",
    "Heading",
    "Id",
    "Include",
    "Integer",
    "Limits",
    "Money",
    "Number",
    "Page",
    "Reference",
    "Scope",
    "TableWriter",
    "Text",
    "Timestamp",
    "Uuid",
    "Writer",
    "attach_trigger",
    "detach_trigger",
    "everyone",
    "filters",
    "folded",
    "group",
    "headings",
    "link",
    "mount",
    "read",
    "read_one",
]
