"""What a person asks of a list: the address as pairs, and the addresses that differ a little."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from backend.core import collections, formats
from backend.core.collections.envelope import SAFE_IN_BODY, address
from backend.core.collections.query import Condition
from backend.core.collections.reading import WORDS
from backend.core.sections.cells import written
from backend.core.sections.declaration import Pairs, Section

ZONE = formats.HERE.key
NOT_IN_FILES = {"cursor", "page", "limit", "count", "format", "totals"}
MOMENTS = {"date", "timestamp", "local timestamp"}
MOMENT_WORDS = {"gte": "from", "lte": "to", "gt": "after", "lt": "before"}


@dataclass(frozen=True)
class Chip:
    """A filter that is in force, and the address without it."""

    text: str
    without: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The parameters of a list's page, in the form that the collection reads.

    A list that is a part of another page has parameters that are `fixed` there, and stands at an
    `anchor`. `file` is the address of the list as a file.
    """

    section: Section
    path: str
    file: str
    pairs: Pairs
    fixed: Pairs = field(default_factory=list)
    anchor: str = ""

    @classmethod
    def of(cls, query_string: bytes, *, section: Section, **place: Any) -> "Asked":
        """Return what the query string asks for: a browser sends what was left empty, too."""
        text = query_string.decode("ascii", "replace")
        pairs = parse_qsl(text, errors="replace") if text else list(section.start)
        pairs = [(name.removesuffix("[eq]"), value) for name, value in pairs]
        return cls(section=section, pairs=_in_zone(section, pairs), **place)

    @property
    def every(self) -> Pairs:
        """Return all that the collection is asked."""
        return [*self.fixed, *self.pairs]

    @property
    def by(self) -> list[str]:
        """Return the keys of the groups that are asked for; none asks for rows."""
        given = [value for name, value in self.pairs if name == "by" and self.section.figures]
        return [key for value in given for key in value.split(",") if key]

    def filters(self) -> Pairs:
        """Return the parameters that choose rows."""
        columns = self.section.collection.columns
        return [each for each in self.pairs if each[0].partition("[")[0] in columns]

    def link(self, **changes: str | None) -> str:
        """Return the page's address, some parameters changed or (none) taken away."""
        return self._page(collections.link("", self.pairs, **changes))

    def grouped(self, by: list[str]) -> str:
        """Return the page's address with the same rows in groups, or with no key as they are."""
        keys = [("by", ",".join(by))] if by else []
        return self._page(address("", _in_zone(self.section, [*self.filters(), *keys])))

    def cleared(self) -> str:
        """Return the page's address without filters."""
        kept = [("by", ",".join(self.by))] if self.by else []
        return address(self.path, _in_zone(self.section, kept)) + self.anchor

    def without(self, condition: Condition) -> str:
        """Return the page's address without that filter."""
        name, op = condition.column.name, condition.op
        gone = {f"{name}[{op}]", "cursor", "page"} | ({name} if op == "eq" else set())
        kept = _in_zone(self.section, [each for each in self.pairs if each[0] not in gone])
        return self._page(address("", kept))

    def chips(self, conditions: Iterable[Condition]) -> list[Chip]:
        """Return the filters in force, but for those that the page is about."""
        fixed = {name for name, _ in self.fixed}
        return [
            Chip(_told(self.section, each), self.without(each))
            for each in conditions
            if each.column.name not in fixed
        ]

    def download(self) -> str:
        """Return the address of the file with all that the list has, beyond the page too."""
        kept = [each for each in self.every if each[0] not in NOT_IN_FILES]
        return address(self.file, [*kept, ("format", "csv")], safe=SAFE_IN_BODY)

    def api(self) -> str:
        """Return the address at which the API gives the same, or none where there is no such."""
        path = self.section.collection.path
        path = f"{path}/aggregates" if path and self.by else path
        return address(path, self.every, safe=SAFE_IN_BODY).replace("'", "%27") if path else ""

    def _page(self, query: str) -> str:
        # An empty query would mean the section's own start.
        start = self.section.start
        return self.path + (query or (f"?{start[0][0]}=" if start else "")) + self.anchor


def _in_zone(section: Section, pairs: Pairs) -> Pairs:
    """Return the parameters with the zone in which people mean their days, where that matters."""
    kept = [each for each in pairs if each != ("tz", ZONE)]
    if "tz" not in dict(kept) and any(_is_of_instants(section, *each) for each in kept):
        return [*kept, ("tz", ZONE)]
    return kept


def _is_of_instants(section: Section, name: str, value: str) -> bool:
    column, _, op = name.partition("[")
    names = re.findall(r"\((\w+)\)", value) if name == "by" else [column]
    found = [
        section.collection.columns[each] for each in names if each in section.collection.columns
    ]
    return op != "isnull]" and any(each.type.name == "timestamp" for each in found)


def _told(section: Section, condition: Condition) -> str:
    column, op = condition.column, condition.op
    label = column.declared.label
    if op == "isnull":
        return f"{label} {'is empty' if condition.values[0] else 'is not empty'}"
    words = WORDS | (MOMENT_WORDS if column.type.name in MOMENTS else {})
    values = [_value(section, condition, at) for at in range(len(condition.values))]
    return f"{label} {words[op]} {(' and ' if op == 'between' else ' or ').join(values)}"


def _value(section: Section, condition: Condition, at: int) -> str:
    if condition.op in {"contains", "startswith"}:
        return condition.texts[at]
    content = condition.column.type.content(condition.values[at])
    return written(section, condition.column, content)


def mistakes(
    names: Iterable[str], errors: Iterable[Mapping[str, Any]]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return the sentences for the fields of the form, and those that belong to none."""
    known = set(names)
    at_fields: dict[str, list[str]] = {}
    elsewhere = []
    for each in errors:
        pointer = str(each.get("pointer", "")).strip("/").partition("/")[0]
        name = str(each.get("parameter", pointer))
        words = str(each["detail"])
        if suggestion := each.get("suggestion"):
            words += f" Perhaps {suggestion} is meant."
        if name in known:
            at_fields.setdefault(name, []).append(words)
        else:
            elsewhere.append(f"{name}: {words}" if name else words)
    return at_fields, elsewhere
