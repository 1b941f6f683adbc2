"""What a person asks of a list: the address as pairs, and the addresses that differ a little."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from backend.core import collections, formats
from backend.core.collections.envelope import SAFE_IN_BODY, address
from backend.core.collections.query import Condition
from backend.core.collections.reading import WORDS
from backend.core.console.cells import written
from backend.core.console.declaration import Pairs, Section

ZONE = formats.HERE.key
NOT_IN_FILES = {"cursor", "page", "limit", "count", "format"}
MOMENTS = {"date", "timestamp", "local timestamp"}
MOMENT_WORDS = {"gte": "from", "lte": "to", "gt": "after", "lt": "before"}


@dataclass(frozen=True)
class Chip:
    """A filter that is in force, and the address without it."""

    text: str
    without: str


@dataclass(frozen=True)
class Asked:
    """The parameters of a list's page, in the form that the collection reads."""

    section: Section
    path: str
    pairs: Pairs

    @classmethod
    def of(cls, section: Section, path: str, query_string: bytes) -> "Asked":
        """Return what the query string asks for: a browser sends what was left empty, too."""
        text = query_string.decode("ascii", "replace")
        pairs = parse_qsl(text, errors="replace") if text else list(section.start)
        pairs = [(name.removesuffix("[eq]"), value) for name, value in pairs]
        return cls(section, path, _in_zone(section, pairs))

    def filters(self) -> Pairs:
        """Return the parameters that choose rows."""
        columns = self.section.collection.columns
        return [each for each in self.pairs if each[0].partition("[")[0] in columns]

    def link(self, **changes: str | None) -> str:
        """Return the page's address, some parameters changed or (none) taken away."""
        return self._page(collections.link("", self.pairs, **changes))

    def without(self, condition: Condition) -> str:
        """Return the page's address without that filter."""
        name, op = condition.column.name, condition.op
        gone = {f"{name}[{op}]", "cursor", "page"} | ({name} if op == "eq" else set())
        kept = _in_zone(self.section, [each for each in self.pairs if each[0] not in gone])
        return self._page(address("", kept))

    def chips(self, conditions: Iterable[Condition]) -> list[Chip]:
        """Return the filters in force."""
        return [Chip(_told(self.section, each), self.without(each)) for each in conditions]

    def download(self) -> str:
        """Return the address of the file with all that the list has, beyond the page too."""
        kept = [each for each in self.pairs if each[0] not in NOT_IN_FILES]
        return address(f"{self.path}.csv", [*kept, ("format", "csv")], safe=SAFE_IN_BODY)

    def api(self) -> str:
        """Return the address at which the API gives the same, or none where there is no such."""
        path = self.section.collection.path
        return address(path, self.pairs, safe=SAFE_IN_BODY) if path else ""

    def _page(self, query: str) -> str:
        # An empty query would mean the section's own start.
        start = self.section.start
        return self.path + (query or (f"?{start[0][0]}=" if start else ""))


def _in_zone(section: Section, pairs: Pairs) -> Pairs:
    """Return the parameters with the zone in which people mean their days, where that matters."""
    kept = [each for each in pairs if each != ("tz", ZONE)]
    columns = section.collection.columns
    for name, _ in kept:
        column, _, op = name.partition("[")
        is_instant = column in columns and columns[column].type.name == "timestamp"
        if is_instant and op != "isnull]" and "tz" not in dict(kept):
            return [*kept, ("tz", ZONE)]
    return kept


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
        name = str(each.get("parameter", ""))
        words = str(each["detail"])
        if suggestion := each.get("suggestion"):
            words += f" Perhaps {suggestion} is meant."
        if name in known:
            at_fields.setdefault(name, []).append(words)
        else:
            elsewhere.append(f"{name}: {words}" if name else words)
    return at_fields, elsewhere
