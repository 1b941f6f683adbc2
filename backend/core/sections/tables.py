"""A list as a table: its headings, the cells of its rows, and the ways on from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.core import collections
from backend.core.sections.asking import Asked, Chip
from backend.core.sections.cells import Cell, cells, kind_of
from backend.core.sections.charts import Chart
from backend.core.sections.declaration import Action, Record

FIGURES = {"number", "date"}

Offers = Callable[[Record], list[tuple[Action, str]]]


@dataclass(frozen=True)
class Heading:
    """A column's heading, the address that sorts by it, and how it is sorted now."""

    label: str
    kind: str
    href: str | None
    sorted: str | None


@dataclass(frozen=True)
class Row:
    """The cells of a row, and what can be done with it right there."""

    cells: list[Cell]
    actions: list[tuple[Action, str]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Table:
    """All that a template draws of a list; `called` is how the API is asked for the same."""

    called: Asked
    count: str
    headings: list[Heading]
    rows: list[Row]
    chips: list[Chip]
    notices: tuple[dict[str, Any], ...] = ()
    foot: list[list[Cell]] = field(default_factory=list)
    chart: Chart | None = None
    previous: str | None = None
    following: str | None = None

    @property
    def has_actions(self) -> bool:
        """Whether something can be done with one of the rows."""
        return any(row.actions for row in self.rows)


def table(asked: Asked, offers: Offers) -> Table:
    """Return a page of the rows that are asked for.

    :raises InvalidQuery: with every mistake in what was asked
    """
    section = asked.section
    found = collections.read(section.collection, asked.every)
    current = {key.column.name: key.descending for key in found.query.sort[:1]}
    known = {each.name: each for each in collections.headings(section.collection, found)}
    names = [name for name in section.shown if name in known] or list(known)
    return Table(
        called=asked,
        count=_counted(found, "found" if asked.filters() else "in all"),
        headings=[_heading(asked, current, known[name]) for name in names],
        rows=[Row(cells(section, each, names), offers(each)) for each in found.rows],
        chips=asked.chips(found.query.conditions),
        notices=found.query.notices,
        previous=asked.link(cursor=found.prev, page=None) if found.prev else None,
        following=asked.link(cursor=found.next, page=None) if found.next else None,
    )


def _heading(asked: Asked, current: Mapping[str, bool], each: collections.Heading) -> Heading:
    kind = kind_of(asked.section, asked.section.collection.columns[each.name])
    if not each.sortable:
        return Heading(each.label, kind, None, None)
    return heading(asked, current, each.name, each.label, kind)


def heading(asked: Asked, current: Mapping[str, bool], name: str, label: str, kind: str) -> Heading:
    """Return the heading of a column that can be sorted: figures begin with the greatest."""
    descending = not current[name] if name in current else kind in FIGURES
    return Heading(
        label=label,
        kind=kind,
        href=asked.link(sort=f"-{name}" if descending else name, order=None),
        sorted=("descending" if current[name] else "ascending") if name in current else None,
    )


def _counted(found: collections.Page, words: str) -> str:
    if found.count is None:
        return ""
    more = "more than " if found.count_kind == "at_least" else ""
    return f"{more}{found.count:,} {words}"
